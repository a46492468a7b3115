"""Yearly Zarr stores of the founding project's form, ``data_YYYY_china_masked.zarr``.

One store holds a year of fields on one grid: the hourly variables of the dataset, lat2d, lon2d,
elevation and population, each with or without a time axis; cells outside China are missing. The
stores may lack a time coordinate: then they hold every hour of their year.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.data.problems import STOP, Problems, passing
from airshed.data.rawhour import (
    Contents,
    Hour,
    choose_variables,
    convert_all,
    described,
    of_mixing_ratios,
    with_air,
)
from airshed.errors import AirshedError
from airshed.files import folder_state
from airshed.variables import STATIC, Quantities

STORE_NAME = re.compile(r"data_(\d{4})_china_masked\.zarr")


@dataclass(frozen=True)
class Store:
    """A yearly store that is open.

    Attributes:
        path: Where it is.
        content: The stored data, with hours in order.
        names: Name in the store of each canonical variable.
        axis: The dimension that is time.
        times: Its hours by its own clock, in the order of that dimension, which is increasing.
        quantities: What the dataset knows.
    """

    path: Path
    content: xr.Dataset
    names: dict[str, str]
    axis: str
    times: pd.DatetimeIndex
    quantities: Quantities

    @property
    def clock(self) -> str:
        """Where its hours are taken from, for messages."""
        stamped = _stamped(self.content, self.axis)
        return "the store's time axis" if stamped else "counted from the start of its year"

    def read(self, hours: slice, problems: Problems, names: tuple[str, ...]) -> Contents:
        """Description of all variables, fields of some hours [T, Y, X], static ones [Y, X]."""
        known = self.quantities.canonical_name
        variables = _content(self.path).variables.items()
        found = Contents([described(str(n), each, known(str(n))) for n, each in variables])
        stored = {each.stored_as: each for each in found.variables}

        there = {name: stored[each] for name, each in self.names.items()}
        needed = [name for name in with_air(names, there, self.quantities) if name in there]

        def read(name: str) -> None:
            there[name].values = self._values(name, hours)

        right = passing(problems, needed, read)
        converted = convert_all(there, right, self.quantities, str(self.path), problems)
        found.fields = {name: converted[name] for name in converted if name in names}
        return found

    def _values(self, name: str, hours: slice) -> Any:
        """Fields of some hours; the first one of a static variable."""
        field, static = self.content[self.names[name]], name in STATIC
        if self.axis in field.dims:
            field = field.isel({self.axis: 0 if static else hours})
        _check_dimensions(self.path, name, field, 2 if static else 3)
        return field.values.astype(np.float64 if static else np.float32)


@dataclass(frozen=True)
class YearlyDay:
    """A day of stores whose clock is ``ahead_h`` hours ahead of that of the day."""

    on: date
    source: YearlyStores
    ahead_h: float

    @property
    def start(self) -> pd.Timestamp:
        """First hour of the day, by the stores' clock."""
        return pd.Timestamp(self.on) + pd.Timedelta(hours=self.ahead_h)

    @property
    def years(self) -> list[int]:
        """Years by the stores' clock that hold hours of the day, of those that are there."""
        last = self.start + pd.Timedelta(hours=23)
        return sorted({self.start.year, last.year} & set(self.source.stores))

    def fingerprint(self) -> list[Any]:
        """Path and state of every store that holds hours of the day."""
        source = self.source
        return [[str(source.stores[year]), *source.states[year]] for year in self.years]

    def checksums(self) -> dict[str, str]:
        """None: a store holds a whole year, and is hashed once at the end."""
        return {}

    def hours(self, problems: Problems = STOP) -> Iterator[Hour]:
        """Each hour that is there; those of one store are read together with the first."""
        for path in (self.source.stores[year] for year in self.years):
            with problems:
                store = open_store(path, self.source.quantities, problems)
                ends = [self.start, self.start + pd.Timedelta(days=1)]
                rows = slice(*store.times.searchsorted(ends).tolist())
                read = _read_together(partial(store.read, rows))
                for number, time in enumerate(store.times[rows]):
                    time_utc = (time - pd.Timedelta(hours=self.ahead_h)).to_pydatetime()
                    where, of_hour = f"{path}, {time}", partial(read, number)
                    yield Hour(time_utc, where, of_hour, self.source.quantities)


def _read_together(
    read: Callable[[Problems, tuple[str, ...]], Contents],
) -> Callable[[int, Problems, tuple[str, ...]], Contents]:
    """A function that returns one of several hours, all of which its first call reads."""
    buffer: list[Contents] = []

    def hour(number: int, problems: Problems, names: tuple[str, ...]) -> Contents:
        if not buffer:
            buffer.append(read(problems, names))
        return buffer[0].at(number)

    return hour


def find_stores(folder: Path) -> dict[int, Path]:
    """The stores in a folder, by year.

    Raises:
        AirshedError: There is none.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    names = {path: STORE_NAME.fullmatch(path.name) for path in paths}
    stores = {int(match[1]): path for path, match in names.items() if match}
    if not stores:
        raise AirshedError(
            "no yearly store was found",
            where=folder,
            expected="folders such as data_2013_china_masked.zarr",
            hint="set dataset.path to the folder that holds them",
        )
    return stores


@dataclass(frozen=True)
class YearlyStores:
    """Yearly stores by year, their clock and quantities."""

    stores: dict[int, Path]
    utc_offset_h: float
    quantities: Quantities

    @cached_property
    def states(self) -> dict[int, tuple[int, int, int]]:
        """Of each year's store, see :func:`airshed.files.folder_state`."""
        return {year: folder_state(path) for year, path in self.stores.items()}

    def span(self) -> str:
        """The years that are there."""
        return f"stores of {', '.join(map(str, self.stores))}"

    def day(self, day: date) -> YearlyDay:
        """What one UTC day needs."""
        return YearlyDay(day, self, self.utc_offset_h)

    def day_by_name(self, day: date) -> YearlyDay:
        """A day by the stores' own clock; its times are by that clock too."""
        return YearlyDay(day, self, 0)

    def conversions(self) -> dict[str, str]:
        """Conversions of mixing ratios, as in the first hour."""
        first = open_store(self.stores[min(self.stores)], self.quantities).times[0]
        return of_mixing_ratios(next(self.day_by_name(first.date()).hours()))


@lru_cache(maxsize=4)
def _content(path: Path) -> xr.Dataset:
    try:
        return xr.open_zarr(path, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        raise AirshedError(
            "a yearly store cannot be opened",
            where=path,
            found=f"{type(error).__name__}: {error}",
            hint="fetch it again, or move it away",
        ) from error


def open_store(path: Path, quantities: Quantities, problems: Problems = STOP) -> Store:
    """A yearly store, its variables and hours.

    Raises:
        AirshedError: It cannot be read, lacks a variable, or its hours are not clear, unless
            problems are noted.
    """
    content, there = _content(path), map(str, _content(path).variables)
    needed = (*quantities.hourly, *STATIC)
    names = choose_variables(there, needed, path, quantities, problems, "yearly store")
    hourly = [name for name in quantities.hourly if name in names]

    def check(name: str) -> None:
        _check_dimensions(path, name, content[names[name]], 3)

    right = passing(problems, hourly, check)
    names = {name: names[name] for name in names if name in right or name not in hourly}
    axis = str(content[names[right[0]]].dims[0]) if right else ""
    times = _times(content, axis, path)
    with problems:
        _check_times(content, axis, times, path)
    order = np.unique(times, return_index=True)[1]
    if len(order) < len(times) or not times.is_monotonic_increasing:
        content, times = content.isel({axis: order}), times[order]
    return Store(path, content, names, axis, times, quantities)


def _check_dimensions(path: Path, name: str, field: xr.DataArray, number: int) -> None:
    if field.ndim != number:
        raise AirshedError(
            "a variable of a yearly store has the wrong dimensions",
            where=f"{path}, variable {name}",
            expected="time, rows and columns" if number == 3 else "rows and columns",
            found=f"{field.dims} of sizes {field.shape}",
        )


def _times(content: xr.Dataset, axis: str, path: Path) -> pd.DatetimeIndex:
    """The hours of a store: its own time coordinate, or counted from the start of its year."""
    if _stamped(content, axis):
        return pd.DatetimeIndex(content[axis].values).round("h")
    match = STORE_NAME.fullmatch(path.name)
    start = datetime(int(match[1]) if match else 2001, 1, 1)
    return pd.date_range(start, periods=content.sizes.get(axis, 0), freq="h")


def _stamped(content: xr.Dataset, axis: str) -> bool:
    return axis in content.coords and content[axis].dtype.kind == "M"


def _check_times(content: xr.Dataset, axis: str, times: pd.DatetimeIndex, path: Path) -> None:
    """Hours follow each other; without time stamps they are those of a whole year."""
    if not times.is_monotonic_increasing or times.has_duplicates:
        raise AirshedError(
            "the hours of a yearly store are out of order or duplicate",
            where=f"{path}, {axis}",
            expected="increasing time stamps",
            found=f"{int(times.duplicated().sum())} duplicates",
            hint="sort it and drop the duplicates",
        )
    year = times[0].year if len(times) else 2001
    expected = (datetime(year + 1, 1, 1) - datetime(year, 1, 1)) // timedelta(hours=1)
    if not _stamped(content, axis) and len(times) != expected:
        raise AirshedError(
            "a yearly store has no time stamps, and not every hour of its year",
            where=path,
            expected=f"{expected} hours, or a time coordinate",
            found=f"{len(times)} hours",
            hint="add a CF time coordinate to the store",
        )
