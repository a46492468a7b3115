"""Which files a path of a gridded series stands for."""

from __future__ import annotations

from pathlib import Path

from airshed.errors import AirshedError
from airshed.files import files_below, is_series_name, is_zarr_store
from airshed.graph.user_files import matching


def series_files(given: str) -> list[Path]:
    """NetCDF files, zips and Zarr stores: those of a pattern, a file, or all below a folder.

    Raises:
        AirshedError: There is none.
    """
    found: list[Path] = []
    for path in map(Path, matching(given)):
        whole = path.is_file() or is_zarr_store(path)
        below = files_below(path, closed=lambda name: name.endswith(".zarr"))
        found += (
            [path]
            if whole
            else sorted(
                each for each in below if each.suffix == ".zarr" or is_series_name(each.name)
            )
        )
    if not found:
        raise AirshedError(
            "no file of a gridded series was found",
            where=given,
            expected="NetCDF files (.nc, .nc4, .cdf, .ncf), zips of them, or folders *.zarr",
            hint="set dataset.path to their folder, or to a pattern if their names end otherwise,"
            " such as /data/wrfout_d01_*",
        )
    return found
