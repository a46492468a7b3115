"""How much freed memory the C library keeps in a process that reads fields."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 2**22  # at the end of each heap; less costs time
APART_BYTES = 2**21  # larger blocks, such as all fields of an hour, go back when they are freed


def keep_little() -> None:
    """Let the C library give freed memory back, as far as it can.

    By itself it comes to keep tens of MB, and that for each thread's heap; every call into the
    NetCDF library has a thread of its own.
    """
    with suppress(OSError, AttributeError):  # another C library than glibc
        library = ctypes.CDLL(None)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(M_MMAP_THRESHOLD, APART_BYTES)
