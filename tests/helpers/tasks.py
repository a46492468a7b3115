"""Tasks that other processes can import."""

from __future__ import annotations

import os
import signal

from airshed.errors import AirshedError


def square(number: int) -> tuple[int, int]:
    """The square, and the process that computed it."""
    return number**2, os.getpid()


def interrupted_square(number: int) -> tuple[int, int]:
    """The same, in a process that Ctrl-C reaches."""
    os.kill(os.getpid(), signal.SIGINT)
    return square(number)


def refuse(number: int) -> None:
    """Fail as a task of the project fails."""
    raise AirshedError("a task failed", where=f"number {number}", hint="count again")
