"""How the C library shares out the memory of a process that reads."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # of glibc's malloc.h


def one_heap() -> None:
    """Let all threads of this process use one heap; where the C library cannot, nothing changes.

    Every call into the NetCDF library has a thread of its own, whose heap would keep what it freed:
    half as much again as an hour takes.
    """
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
