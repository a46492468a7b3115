"""Processes forked from a fresh one that has imported what they need and computed nothing."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.popen_forkserver import Popen
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

from airshed.garbage import look_rarely_for_garbage

_context = multiprocessing.get_context("forkserver")
_methods = multiprocessing.context._concrete_contexts  # type: ignore[attr-defined]
_server: Any = forkserver._forkserver  # type: ignore[attr-defined]
_imported = [__name__]  # what is imported after this module is not looked through for garbage
_asking = Lock()
look_rarely_for_garbage()


class _Started(Popen):
    """How such a process is started and waited for, by any thread.

    The code that it ends with can be read once. Of two threads that ask at the same time, as each
    does for all processes when it starts one, the second would take it for a failure, 255.
    """

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        if flag != os.WNOHANG:
            wait([self.sentinel])
        with _asking:
            return super().poll()


class Forked(ForkServerProcess):
    """A process that is forked."""

    _Popen = _Started  # type: ignore[assignment]


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


def forked(target: Callable[..., object], *arguments: Any) -> Forked:
    """Such a process, which is to be started; it has the environment of this one."""
    start_importing()
    return Forked(target=_run, args=(dict(os.environ), target, *arguments))


def _run(variables: dict[str, str], target: Callable[..., object], *arguments: Any) -> None:
    os.environ.clear()
    os.environ.update(variables)
    # else the garbage collector touches all that was imported, and each page of it is copied: that
    # is half of the time of a small training
    gc.freeze()
    # this process is clean itself: what it wants to fork from a clean one need not import anew
    _methods["forkserver"] = _methods["fork"]
    target(*arguments)


def ended(process: Forked, limit_s: float) -> int:
    """Start such a process; the code that it ends with, negative if it took longer."""
    process.start()
    process.join(limit_s)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def exit_code(program: str) -> int:
    """How a Python program ends in such a process."""
    return ended(forked(exec, program, {}), limit_s=120)


def say_to(stdout: Path, stderr: Path) -> None:
    """In such a process: what it says, and all that it starts, is appended to these files."""
    for number, path in enumerate((stdout, stderr), start=1):
        os.dup2(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY), number)
