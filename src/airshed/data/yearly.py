"""Yearly Zarr stores of the founding project's form, ``data_YYYY_china_masked.zarr``.

One store holds a year of hourly fields on one grid: the eleven hourly variables, lat2d, lon2d,
elevation and population, each with or without a time axis; cells outside China are missing. The
stores may lack a time coordinate: then they hold every hour of their year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.archives import size_and_time
from airshed.data.rawfile import RawHour, by_canonical_name
from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.variables import HOURLY, STATIC, VARIABLES

Floats = npt.NDArray[np.floating[Any]]
STORE_NAME = re.compile(r"data_(\d{4})_china_masked\.zarr")
TIME = "time"


@dataclass(frozen=True)
class YearlyDay:
    """A UTC day, and the stores that hold its hours."""

    date_utc: date
    stores: dict[int, Path]
    states: dict[int, list[int]]
    utc_offset_h: float
    units: dict[str, str]

    @property
    def start(self) -> pd.Timestamp:
        """First hour of the day, by the files' clock."""
        return pd.Timestamp(self.date_utc) + pd.Timedelta(hours=self.utc_offset_h)

    @property
    def years(self) -> list[int]:
        """Years by the files' clock that hold hours of the day, of those that are there."""
        last = self.start + pd.Timedelta(hours=23)
        return sorted({self.start.year, last.year} & set(self.stores))

    def fingerprint(self) -> list[Any]:
        """Path and state of every store that holds hours of the day."""
        return [[str(self.stores[year]), *self.states[year]] for year in self.years]

    def hours(self) -> Iterator[tuple[datetime, str, RawHour]]:
        """UTC time, name for messages and content of each hour."""
        start = self.start
        for year in self.years:
            store = open_store(self.stores[year])
            times = store.indexes[TIME]
            rows = slice(*times.searchsorted([start, start + pd.Timedelta(days=1)]).tolist())
            fields = _fields(store, rows, self.units, self.stores[year])
            lat_deg, lon_deg = (static_field(store, name) for name in ("lat2d", "lon2d"))
            for time, hour in zip(times[rows], fields, strict=True):
                where = f"{self.stores[year]}, {time}"
                utc = (time - pd.Timedelta(hours=self.utc_offset_h)).to_pydatetime()
                yield utc, where, RawHour(hour, lat_deg, lon_deg)


class YearlyStores:
    """All yearly stores in a folder."""

    def __init__(self, dataset: DatasetConfig, folder: Path) -> None:
        self.dataset = dataset
        names = {path: STORE_NAME.fullmatch(path.name) for path in sorted(folder.iterdir())}
        self.stores = {int(match[1]): path for path, match in names.items() if match}
        if not self.stores:
            raise AirshedError(
                "no yearly store was found",
                where=folder,
                expected="folders such as data_2013_china_masked.zarr",
                hint="set dataset.path to the folder that holds them",
            )

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
        offset_h, units = self.dataset.utc_offset_h, dict(self.dataset.units)
        return YearlyDay(day, self.stores, self.states, offset_h, units)


@lru_cache(maxsize=4)
def open_store(path: Path) -> xr.Dataset:
    """A yearly store by canonical names, its time axis by time stamps (file's clock).

    Raises:
        AirshedError: It cannot be read, lacks a variable, or its hours cannot be told.
    """
    try:
        store = xr.open_zarr(path, chunks=None)
    except (OSError, ValueError, KeyError) as error:
        raise AirshedError("a yearly store cannot be opened", where=path, found=error) from error
    named = by_canonical_name({str(name): store[name] for name in store.variables}, str(path))
    missing = [name for name in (*HOURLY, *STATIC) if name not in named]
    if missing:
        raise AirshedError(
            "a yearly store lacks a variable",
            where=path,
            expected=", ".join(missing),
            found=", ".join(map(str, store.variables)),
            hint="aliases of names are listed in src/airshed/variables.py",
        )
    for name in HOURLY:
        if named[name].ndim != 3:
            raise AirshedError(
                "a variable of a yearly store has the wrong dimensions",
                where=f"{path}, variable {name}",
                expected="time, rows and columns",
                found=f"{named[name].dims} of sizes {named[name].shape}",
            )
    axis = str(named[HOURLY[0]].dims[0])
    fields = {
        name: field.reset_coords(drop=True).rename({axis: TIME} if axis in field.dims else {})
        for name, field in named.items()
    }
    times = _times(store, axis, path)
    return xr.Dataset(fields).assign_coords({TIME: times})


def _times(store: xr.Dataset, axis: str, path: Path) -> pd.DatetimeIndex:
    """The hours of a store: its own time coordinate, or every hour of its year."""
    hours = store.sizes[axis]
    if axis in store.coords and np.issubdtype(store[axis].dtype, np.datetime64):
        times = pd.DatetimeIndex(store[axis].values).round("h")
        if not times.is_monotonic_increasing or times.has_duplicates:
            raise AirshedError(
                "the hours of a yearly store are out of order or there twice",
                where=f"{path}, {axis}",
                expected="increasing time stamps",
            )
        return times
    match = STORE_NAME.fullmatch(path.name)
    start = datetime(int(match[1]) if match else 1, 1, 1)
    expected = (start.replace(year=start.year + 1) - start) // timedelta(hours=1)
    if hours != expected:
        raise AirshedError(
            "a yearly store has no time stamps, and not every hour of its year",
            where=path,
            expected=f"{expected} hours, or a time coordinate",
            found=f"{hours} hours",
            hint="add a CF time coordinate to the store",
        )
    return pd.date_range(start, periods=hours, freq="h")


def _fields(store: xr.Dataset, rows: slice, units: dict[str, str], path: Path) -> Floats:
    """Fields [T, 11, Y, X] in canonical units."""
    fields = [
        to_canonical(
            store[name].isel({TIME: rows}).values.astype(np.float32),
            name,
            store[name].attrs.get("units"),
            units,
            f"{path}, variable {name}",
        )
        for name in HOURLY
    ]
    return np.stack(fields, axis=1)


def static_field(store: xr.Dataset, name: str) -> Floats:
    """A field that does not change, [Y, X]: the first hour's if it is there for every hour.

    Its units are those of the canonical variable unless an attribute says otherwise.
    """
    field = store[name].isel({TIME: 0}) if TIME in store[name].dims else store[name]
    units = field.attrs.get("units", VARIABLES[name].units)
    return to_canonical(field.values.astype(np.float64), name, units, {}, f"variable {name}")
