"""Raw archives: finding the days of a period and streaming the hours of each.

A day is one archive (``.tar.gz``, ``.tar``, ``.zip``) or loose hourly files, in month folders or
not. Nothing is unpacked to disk.
"""

from __future__ import annotations

import re
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
READ_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)

Source = tuple[Path, ...]
"""Where a day's hours are: one archive, or loose files."""


def find_days(folder: Path) -> dict[date, Source]:
    """The sources of every day below ``folder``, days as the file names give them.

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
        if len(paths) > 1 or day in loose:
            raise AirshedError(
                "a day is there more than once",
                where=f"{day:%Y-%m-%d}",
                found=", ".join(str(path) for path in (*paths, *loose.get(day, []))),
                hint="remove all but one",
            )
    found = {day: tuple(paths) for day, paths in (archives | loose).items()}
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

    Raises:
        AirshedError: An archive is damaged or unsafe, or an hour is there twice.
    """
    seen: set[datetime] = set()
    for file_day in archive_days(day, utc_offset_h):
        for name, content in _members(sources.get(file_day, ())):
            match = HOUR_NAME.search(name)
            if match is None:
                continue
            stamp = _parsed(match[1], "%Y%m%d%H", Path(name))
            time = stamp - timedelta(hours=utc_offset_h)
            if time.date() != day:
                continue
            if time in seen:
                raise AirshedError("an hour is there twice", where=name, found=f"{time} UTC")
            seen.add(time)
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
            if stream := archive.extractfile(member):
                yield f"{path}:{member.name}", stream.read()


def _zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            _refuse_unsafe(path, member.filename, special=False)
            if not member.is_dir():
                yield f"{path}:{member.filename}", archive.read(member)


def _refuse_unsafe(path: Path, member: str, special: bool) -> None:
    name = PurePosixPath(member)
    if special or name.is_absolute() or ".." in name.parts:
        raise AirshedError(
            "an archive holds an unsafe member",
            where=path,
            expected="plain files with relative names",
            found=member,
            hint="do not use this archive; fetch it again from where it was published",
        )
