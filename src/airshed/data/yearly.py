"""Yearly Zarr stores of the founding project's form, ``data_YYYY_china_masked.zarr``.

One store holds a year of hourly fields on one grid: the eleven hourly variables, lat2d, lon2d,
elevation and population, each with or without a time axis; cells outside China are missing. The
stores may lack a time coordinate: then they hold every hour of their year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.data.archives import size_and_time
from airshed.data.problems import STOP, Problems, passing
from airshed.data.rawhour import NEEDED, Contents, Stored, by_canonical_name
from airshed.errors import AirshedError
from airshed.variables import HOURLY, STATIC

Floats = npt.NDArray[np.floating[Any]]
STORE_NAME = re.compile(r"data_(\d{4})_china_masked\.zarr")


@dataclass(frozen=True)
class Store:
    """A yearly store that is open.

    Attributes:
        path: Where it is.
        content: As it is stored.
        names: What it calls each canonical variable.
        axis: The dimension that is time.
        times: Its hours by its own clock, increasing.
        rows: Where each of them is on that axis.
    """

    path: Path
    content: xr.Dataset
    names: dict[str, str]
    axis: str
    times: pd.DatetimeIndex
    rows: npt.NDArray[np.intp]

    @property
    def stamped(self) -> bool:
        """Whether its hours have time stamps; else they are counted from the start of its year."""
        return self.axis in self.content.coords

    def described(self) -> list[Stored]:
        """Every variable, without values."""
        return [
            Stored(str(name), tuple(map(str, each.dims)), each.shape, str(each.dtype), units)
            for name, each in self.content.variables.items()
            for units in [each.attrs.get("units")]
        ]

    def read(
        self,
        name: str,
        stored: Stored,
        rows: slice | npt.NDArray[np.intp],
        units: Mapping[str, str],
    ) -> None:
        """Read some hours of a variable, in canonical units; the first one of one that is still.

        Raises:
            AirshedError: Its unit is unknown or wrong, or it is no field of rows and columns.
        """
        field, still = self.content[stored.stored_as], name in STATIC
        if self.axis in field.dims:
            field = field.isel({self.axis: 0 if still else rows})
        if still and field.ndim != 2:
            raise _wrong_dimensions(self.path, name, field, "rows and columns")
        stored.values = field.values.astype(np.float64 if still else np.float32)
        stored.convert(name, units, str(self.path))

    def contents(
        self,
        rows: slice | npt.NDArray[np.intp],
        units: Mapping[str, str],
        problems: Problems = STOP,
        names: tuple[str, ...] = NEEDED,
    ) -> Contents:
        """What some hours hold: fields [T, Y, X], those that do not change [Y, X]."""
        found = Contents(self.described())
        by_name = {each.stored_as: each for each in found.variables}
        stored = {name: by_name[self.names[name]] for name in names if name in self.names}
        for name in passing(
            problems, stored, lambda name: self.read(name, stored[name], rows, units)
        ):
            found.accept(name, stored[name])
        return found


class _Rows:
    """The hours of a day in a store, all of which are read when the first is asked for."""

    def __init__(self, store: Store, start: pd.Timestamp, units: Mapping[str, str]) -> None:
        first, stop = store.times.searchsorted([start, start + pd.Timedelta(days=1)]).tolist()
        self.times = store.times[first:stop]
        self.store, self.units = store, units
        self._rows = store.rows[first:stop]
        self._contents: Contents | None = None

    def contents(self, problems: Problems, names: tuple[str, ...]) -> Contents:
        """Of all hours."""
        if self._contents is None:
            rows = self._rows
            at_once = slice(int(rows[0]), int(rows[-1]) + 1) if (np.diff(rows) == 1).all() else rows
            self._contents = self.store.contents(at_once, self.units, problems, names)
        return self._contents


@dataclass(frozen=True)
class YearlyHour:
    """One hour of a store."""

    time_utc: datetime
    where: str
    number: int
    of_day: _Rows

    def read(self, problems: Problems = STOP, names: tuple[str, ...] = NEEDED) -> Contents:
        """Take the hour out of its day."""

        def own(values: Floats) -> Floats:
            return values[self.number] if values.ndim == 3 else values

        day = self.of_day.contents(problems, names)
        variables = [
            each if each.values is None else replace(each, values=own(each.values))
            for each in day.variables
        ]
        return Contents(variables, {name: own(values) for name, values in day.fields.items()})


@dataclass(frozen=True)
class YearlyDay:
    """A day of stores whose clock is ahead by some hours: of UTC, or of itself by none."""

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

    def hours(self, problems: Problems = STOP) -> Iterator[YearlyHour]:
        """Each hour that is there."""
        for path in (self.source.stores[year] for year in self.years):
            with problems:
                day = _Rows(open_store(path, problems), self.start, self.source.units)
                for number, time in enumerate(day.times):
                    time_utc = (time - pd.Timedelta(hours=self.ahead_h)).to_pydatetime()
                    yield YearlyHour(time_utc, f"{path}, {time}", number, day)


def find_stores(folder: Path) -> dict[int, Path]:
    """The stores in a folder, by year.

    Raises:
        AirshedError: There is none.
    """
    names = {path: STORE_NAME.fullmatch(path.name) for path in sorted(folder.iterdir())}
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
    """Yearly stores by year, and what a study says of them."""

    stores: dict[int, Path]
    utc_offset_h: float
    units: dict[str, str]

    @cached_property
    def states(self) -> dict[int, list[int]]:
        """Of each year's store: how many files it has, their size, and the newest one's time."""
        states = {}
        for year, path in self.stores.items():
            files = [size_and_time(file) for file in path.rglob("*") if file.is_file()]
            newest = max((time_ns for _, time_ns in files), default=0)
            states[year] = [len(files), sum(size for size, _ in files), newest]
        return states

    def span(self) -> str:
        """The years that are there."""
        return f"stores of {', '.join(map(str, self.stores))}"

    def day(self, day: date) -> YearlyDay:
        """What one UTC day needs."""
        return YearlyDay(day, self, self.utc_offset_h)

    def day_by_name(self, day: date) -> YearlyDay:
        """What a day by the stores' own clock needs; times are by that clock."""
        return YearlyDay(day, self, 0)


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


def open_store(path: Path, problems: Problems = STOP) -> Store:
    """A yearly store, its variables and hours.

    Raises:
        AirshedError: It cannot be read, lacks a variable, or its hours cannot be told, unless
            problems are noted.
    """
    content = _content(path)
    names = by_canonical_name(map(str, content.variables), str(path), problems)
    with problems:
        _refuse_lacking(content, names, path)
    hourly = [name for name in HOURLY if name in names]
    deep = [str(content[names[name]].dims[0]) for name in hourly if content[names[name]].ndim == 3]
    axis = deep[0] if deep else "time"

    def check(name: str) -> None:
        field = content[names[name]]
        if field.ndim != 3 or field.dims[0] != axis:
            raise _wrong_dimensions(path, name, field, "time, rows and columns")

    right = passing(problems, hourly, check)
    names = {name: names[name] for name in names if name in right or name not in hourly}
    times, rows = np.unique(_times(content, axis, path, problems), return_index=True)
    return Store(path, content, names, axis, pd.DatetimeIndex(times), rows)


def _refuse_lacking(content: xr.Dataset, names: Mapping[str, str], path: Path) -> None:
    lacking = [name for name in (*HOURLY, *STATIC) if name not in names]
    if lacking:
        raise AirshedError(
            "a yearly store lacks a variable",
            where=path,
            expected=", ".join(lacking),
            found=", ".join(map(str, content.variables)),
            hint="aliases of names are listed in src/airshed/variables.py",
        )


def _wrong_dimensions(path: Path, name: str, field: xr.DataArray, expected: str) -> AirshedError:
    return AirshedError(
        "a variable of a yearly store has the wrong dimensions",
        where=f"{path}, variable {name}",
        expected=expected,
        found=f"{field.dims} of sizes {field.shape}",
    )


def _times(content: xr.Dataset, axis: str, path: Path, problems: Problems) -> pd.DatetimeIndex:
    """The hours of a store: its own time coordinate, or every hour of its year."""
    if axis in content.coords and np.issubdtype(content[axis].dtype, np.datetime64):
        times = pd.DatetimeIndex(content[axis].values).round("h")
        with problems:
            if not times.is_monotonic_increasing or times.has_duplicates:
                raise AirshedError(
                    "the hours of a yearly store are out of order or there twice",
                    where=f"{path}, {axis}",
                    expected="increasing time stamps",
                    found=f"{int(times.duplicated().sum())} there twice",
                    hint="sort it and drop what is there twice",
                )
        return times
    hours, match = content.sizes.get(axis, 0), STORE_NAME.fullmatch(path.name)
    start = datetime(int(match[1]) if match else 2001, 1, 1)
    expected = (start.replace(year=start.year + 1) - start) // timedelta(hours=1)
    with problems:
        if hours != expected:
            raise AirshedError(
                "a yearly store has no time stamps, and not every hour of its year",
                where=path,
                expected=f"{expected} hours, or a time coordinate",
                found=f"{hours} hours",
                hint="add a CF time coordinate to the store",
            )
    return pd.date_range(start, periods=hours, freq="h")
