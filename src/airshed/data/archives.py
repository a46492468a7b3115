"""Raw archives: finding the days of a period and streaming the hours of each.

A day is one archive (``.tar.gz``, ``.tar``, ``.zip``) or loose hourly files, in month folders or
not. Nothing is unpacked to disk.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath

from airshed.errors import AirshedError

HOUR_NAME = re.compile(r"CN-Reanalysis(\d{10})\.nc$")
DAY_NAME = re.compile(r"CN-Reanalysis(\d{8})(\.tar\.gz|\.tgz|\.tar|\.zip)$")
MAX_MEMBER_BYTES = 2**30  # an hour of the full grid takes 8 MB; more is a bomb
READ_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)

Source = tuple[Path, ...]
"""Where a day's hours are: one archive, or loose files."""


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
        raise AirshedError("a file name holds no valid time", where=path, found=text) from None


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
        AirshedError: An archive is damaged or unsafe.
    """
    for file_day in archive_days(day, utc_offset_h):
        for name, content in _members(sources.get(file_day, ())):
            match = HOUR_NAME.search(name)
            if match is None:
                continue
            stamp = _parsed(match[1], "%Y%m%d%H", Path(name))
            time = stamp - timedelta(hours=utc_offset_h)
            if time.date() == day:
                yield time, name, content


def _members(source: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for path in source:
        try:
            if path.suffix == ".nc":
                yield str(path), path.read_bytes()
            elif path.suffix == ".zip":
                yield from _zip_members(path)
            else:
                yield from _tar_members(path)
        except READ_ERRORS as error:
            raise AirshedError(
                "an archive is damaged or cannot be read",
                where=path,
                expected="a complete archive of hourly NetCDF files",
                found=f"{type(error).__name__}: {error}",
                hint="fetch the archive again, or remove it to treat its hours as missing",
            ) from error


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            _refuse_unsafe(path, member.name, special=not (member.isfile() or member.isdir()))
            _refuse_large(path, member.name, member.size)
            if stream := archive.extractfile(member):
                yield f"{path}:{member.name}", stream.read()


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            link = stat.S_ISLNK(member.external_attr >> 16)
            _refuse_unsafe(path, member.filename, special=link)
            _refuse_large(path, member.filename, member.file_size)
            if not member.is_dir():
                yield f"{path}:{member.filename}", archive.read(member)


def _refuse_unsafe(path: Path, member: str, special: bool) -> None:
    name = PurePosixPath(member.replace("\\", "/"))
    if special or name.is_absolute() or ".." in name.parts:
        raise AirshedError(
            "an archive holds an unsafe member",
            where=path,
            expected="plain files with relative names",
            found=member,
            hint="do not use this archive; fetch it again from where it was published",
        )


def _refuse_large(path: Path, member: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise AirshedError(
            "an archive holds a member that is too large for an hourly file",
            where=f"{path}:{member}",
            expected=f"at most {MAX_MEMBER_BYTES:,} bytes",
            found=f"{size:,} bytes",
        )
