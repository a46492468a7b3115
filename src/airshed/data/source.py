"""Where raw hours come from: archives of hourly files, or yearly Zarr stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from airshed.config.data import DatasetConfig
from airshed.data.archives import Source as Files
from airshed.data.archives import archive_days, find_days, hours, size_and_time
from airshed.data.rawfile import Clock, RawHour, read_raw_hour
from airshed.data.yearly import YearlyStores
from airshed.errors import AirshedError

Floats = npt.NDArray[np.floating[Any]]


class Source(Protocol):
    """Raw hours of a dataset."""

    def span(self) -> str:
        """What the source holds, for messages."""

    def day(self, day: date) -> DaySource:
        """The part of the source that one day needs; it can be sent to another process."""


class DaySource(Protocol):
    """Raw hours of one UTC day."""

    def fingerprint(self) -> list[Any]:
        """Names, sizes and times of the files, as plain values: another list, other data."""

    def hours(self) -> Iterator[tuple[datetime, str, RawHour]]:
        """UTC time, name for messages and content; an hour that is there twice comes twice."""


@dataclass(frozen=True)
class ArchiveDay:
    """The archives or hourly files that hold a UTC day."""

    date_utc: date
    files: dict[date, Files]
    utc_offset_h: float
    units: dict[str, str]

    def fingerprint(self) -> list[Any]:
        """Path, size and time of every file."""
        paths = [path for day in sorted(self.files) for path in self.files[day]]
        return [[str(path), *size_and_time(path)] for path in paths]

    def hours(self) -> Iterator[tuple[datetime, str, RawHour]]:
        """UTC time, name for messages and content of each hour."""
        for time, where, content in hours(self.files, self.date_utc, self.utc_offset_h):
            clock = Clock(time, self.utc_offset_h)
            yield time, where, read_raw_hour(content, where, self.units, clock)


class Archives:
    """Archives in CAQRA's form below one folder."""

    def __init__(self, dataset: DatasetConfig, folder: Path) -> None:
        self.dataset = dataset
        self.files = find_days(folder, dataset.quality.duplicate_hours == "mask")

    def span(self) -> str:
        """First and last day that are there."""
        return f"archives of {min(self.files)} to {max(self.files)}"

    def day(self, day: date) -> ArchiveDay:
        """The files that one UTC day needs."""
        offset = self.dataset.utc_offset_h
        files = {each: self.files[each] for each in archive_days(day, offset) if each in self.files}
        return ArchiveDay(day, files, offset, dict(self.dataset.units))


def open_source(dataset: DatasetConfig, folder: Path) -> Source:
    """The raw hours of a dataset.

    Raises:
        AirshedError: The folder holds none.
    """
    if dataset.source == "yearly_zarr":
        return YearlyStores(dataset, folder)
    return Archives(dataset, folder)


def first_hour(source: Source, dataset: DatasetConfig) -> tuple[str, RawHour]:
    """Name and content of the first hour of the period; it defines the native grid.

    Raises:
        AirshedError: The source holds no hour of the period.
    """
    for day in dataset.period.days:
        for _, where, hour in source.day(day).hours():
            return where, hour
    raise AirshedError(
        "no hour of the period was found",
        where=f"dataset.period ({dataset.period})",
        found=source.span(),
        hint="correct dataset.period or dataset.path",
    )
