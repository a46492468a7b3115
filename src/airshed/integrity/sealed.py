"""NetCDF files that end with a checksum of everything before it.

Programs that read NetCDF stop where the format says that the file ends, so a sealed file is an
ordinary one to all of them. The checksum is compared before the file is opened: a damaged one is
noticed wherever the damage is, and never reaches the HDF5 library. That library's own checksum
(fletcher32) covers arrays of numbers alone: a flipped bit in a pollutant's name goes unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from airshed.errors import AirshedError, refusing
from airshed.integrity.atomic import atomic_path
from airshed.integrity.formats import VERSION, Format

MARK = b"\nairshed sha256 "
SEAL_BYTES = len(MARK) + 64
PART_BYTES = 2**24  # read at a time
UNSEALED = 1  # the format version of prepared files and scores that had no checksum


def write_netcdf(
    dataset: xr.Dataset, path: Path, encoding: Mapping[Any, Any] | None = None
) -> None:
    """Write a dataset with a checksum at its end; it appears when it is complete."""
    with atomic_path(path) as temporary:
        dataset.to_netcdf(temporary, engine="netcdf4", format="NETCDF4", encoding=encoding)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        with temporary.open("ab") as stream:
            stream.write(MARK + digest.encode("ascii"))


@contextmanager
def opened_netcdf(path: Path, kind: Format) -> Iterator[xr.Dataset]:
    """Open what :func:`write_netcdf` wrote; all of it is checked, values are read when used.

    Raises:
        AirshedError: The file cannot be read, is damaged, or has another format version.
    """
    what, errors = f"{kind.what} cannot be read", (OSError, ValueError, RuntimeError)
    with refusing(*errors, what=what, where=path, hint=kind.remake, found=str):
        sealed = _is_sealed(path, kind)
        with xr.open_dataset(path, engine="netcdf4") as opened:
            version = opened.attrs.get(VERSION)
            kind.check(version, path)
            if not sealed and version != UNSEALED:
                found = "no checksum at its end: cut off, or changed by another program"
                raise _damaged(path, kind, found)
            yield opened


def read_netcdf(path: Path, kind: Format) -> xr.Dataset:
    """Read what :func:`write_netcdf` wrote into memory.

    Raises:
        AirshedError: As :func:`opened_netcdf`.
    """
    with opened_netcdf(path, kind) as opened:
        return opened.load()


def _is_sealed(path: Path, kind: Format) -> bool:
    """Whether a file has a checksum.

    Raises:
        AirshedError: It has one, and it is not that of the content.
    """
    digest, left = hashlib.sha256(), path.stat().st_size - SEAL_BYTES
    with path.open("rb") as stream:
        while left > 0 and (part := stream.read(min(left, PART_BYTES))):
            digest.update(part)
            left -= len(part)
        seal = stream.read()
    if not seal.startswith(MARK):
        return False
    if digest.hexdigest() != seal.removeprefix(MARK).decode("ascii", "replace"):
        raise _damaged(path, kind, "another checksum than at its end")
    return True


def _damaged(path: Path, kind: Format, found: str) -> AirshedError:
    return AirshedError(
        f"{kind.what} cannot be trusted: the file is damaged",
        where=path,
        expected="the content that Airshed wrote",
        found=found,
        hint=kind.remake,
    )
