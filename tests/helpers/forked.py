"""Processes forked from a fresh one that has imported what they need and computed nothing."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from typing import Any
from unittest.mock import patch

_context = multiprocessing.get_context("forkserver")
_methods = multiprocessing.context._concrete_contexts  # type: ignore[attr-defined]
_server: Any = forkserver._forkserver  # type: ignore[attr-defined]
_imported: list[str] = []


def preload(*modules: str) -> None:
    """Have modules imported by the process that is forked, which has not started yet."""
    _imported.extend(modules)
    _context.set_forkserver_preload(_imported)


def preloaded() -> list[str]:
    """These modules."""
    return _imported


def start_importing() -> None:
    """Start that process, if there will be any other, before somebody else names other modules."""
    if _imported and _server._forkserver_address is None:
        # its own alone: by itself it does not look for modules where this process does
        with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
            _server.ensure_running()


def fork_from_the_same() -> None:
    """In such a process: fork others from the one that it was forked from itself."""
    _server.ensure_running = lambda: None
    _methods["forkserver"] = _context


def forked(target: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Such a process, which is to be started; it has the environment of this one."""
    start_importing()
    return _context.Process(target=_run, args=(dict(os.environ), target, *arguments))


def _run(variables: dict[str, str], target: Callable[..., object], *arguments: Any) -> None:
    os.environ.clear()
    os.environ.update(variables)
    # else the garbage collector touches all that was imported, and each page of it is copied: that
    # is half of the time of a small training
    gc.freeze()
    # this process is clean itself: what it wants to fork from a clean one need not import anew
    _methods["forkserver"] = _methods["fork"]
    target(*arguments)


def exit_code(program: str) -> int | None:
    """How a Python program ends in such a process."""
    process = forked(exec, program, {})
    process.start()
    process.join()
    return process.exitcode
