"""Raw archives: finding the days of a period and streaming the hours of each.

A day is one archive (``.tar.gz``, ``.tar``, ``.zip``) or loose hourly files, in month folders or
not. Nothing is unpacked to disk.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath

from airshed.data.members import MAX_MEMBER_BYTES, read_members
from airshed.data.problems import STOP, Problems
from airshed.errors import AirshedError
from airshed.files import files_below, is_apple_double, size_and_time, unreadable

HOUR_NAME = re.compile(r"CN-Reanalysis(\d{10})\.nc$")
DAY_NAME = re.compile(r"CN-Reanalysis(\d{8})(\.tar\.gz|\.tgz|\.tar|\.zip)$")

log = logging.getLogger(__name__)

Files = tuple[Path, ...]
"""Where a day's hours are: one archive, or loose files."""


def find_days(
    path: Path, repeated_days: bool = False, problems: Problems = STOP
) -> dict[date, Files]:
    """The sources of every day below a folder, or in a file, days as the file names give them.

    Args:
        path: Where the archives or hourly files are, in subfolders or not.
        repeated_days: Whether a day may have several archives; its hours then come from each. If
            not, and problems are noted, the first one is used.
        problems: Takes names without a time, and repeated days.

    Raises:
        AirshedError: A name holds no time, or a day has several archives.
    """
    archives: dict[date, list[Path]] = defaultdict(list)
    loose: dict[date, list[Path]] = defaultdict(list)
    beside: list[Path] = []
    for file in [path] if path.is_file() else files_below(path):
        with problems:
            if match := DAY_NAME.fullmatch(file.name):
                archives[_parsed(match[1], "%Y%m%d", file).date()].append(file)
            elif match := HOUR_NAME.fullmatch(file.name):
                loose[_parsed(match[1], "%Y%m%d%H", file).date()].append(file)
            elif is_apple_double(str(file)):
                beside.append(file)
    if beside:
        log.warning("skipped %d files that macOS wrote, such as %s", len(beside), beside[0])
    days = {day: (*archives.get(day, ()), *loose.get(day, ())) for day in (*archives, *loose)}
    for day in () if repeated_days else archives:
        with problems:
            _refuse_several(day, days[day])
        days[day] = days[day][:1]
    return dict(sorted(days.items()))


def _refuse_several(day: date, paths: Files) -> None:
    if len(paths) > 1:
        raise AirshedError(
            "a day is there more than once",
            where=f"{day:%Y-%m-%d}",
            found=", ".join(map(str, paths)),
            hint="remove all but one, or set dataset.quality.duplicate_hours to mask",
        )


def nothing_found(path: Path) -> AirshedError:
    """The problem of a folder without raw files."""
    return AirshedError(
        "no raw archives were found",
        where=path,
        expected="files such as 201501/CN-Reanalysis20150101.tar.gz",
        hint="set dataset.path to the folder that holds the archives; of other NetCDF or Zarr"
        " series, dataset.source to gridded",
    )


def _parsed(text: str, form: str, path: Path) -> datetime:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        raise AirshedError(
            "a file name holds no valid time",
            where=path,
            expected="CN-ReanalysisYYYYMMDD or CN-ReanalysisYYYYMMDDHH, hours from 00 to 23",
            found=text,
            hint="rename the file, or move it away",
        ) from None


def is_hour(name: str) -> bool:
    """Whether a member of an archive is an hourly file, by its whole base name.

    ``._CN-Reanalysis2015010100.nc``, which macOS puts beside each file, is not.
    """
    return HOUR_NAME.fullmatch(PurePosixPath(name.replace("\\", "/")).name) is not None


def hour_of(name: str) -> datetime:
    """The hour in the name of an hourly file, by the file's clock.

    Raises:
        AirshedError: It is none, as 2015022900.
    """
    match = HOUR_NAME.search(name)
    return _parsed(match[1] if match else name, "%Y%m%d%H", Path(name))


def archive_days(day: date, utc_offset_h: float) -> list[date]:
    """The days by the files' clock that contain hours of a UTC day."""
    start = datetime.combine(day, datetime.min.time()) + timedelta(hours=utc_offset_h)
    return sorted({start.date(), (start + timedelta(hours=23)).date()})


def hours_of(path: Path, day: date) -> Iterator[tuple[datetime, str, bytes]]:
    """Time by the file's clock, name for messages and content of the hourly files of a day's path.

    An hour that is there twice comes twice.

    Raises:
        AirshedError: An archive is damaged or unsafe, or holds no hour of its day.
    """
    own = False
    for name, content in _files_of(path):
        stamp = hour_of(name)
        own = own or stamp.date() == day
        yield stamp, name, content
    if not own:
        raise AirshedError(
            "an archive holds no hour of the day that is in its name",
            where=path,
            expected=f"files such as CN-Reanalysis{day:%Y%m%d}00.nc",
            found="other names, or none",
            hint="list its names (tar -tf, unzip -l); rename it, or remove it to treat its hours"
            " as missing",
        )


def _files_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name for messages and content of the hourly files of an archive, or of a loose one."""
    if path.suffix != ".nc":
        others: list[str] = []

        def wanted(name: str) -> bool:
            if not is_hour(name):
                others.append(name)
            return is_hour(name)

        for name, content in read_members(path, wanted):
            yield f"{path}:{name}", content
        if others:
            log.warning("%s: skipped %d other files, such as %s", path, len(others), others[0])
        return
    try:
        size, _ = size_and_time(path)
        if size > MAX_MEMBER_BYTES:
            raise AirshedError(
                "a file is too large for an hourly file",
                where=path,
                expected=f"at most {MAX_MEMBER_BYTES:,} bytes",
                found=f"{size:,} bytes",
            )
        yield str(path), path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
