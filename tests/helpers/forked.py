"""Processes forked from a fresh one that has imported what they need and computed nothing."""

from __future__ import annotations

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
_imported: list[str] = []


def preload(*modules: str) -> None:
    """Have modules imported by the process that is forked, if it has not started yet."""
    _imported.extend(modules)
    CONTEXT.set_forkserver_preload(_imported)


def exit_code(program: str) -> int | None:
    """How a Python program ends in such a process."""
    process = CONTEXT.Process(target=exec, args=(program, {}))
    process.start()
    process.join()
    return process.exitcode
