"""Calls into the NetCDF library: one at a time, and not for ever.

On some damaged files HDF5 does not come to an end. It cannot be interrupted, but leaves the
interpreter free, so that the call can be given up; the process must not use the library again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from airshed.errors import AirshedError

Result = TypeVar("Result")
LOCK = threading.Lock()  # the library is not thread-safe
LIMIT_S = 300  # an hourly file takes a fraction of a second, a large raster some seconds
_given_up: list[str] = []


class GivenUpError(AirshedError):
    """A call into the library was given up; it goes on in a thread of this process."""


def within_limit(read: Callable[[], Result], where: object) -> Result:
    """What a call into the NetCDF library returns.

    Seconds are counted here, one by one: a process that was suspended has not been waiting.

    Args:
        read: Calls the library.
        where: The file, for messages.

    Raises:
        GivenUpError: It takes longer than LIMIT_S, or an earlier call did.
        Exception: Whatever ``read`` raises.
    """
    if given_up():
        raise _unending(_given_up[0])
    outcome: Future[Result] = Future()
    thread = threading.Thread(target=_run, args=(read, outcome), name="netcdf", daemon=True)
    thread.start()
    for _ in range(LIMIT_S):
        thread.join(1)
        if not thread.is_alive():
            return outcome.result()
    _given_up.append(str(where))
    raise _unending(where)


def _run(read: Callable[[], Result], outcome: Future[Result]) -> None:
    with LOCK:
        try:
            outcome.set_result(read())
        except BaseException as error:
            outcome.set_exception(error)


def given_up() -> bool:
    """Whether the library is still busy with what was given up, and would crash on its way out."""
    return bool(_given_up)


def _unending(where: object) -> GivenUpError:
    return GivenUpError(
        "a file is damaged: the NetCDF library does not come to an end with it",
        where=where,
        expected=f"less than {LIMIT_S} s",
        hint="fetch it again, or remove it to treat what it holds as missing",
    )
