"""Where a forecast's fields come from: an hourly store, or raw files in the study's form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import zarr

from airshed.arrays import Floats32
from airshed.config.data import DatasetConfig
from airshed.data.problems import STOP
from airshed.data.source import duplicate_hour, open_source
from airshed.data.stores import HOURLY_FIELDS, open_hourly
from airshed.errors import AirshedError
from airshed.forecasting.incoming import Incoming

Hour = tuple[pd.Timestamp, Floats32]


def hours_at(
    path: Path, dataset: DatasetConfig, incoming: Incoming, times: pd.DatetimeIndex
) -> Iterator[Hour]:
    """The fields [H, Y, X] of some hours on the study grid, in their order.

    Of raw files, the wanted hours of one day are in memory together.

    Args:
        path: An hourly store; or raw files as the study's dataset has them, of any period.
        dataset: What the study says of raw files.
        incoming: Brings fields to the study grid.
        times: Which hours, UTC, rising.

    Raises:
        AirshedError: An hour is not there, is there twice, or cannot be used.
    """
    if _is_hourly_store(path):
        yield from _of_store(path, incoming, times)
    else:
        yield from _of_raw_files(path, dataset, incoming, times)


def _is_hourly_store(path: Path) -> bool:
    metadata = path / "zarr.json"
    return metadata.is_file() and HOURLY_FIELDS in zarr.open_group(path, mode="r").attrs


def _of_store(path: Path, incoming: Incoming, times: pd.DatetimeIndex) -> Iterator[Hour]:
    names = incoming.quantities.hourly
    store = open_hourly(path, None, names)
    there = pd.DatetimeIndex(store["time"].values)
    fields = store[[*names, "lat2d", "lon2d"]]
    for time, place in zip(times, there.get_indexer(times), strict=True):
        if place < 0 or not store["present"].values[place]:
            raise _missing(path, time, f"hours of {there[0]} to {there[-1]}, gaps apart")
        yield time, incoming.of_dataset(fields.isel(time=place), f"{path}, {time} UTC")


def _of_raw_files(
    path: Path, dataset: DatasetConfig, incoming: Incoming, times: pd.DatetimeIndex
) -> Iterator[Hour]:
    source = open_source(dataset, path)
    for day in times.normalize().unique():
        wanted, found = times[times.normalize() == day], dict[pd.Timestamp, Floats32]()
        for hour in source.day(day.date()).hours():
            time = pd.Timestamp(hour.time_utc)
            if time in found:
                raise duplicate_hour(hour.where, f"{time} UTC")
            if time in wanted:
                contents = hour.read(STOP, incoming.quantities.read)
                found[time] = incoming.of_contents(contents, hour.where)
        for time in wanted:
            if time not in found:
                raise _missing(path, time, source.span())
            yield time, found[time]


def _missing(path: Path, time: pd.Timestamp, found: str) -> AirshedError:
    return AirshedError(
        "an init time is not in the data",
        where=path,
        expected=f"{time} UTC",
        found=found,
        hint="fetch that hour, or choose other init times",
    )
