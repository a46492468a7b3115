"""Which files a path of a gridded series stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from airshed.errors import AirshedError
from airshed.files import is_series_name, is_zarr_store
from airshed.graph.user_files import matching


def series_files(given: str) -> list[Path]:
    """NetCDF files, zips and Zarr stores: those of a pattern, a file, or all below a folder.

    Raises:
        AirshedError: There is none.
    """
    found: list[Path] = []
    for path in map(Path, matching(given)):
        whole = path.is_file() or is_zarr_store(path)
        found += [path] if whole else sorted(_below(path))
    if not found:
        raise AirshedError(
            "no file of a gridded series was found",
            where=given,
            expected="NetCDF files (.nc, .nc4, .cdf, .ncf), zips of them, or folders *.zarr",
            hint="set dataset.path to their folder, or to a pattern if their names end otherwise,"
            " such as /data/wrfout_d01_*",
        )
    return found


def _below(folder: Path) -> Iterator[Path]:
    """Files by the ends of their names, and Zarr stores; links to folders are followed once."""
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(where)) in seen:
            folders.clear()
            continue
        seen.add(real)
        stores = [name for name in folders if name.endswith(".zarr")]
        yield from (Path(where, name) for name in stores)
        folders[:] = sorted(set(folders) - set(stores))
        yield from (Path(where, name) for name in names if is_series_name(name))
