"""One file of a gridded series: NetCDF, a NetCDF inside a zip, or a Zarr store."""

from __future__ import annotations

import os
import warnings
import weakref
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import netCDF4
import xarray as xr

from airshed.data.members import read_zip_member, zip_names
from airshed.data.netcdf_library import within_limit
from airshed.errors import refusing
from airshed.files import folder_state, size_and_time

OPEN_AT_ONCE = 32  # one file for each variable; the library takes 1.2 MB for each
CACHE_BYTES = 2**16  # of chunks in the library; what was read is buffered anyway
AS_STORED: dict[str, Any] = {"decode_times": False, "decode_timedelta": False, "cache": False}
HINT = "fetch it again, or remove it to treat its times as missing"
READ_ERRORS = (
    *(OSError, RuntimeError, LookupError, ValueError, AttributeError, TypeError, MemoryError),
    OverflowError,
)
"""What the libraries raise for files of another kind, or damaged ones."""
_unneeded: deque[netCDF4.Dataset] = deque()


@dataclass(frozen=True)
class Place:
    """Where a file of a series is.

    Attributes:
        path: The file, or the folder of a Zarr store.
        state: As :func:`airshed.files.size_and_time` or, of a store, ``folder_state`` gives it.
        member: Its name inside a zip.
    """

    path: Path
    state: tuple[int, ...]
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"


def places_of(path: Path) -> list[Place]:
    """A file or store as it is now; of a zip each NetCDF in it.

    Raises:
        AirshedError: It is gone, or a zip is unsafe or damaged.
    """
    if path.is_dir():
        return [Place(path, folder_state(path))]
    state = size_and_time(path)
    if path.suffix.lower() != ".zip":
        return [Place(path, state)]
    names = [name for name in zip_names(path) if name.lower().endswith((".nc", ".nc4", ".cdf"))]
    return [Place(path, state, name) for name in sorted(names)]


def opened(place: Place) -> xr.Dataset:
    """What a file holds: packed numbers become values when they are read, times stay numbers.

    Files stay open for the next call of this process.

    Raises:
        AirshedError: It cannot be read.
    """
    return _opened(place, os.getpid())  # handles of the library do not survive a fork


def close_unless(needed: int) -> None:
    """Close all files of this process if more are open than are needed at once."""
    if _opened.cache_info().currsize > needed:
        _opened.cache_clear()


@lru_cache(maxsize=OPEN_AT_ONCE)
def _opened(place: Place, process: int) -> xr.Dataset:
    with reading(place), warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # of fillers that cannot occur
        if place.path.is_dir():
            return xr.open_dataset(place.path, engine="zarr", **AS_STORED)
        return within_limit(lambda: _netcdf(place), place, HINT)


def reading(place: Place) -> Any:
    """A block whose errors of the libraries become a problem with this file."""
    what = "a file of a gridded series cannot be read"
    return refusing(*READ_ERRORS, what=what, where=place, hint=HINT)


def _netcdf(place: Place) -> xr.Dataset:
    """Open a file, after closing those that are no longer read.

    Left to the garbage collector, which works in any thread, they would be closed while another
    thread is inside the library, and that crashes.
    """
    while _unneeded:
        _unneeded.popleft().close()
    if place.member is None:
        file = netCDF4.Dataset(place.path)
    else:
        file = netCDF4.Dataset("member", memory=read_zip_member(place.path, place.member))
    for variable in file.variables.values():
        if isinstance(variable.chunking(), list):
            variable.set_var_chunk_cache(CACHE_BYTES)  # else 16 MB for each, in every open file
    manager = xr.backends.DummyFileManager(file)  # type: ignore[type-var]
    weakref.finalize(manager, _unneeded.append, file).atexit = False
    store: Any = xr.backends.NetCDF4DataStore(manager)  # type: ignore[no-untyped-call]
    return xr.open_dataset(store, **AS_STORED)
