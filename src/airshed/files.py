"""Finding files."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from airshed.errors import AirshedError

SERIES_ENDS = (".nc", ".nc3", ".nc4", ".cdf", ".ncf", ".netcdf", ".zip")
ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


def files_below(folder: Path, closed: Callable[[str], bool] = lambda name: False) -> Iterator[Path]:
    """Every file below a folder, folder by folder in the order of their names.

    Links to folders are followed; what several links lead to comes once, so that a circle ends.

    Args:
        folder: Where to look.
        closed: Whether a folder of this name is returned itself instead of the files in it.
    """
    seen: set[tuple[int, int]] = set()
    for where, folders, names in os.walk(folder, onerror=_refuse_denied, followlinks=True):
        stat = Path(where).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        yield from (Path(where, name) for name in sorted(folders) if closed(name))
        folders[:] = sorted(name for name in folders if not closed(name))
        yield from (path for name in sorted(names) if (path := Path(where, name)).is_file())


def _refuse_denied(error: OSError) -> None:
    """Do not skip a folder that may not be read."""
    if isinstance(error, PermissionError):
        raise unreadable(Path(error.filename), error) from error


def size_and_time(path: Path) -> tuple[int, int]:
    """Bytes of a file, and when it was changed, ns since 1970.

    Raises:
        AirshedError: It is gone.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return stat.st_size, stat.st_mtime_ns


def unreadable(path: Path, error: OSError) -> AirshedError:
    """The problem with a user's file that cannot be read."""
    return AirshedError(
        "a file cannot be read",
        where=path,
        found=error.strerror,
        hint="leave files where they are until they are read, or run it again",
    )


def benchmark_seconds(path: Path) -> float | None:
    """Seconds that a job took, from the benchmark file that Snakemake wrote; None without one."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None


def folder_state(folder: Path) -> tuple[int, int, int]:
    """How many files a folder has, their bytes, and the newest one's time, ns since 1970."""
    files = [size_and_time(file) for file in files_below(folder)]
    newest = max((time_ns for _, time_ns in files), default=0)
    return len(files), sum(size for size, _ in files), newest


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
