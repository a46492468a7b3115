"""Wind roses: how often the wind comes from where and how strongly, in parts of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.config.data import Split
from airshed.data.samples import hours_of
from airshed.data.shards import HourReader
from airshed.data.stores import open_hourly, open_static, write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.binning import Classes
from airshed.variables import WIND

PARTS = (3, 4)  # of the study grid, rows and columns
SECTORS = 16


def wind_roses(
    hourly: Path, static: Path, split: Split, edges_ms: Sequence[float], output: Path
) -> None:
    """Write the wind roses of a split over the cells of the domain; empty ones without wind.

    ``frequency`` (region_row, region_column, sector, speed_class) is the share of all usable hours
    and cells of a part of the grid; the parts are PARTS rows and columns of nearly equal size. It
    is NaN in a part without a cell of the domain, and everywhere if the store holds no wind.
    Sectors are centred on ``from_deg``: where the wind comes from, degrees clockwise from north.

    Raises:
        AirshedError: The split has no usable hour.
    """
    fields, grid = open_hourly(hourly), open_static(static)
    inside = grid["domain_mask"].values.astype(bool)
    usable = fields["present"].values & hours_of(pd.DatetimeIndex(fields["time"].values), split)
    if not usable.any():
        raise AirshedError(
            "no usable hour lies in a split", where=hourly, expected=f"hours in {split}"
        )
    classes = Classes("wind_speed", tuple(edges_ms), "m s-1")
    part = np.where(inside, _parts(inside.shape), -1)
    counts = np.zeros((PARTS[0] * PARTS[1], SECTORS, len(classes.names)), dtype=np.int64)
    if set(WIND) <= set(fields.variables):
        reader = HourReader(hourly, WIND)
        for u_ms, v_ms in map(reader.read, np.flatnonzero(usable).tolist()):
            _count(counts, part, u_ms, v_ms, classes)
    write_netcdf(_dataset(counts, part, grid, classes).assign_attrs(split=str(split)), output)


def sector_of(u_ms: Floats, v_ms: Floats) -> npt.NDArray[np.int64]:
    """Number of the sector that the wind comes from: 0 is centred on north, then clockwise."""
    from_rad = np.arctan2(-u_ms, -v_ms)
    return np.round(from_rad / (2 * np.pi / SECTORS)).astype(np.int64) % SECTORS


def _parts(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Number of the part that each cell [Y, X] lies in."""
    row, column = (
        np.arange(size) * parts // size for size, parts in zip(shape, PARTS, strict=True)
    )
    return row[:, None] * PARTS[1] + column


def _count(
    counts: npt.NDArray[np.int64],
    part: npt.NDArray[np.int64],
    u_ms: Floats,
    v_ms: Floats,
    classes: Classes,
) -> None:
    known = (part >= 0) & np.isfinite(u_ms) & np.isfinite(v_ms)
    u_ms, v_ms = u_ms[known], v_ms[known]
    where = (part[known], sector_of(u_ms, v_ms), classes.of(np.hypot(u_ms, v_ms)))
    places = np.ravel_multi_index(where, counts.shape)
    counts += np.bincount(places, minlength=counts.size).reshape(counts.shape)


def _dataset(
    counts: npt.NDArray[np.int64],
    part: npt.NDArray[np.int64],
    grid: xr.Dataset,
    classes: Classes,
) -> xr.Dataset:
    total = counts.sum(axis=(1, 2))
    shares = counts / np.where(total, total, np.nan)[:, None, None]
    centres = {
        name: [
            float(grid[field].values[part == number].mean()) if total[number] else np.nan
            for number in range(len(counts))
        ]
        for name, field in (("latitude", "lat2d"), ("longitude", "lon2d"))
    }
    places = ("region_row", "region_column")
    return xr.Dataset(
        {
            "frequency": (
                (*places, "sector", "speed_class"),
                shares.reshape(*PARTS, *counts.shape[1:]),
            )
        }
        | {name: (places, np.reshape(values, PARTS)) for name, values in centres.items()},
        coords={
            "region_row": np.arange(PARTS[0]),
            "region_column": np.arange(PARTS[1]),
            "from_deg": ("sector", np.arange(SECTORS) * 360 / SECTORS, {"units": "degrees"}),
            "speed_class": list(classes.names),
        },
    )
