"""Calls into the NetCDF library that are abandoned if they do not end.

On some damaged files HDF5 loops for ever. It cannot be interrupted, but leaves the interpreter
free, so that the call can be left to a thread; the process must not use the library again, and ends
without the library's own clean-up, which would crash.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from airshed.errors import AirshedError

Result = TypeVar("Result")
LOCK = threading.Lock()  # the library is not thread-safe
GRACE_S = 2  # for a call that is under way when somebody interrupts
LIMIT_S = 300  # an hourly file takes a fraction of a second, a large raster some seconds
_given_up: list[str] = []


class GivenUpError(AirshedError):
    """A call into the library was given up; it goes on in a thread of this process."""


def within_limit(read: Callable[[], Result], where: object, hint: str) -> Result:
    """Run a call into the NetCDF library, one at a time, and return its result.

    Seconds are counted one by one while the call is running, so that neither the suspension of the
    process nor waiting for another thread's call counts.

    Args:
        read: Calls the library.
        where: The file, for messages.
        hint: What to do with a file that is damaged.

    Raises:
        GivenUpError: It takes longer than LIMIT_S, or an earlier call did.
        Exception: Whatever ``read`` raises.
    """
    outcome: Future[Result] = Future()
    working = threading.Event()
    thread = threading.Thread(target=_run, args=(read, outcome, working), daemon=True)
    seconds = 0
    try:
        if not given_up():
            _start(thread, where)
        while not given_up():
            thread.join(1)
            if not thread.is_alive():
                return outcome.result()
            seconds += working.is_set()
            if seconds >= LIMIT_S:
                _give_up(where)
    except KeyboardInterrupt:
        thread.join(GRACE_S)
        if thread.is_alive() and working.is_set():
            _give_up(where)
        raise
    finally:
        del outcome, read  # an error that is raised holds this frame, and with it a whole file
    raise GivenUpError(
        "a file is damaged: the NetCDF library does not come to an end with it",
        where=_given_up[0],
        expected=f"less than {LIMIT_S} s",
        hint=f"{hint}; dask workers that were started by hand must be started again",
    )


def _run(read: Callable[[], Result], outcome: Future[Result], working: threading.Event) -> None:
    with LOCK:
        working.set()
        try:
            outcome.set_result(read())
        except BaseException as error:
            outcome.set_exception(error)


def _start(thread: threading.Thread, where: object) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        raise AirshedError(
            "a file cannot be read: this machine refuses another thread",
            where=where,
            found=error,
            hint="ask for more processes or threads (ulimit -u, the limits of the job)",
        ) from error


def given_up() -> bool:
    """Whether the library is still busy with an abandoned call."""
    return bool(_given_up)


def _give_up(where: object) -> None:
    if not given_up():
        _given_up.append(str(where))
        atexit.register(_end)


def _end() -> None:
    """End at once, with the code of a failure."""
    if given_up():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(1)
