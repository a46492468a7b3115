"""Forecasts that need no training: persistence and the climatology of the training split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.config.data import Split
from airshed.errors import AirshedError
from airshed.progress import progress
from airshed.variables import TARGETS

HOURS_A_DAY = 24

Floats = npt.NDArray[np.floating[Any]]
Forecaster = Callable[[pd.DataFrame], Floats]
"""Maps rows of samples to forecasts [B, 6, Y, X] in physical units, NaN where there is none."""


def read_targets(hourly: xr.Dataset, indices: npt.NDArray[np.integer[Any]]) -> Floats:
    """The target fields at positions of the time axis.

    Args:
        hourly: The hourly store.
        indices: [B]; an hour may occur several times and is read once.

    Returns:
        [B, 6, Y, X] in canonical units, pollutants in TARGETS order, NaN where missing.
    """
    hours, positions = np.unique(indices, return_inverse=True)
    at_hours = hourly[list(TARGETS)].isel(time=hours)
    return np.stack([at_hours[name].values for name in TARGETS], axis=1)[positions]


def persistence(hourly: xr.Dataset, train: Split) -> Forecaster:
    """The field at init time as the forecast for every horizon; ``train`` teaches it nothing."""

    def forecast(samples: pd.DataFrame) -> Floats:
        return read_targets(hourly, samples["input_index"].to_numpy())

    return forecast


def climatology(hourly: xr.Dataset, train: Split) -> Forecaster:
    """The mean of the training split at each cell and hour of the day (UTC) of the valid time.

    Raises:
        AirshedError: An hour of the day is never present in the training split.
    """
    means = hourly_means(hourly, train)

    def forecast(samples: pd.DataFrame) -> Floats:
        valid = samples["init_time"] + pd.to_timedelta(samples["horizon_h"], unit="h")
        hours: Floats = means[valid.dt.hour.to_numpy()]
        return hours

    return forecast


BASELINES: dict[str, Callable[[xr.Dataset, Split], Forecaster]] = {
    "persistence": persistence,
    "climatology": climatology,
}


def hourly_means(hourly: xr.Dataset, split: Split) -> Floats:
    """Mean of each target per cell and hour of the day (UTC) over the present hours of a split.

    Args:
        hourly: The hourly store; it is read day by day.
        split: The days to average.

    Returns:
        [24, 6, Y, X] in canonical units; NaN at cells that have no value at that hour of the day.

    Raises:
        AirshedError: An hour of the day is never present.
    """
    shape = (HOURS_A_DAY, len(TARGETS), hourly.sizes["y"], hourly.sizes["x"])
    sums, counts = np.zeros(shape), np.zeros(shape, dtype=np.int32)
    hours_seen = np.zeros(HOURS_A_DAY, dtype=np.int64)
    for indices in progress(_present_days(hourly, split), "climatology", total=len(split.days)):
        hours = hourly["time"].dt.hour.values[indices]
        fields = read_targets(hourly, indices)
        known = np.isfinite(fields)
        sums[hours] += np.where(known, fields, 0)
        counts[hours] += known
        hours_seen[hours] += 1
    if not hours_seen.all():
        raise AirshedError(
            "the climatology needs every hour of the day in the training split",
            where=f"splits.train {split}",
            expected="each hour of the day (UTC) present at least once",
            found=f"never present: {', '.join(map(str, np.flatnonzero(hours_seen == 0)))} h",
        )
    undefined = np.full(shape, np.nan)
    return np.divide(sums, counts, out=undefined, where=counts > 0)


def _present_days(hourly: xr.Dataset, split: Split) -> Iterator[npt.NDArray[np.integer[Any]]]:
    """Positions of the present hours of each day."""
    days, present = hourly["time"].values.astype("datetime64[D]"), hourly["present"].values
    for day in split.days:
        yield np.flatnonzero((days == np.datetime64(day)) & present)
