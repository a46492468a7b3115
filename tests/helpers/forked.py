"""Processes forked from a fresh one that has imported what they need and computed nothing."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from typing import Any

_context = multiprocessing.get_context("forkserver")
_imported: list[str] = []


def preload(*modules: str) -> None:
    """Have modules imported by the process that is forked, which has not started yet."""
    _imported.extend(modules)
    _context.set_forkserver_preload(_imported)


def start_importing() -> None:
    """Start that process, if there will be any other, before somebody else names other modules."""
    if _imported:
        ensure_running()


def forked(target: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Such a process, which is to be started."""
    return _context.Process(target=_run, args=(target, *arguments))


def _run(target: Callable[..., object], *arguments: Any) -> None:
    # else the garbage collector touches all that was imported, and each page of it is copied: that
    # is half of the time of a small training
    gc.freeze()
    # this process is clean itself: what it wants to fork from a clean one need not import anew
    methods = multiprocessing.context._concrete_contexts  # type: ignore[attr-defined]
    methods["forkserver"] = methods["fork"]
    target(*arguments)


def exit_code(program: str) -> int | None:
    """How a Python program ends in such a process."""
    process = forked(exec, program, {})
    process.start()
    process.join()
    return process.exitcode
