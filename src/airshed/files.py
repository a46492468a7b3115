"""Finding files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

SERIES_ENDS = (".nc", ".nc3", ".nc4", ".cdf", ".ncf", ".netcdf", ".zip")
ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, folder by folder in the order of their names.

    Links to folders are followed; what several links lead to comes once, so that a circle ends.
    """
    seen: set[tuple[int, int]] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        stat = Path(where).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders.sort()
        yield from (path for name in sorted(names) if (path := Path(where, name)).is_file())


def is_zarr_store(path: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in ZARR_MARKS)


def is_series_name(name: str) -> bool:
    """Whether a file below a folder may be one of a gridded series, by its relative name.

    Those of Zarr stores are, since they change with it.
    """
    *folders, last = name.split("/")
    inside = any(folder.endswith(".zarr") for folder in folders)
    return inside or (not last.startswith(".") and last.lower().endswith(SERIES_ENDS))


def is_apple_double(name: str) -> bool:
    """Whether macOS put a file beside another (``._x``, ``__MACOSX/``); it holds no data."""
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts
