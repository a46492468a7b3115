"""Raw archives: finding the days of a period and streaming the hours of each.

A day is one archive (``.tar.gz``, ``.tar``, ``.zip``) or loose hourly files, in month folders or
not. Nothing is unpacked to disk.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

from airshed.data.members import MAX_MEMBER_BYTES, read_members
from airshed.errors import AirshedError

HOUR_NAME = re.compile(r"CN-Reanalysis(\d{10})\.nc$")
DAY_NAME = re.compile(r"CN-Reanalysis(\d{8})(\.tar\.gz|\.tgz|\.tar|\.zip)$")

Source = tuple[Path, ...]
"""Where a day's hours are: one archive, or loose files."""


def size_and_time(path: Path) -> tuple[int, int]:
    """Of a raw file: bytes, and when it was changed, ns.

    Raises:
        AirshedError: It is gone.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return stat.st_size, stat.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> AirshedError:
    return AirshedError(
        "a raw file cannot be read",
        where=path,
        found=error.strerror,
        hint="leave raw files where they are until the ingest is done, or run it again",
    )


def find_days(folder: Path, repeated_days: bool = False) -> dict[date, Source]:
    """The sources of every day below ``folder``, days as the file names give them.

    Args:
        folder: Where the archives or hourly files are, in subfolders or not.
        repeated_days: Whether a day may be there more than once; its hours then are, too.

    Raises:
        AirshedError: There is none, or a day is there twice.
    """
    archives: dict[date, list[Path]] = defaultdict(list)
    loose: dict[date, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("CN-Reanalysis*")):
        if path.is_file() and (match := DAY_NAME.fullmatch(path.name)):
            archives[_parsed(match[1], "%Y%m%d", path).date()].append(path)
        elif path.is_file() and (match := HOUR_NAME.fullmatch(path.name)):
            loose[_parsed(match[1], "%Y%m%d%H", path).date()].append(path)
    for day, paths in archives.items():
        if not repeated_days and (len(paths) > 1 or day in loose):
            raise AirshedError(
                "a day is there more than once",
                where=f"{day:%Y-%m-%d}",
                found=", ".join(str(path) for path in (*paths, *loose.get(day, []))),
                hint="remove all but one, or set dataset.quality.duplicate_hours to mask",
            )
    days = sorted({*archives, *loose})
    found = {day: (*archives.get(day, ()), *loose.get(day, ())) for day in days}
    if not found:
        raise AirshedError(
            "no raw archives were found",
            where=folder,
            expected="files such as 201501/CN-Reanalysis20150101.tar.gz",
            hint="set dataset.path to the folder that holds the archives",
        )
    return found


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


def hour_of(name: str) -> datetime:
    """The hour in the name of an hourly file, by the file's clock.

    Raises:
        AirshedError: It is none, as 2015022900.
    """
    match = HOUR_NAME.search(name)
    return _parsed(match[1] if match else name, "%Y%m%d%H", Path(name))


def archive_days(day: date, utc_offset_h: float) -> list[date]:
    """Days by the files' clock that hold hours of a UTC day."""
    start = datetime.combine(day, datetime.min.time()) + timedelta(hours=utc_offset_h)
    return sorted({start.date(), (start + timedelta(hours=23)).date()})


def hours(
    sources: Mapping[date, Source], day: date, utc_offset_h: float
) -> Iterator[tuple[datetime, str, bytes]]:
    """UTC time, name for messages and content of each hourly file of one UTC day.

    An hour that is there twice comes twice.

    Raises:
        AirshedError: An archive is damaged or unsafe, or holds no hour of its day.
    """
    for file_day in archive_days(day, utc_offset_h):
        for path in sources.get(file_day, ()):
            own = False
            for name, content in _hours_of(path):
                stamp = hour_of(name)
                own = own or stamp.date() == file_day
                time = stamp - timedelta(hours=utc_offset_h)
                if time.date() == day:
                    yield time, name, content
            if not own:
                raise _without_its_day(path, file_day)


def _without_its_day(path: Path, day: date) -> AirshedError:
    return AirshedError(
        "an archive holds no hour of the day that is in its name",
        where=path,
        expected=f"files such as CN-Reanalysis{day:%Y%m%d}00.nc",
        found="other names, or none",
        hint="look at its names (tar -tf, unzip -l); rename it, or remove it to treat its hours as"
        " missing",
    )


def _hours_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name for messages and content of the hourly files of an archive, or of a loose one."""
    if path.suffix != ".nc":
        for name, content in read_members(path, lambda name: bool(HOUR_NAME.search(name))):
            yield f"{path}:{name}", content
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
        raise _unreadable(path, error) from error
