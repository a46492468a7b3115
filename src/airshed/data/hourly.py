"""The hourly store: layout on disk, creation, writing of one day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
import zarr

from airshed.config.data import DatasetConfig
from airshed.data.stores import HOURS_A_BLOCK, describe
from airshed.variables import HOURLY

Floats = npt.NDArray[np.floating[Any]]
HOURS_A_DAY = 24
CHUNK_BYTES = 2**17  # what is read at once; smaller chunks cost more than they hold


def create(path: Path, dataset: DatasetConfig, lat_deg: Floats, lon_deg: Floats) -> None:
    """Create an empty hourly store for the period and grid of a dataset."""
    shape = (dataset.grid.rows, dataset.grid.columns)
    days = dataset.period.days
    times = pd.date_range(days[0], periods=len(days) * HOURS_A_DAY, freq="h")
    frame = xr.Dataset(
        {"present": ("time", np.zeros(len(times), dtype=bool))},
        coords={
            "time": times,
            "y": np.arange(shape[0]),
            "x": np.arange(shape[1]),
            "lat2d": (("y", "x"), lat_deg),
            "lon2d": (("y", "x"), lon_deg),
        },
        attrs={
            "title": f"hourly fields of {dataset.name} ({dataset.data_source})",
            "source": dataset.data_source,
            "wind_frame": dataset.wind_frame,
        },
    )
    encoding = {"present": {"chunks": (HOURS_A_BLOCK,)}}
    describe(frame).to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
    group = zarr.open_group(path, mode="r+")
    hours = chunk_hours(shape)
    for name in HOURLY:
        array = group.create_array(
            name,
            shape=(len(times), *shape),
            chunks=(hours, *shape),
            shards=(HOURS_A_DAY, *shape),
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("time", "y", "x"),
        )
        fields = describe(xr.Dataset({name: ((), 0.0)}))[name].attrs
        array.attrs.update(fields | {"coordinates": "lat2d lon2d"})


def chunk_hours(shape: tuple[int, int]) -> int:
    """Hours in a chunk: the divisor of a day that comes closest to CHUNK_BYTES from below."""
    limit = CHUNK_BYTES // (4 * shape[0] * shape[1])
    return max(hours for hours in (1, 2, 3, 4, 6, 8, 12, 24) if hours <= max(1, limit))


def write_day(path: Path, position: int, fields: Floats) -> None:
    """Write one day.

    Args:
        path: The store.
        position: Number of the day since the start of the period.
        fields: [24, 11, Y, X] in HOURLY order; NaN where missing.
    """
    group = zarr.open_group(path, mode="r+")
    rows = slice(position * HOURS_A_DAY, (position + 1) * HOURS_A_DAY)
    for index, name in enumerate(HOURLY):
        _array(group, name)[rows] = fields[:, index].astype(np.float32)


def write_present(path: Path, present: npt.NDArray[np.bool_]) -> None:
    """Write which hours of the time axis are usable."""
    _array(zarr.open_group(path, mode="r+"), "present")[:] = present


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]
