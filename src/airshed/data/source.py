"""Where raw hours come from: archives of hourly files, yearly Zarr stores, or gridded series.

A source of another form is one more class that fits the protocols below, and a branch of
:func:`open_source`, which the ingest and forecasts call, and of ``inspect_path``, for ``airshed
inspect``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from airshed.config.data import DatasetConfig
from airshed.data.archives import (
    Files,
    archive_days,
    find_days,
    hours_of,
    nothing_found,
)
from airshed.data.gridded.series import open_series
from airshed.data.problems import STOP, Problems
from airshed.data.rawfile import Clock, read_contents
from airshed.data.rawhour import Hour, RawHour, as_hour, of_mixing_ratios
from airshed.data.yearly import YearlyStores, find_stores
from airshed.errors import AirshedError
from airshed.files import size_and_time
from airshed.integrity.provenance import sha256
from airshed.variables import Quantities


class Source(Protocol):
    """Raw hours of a dataset."""

    def span(self) -> str:
        """What the source holds, for messages."""

    def day(self, day: date) -> DaySource:
        """The part of the source that one UTC day needs; it can be sent to another process."""

    def day_by_name(self, day: date) -> DaySource:
        """All hours of a day by the files' own clock."""

    def conversions(self) -> dict[str, str]:
        """In words, how quantities are made from variables of other names, units or kinds."""


class DaySource(Protocol):
    """Raw hours of one day."""

    def fingerprint(self) -> list[Any]:
        """Names, sizes and times of the files, as plain values; it changes with the data."""

    def checksums(self) -> dict[str, str]:
        """Checksums by path, of files with hours of this day and few others."""

    def hours(self, problems: Problems = STOP) -> Iterator[Hour]:
        """Each hour; a duplicate hour comes twice.

        Raises:
            AirshedError: A file is damaged or holds other hours, unless problems are noted.
        """


@dataclass(frozen=True)
class ArchiveDay:
    """The archives or hourly files that hold a day: a UTC day, or one by the names of files."""

    on: date
    files: dict[date, Files]
    utc_offset_h: float | None
    quantities: Quantities
    by_name: bool = False

    def fingerprint(self) -> list[Any]:
        """Path, size and time of every file."""
        paths = [path for day in sorted(self.files) for path in self.files[day]]
        return [[str(path), *size_and_time(path)] for path in paths]

    def checksums(self) -> dict[str, str]:
        """Of every file; it was read just before, so that this costs no second reading."""
        return {str(path): sha256(path) for paths in self.files.values() for path in paths}

    def hours(self, problems: Problems = STOP) -> Iterator[Hour]:
        """Each hour, with the content of its file; a problem ends the reading of that file."""
        ahead = timedelta(hours=self.utc_offset_h or 0)
        for day, paths in sorted(self.files.items()):
            for path in paths:
                with problems:
                    for stamp, where, content in hours_of(path, day):
                        time_utc = stamp - ahead
                        if (stamp if self.by_name else time_utc).date() == self.on:
                            clock = self._clock(time_utc)
                            read = partial(read_contents, content, where, self.quantities, clock)
                            yield Hour(time_utc, where, read, self.quantities)

    def _clock(self, time_utc: datetime) -> Clock | None:
        return None if self.utc_offset_h is None else Clock(time_utc, self.utc_offset_h)


@dataclass(frozen=True)
class Archives:
    """Archives in CAQRA's form: the files of each day, their clock and quantities."""

    files: dict[date, Files]
    utc_offset_h: float | None
    quantities: Quantities

    def span(self) -> str:
        """First and last day that are there."""
        return f"archives of {min(self.files)} to {max(self.files)}"

    def day(self, day: date) -> ArchiveDay:
        """The files that one UTC day needs."""
        days = archive_days(day, self.utc_offset_h or 0)
        files = {each: self.files[each] for each in days if each in self.files}
        return ArchiveDay(day, files, self.utc_offset_h, self.quantities)

    def day_by_name(self, day: date) -> ArchiveDay:
        """The files with a day in their names, and those of their hours with it."""
        return ArchiveDay(
            day, {day: self.files[day]}, self.utc_offset_h, self.quantities, by_name=True
        )

    def conversions(self) -> dict[str, str]:
        """Conversions of mixing ratios, as in the first hour."""
        first = self.day_by_name(min(self.files))
        return of_mixing_ratios(next(first.hours()))


def open_source(dataset: DatasetConfig, folder: Path) -> Source:
    """The raw hours of a dataset.

    Raises:
        AirshedError: There are none.
    """
    if dataset.source == "gridded":
        return open_series(dataset, str(folder))
    offset_h, quantities = dataset.utc_offset_h, dataset.quantities
    if dataset.source == "yearly_zarr":
        return YearlyStores(find_stores(folder), offset_h, quantities)
    files = find_days(folder, dataset.quality.duplicate_hours == "mask")
    if not files:
        raise nothing_found(folder)
    return Archives(files, offset_h, quantities)


def first_hour(source: Source, dataset: DatasetConfig) -> tuple[str, RawHour]:
    """Name and content of the first hour of the period; it defines the native grid.

    Raises:
        AirshedError: The source holds no hour of the period.
    """
    for day in dataset.period.days:
        for hour in source.day(day).hours():
            return hour.where, as_hour(hour.read(), hour.quantities.hourly, hour.where)
    raise AirshedError(
        "no hour of the period was found",
        where=f"dataset.period ({dataset.period})",
        found=source.span(),
        hint="correct dataset.period or dataset.path",
    )


def hours_missing(where: str, found: str) -> AirshedError:
    """The problem of missing hours where the study needs every one."""
    return AirshedError(
        "hours are missing",
        where=where,
        expected="every hour of the period (dataset.quality.missing_hours: refuse)",
        found=found,
        hint="fetch the missing files, or set dataset.quality.missing_hours to mask",
    )


def duplicate_hour(where: str, time: str) -> AirshedError:
    """The problem of a duplicate hour."""
    return AirshedError(
        "an hour is there twice",
        where=where,
        found=time,
        hint="remove one of them, or set dataset.quality.duplicate_hours to mask",
    )
