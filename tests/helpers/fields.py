"""A small Lambert grid with terrain, and batches of random forecasts on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from airshed.evaluation.batch import Batch, Samples
from airshed.simulate.projection import cell_positions

ROWS, COLUMNS, CELL_M = 9, 13, 200_000
STEP_H = 6  # between init times


def lambert_grid() -> xr.Dataset:
    """Static fields: a ridge, and a domain that leaves out the last column."""
    lat, lon = cell_positions(ROWS, COLUMNS, CELL_M)
    mask = np.ones(lat.shape, dtype=np.int8)
    mask[:, -1] = 0
    plane = ("y", "x")
    return xr.Dataset(
        {
            "lat2d": (plane, lat),
            "lon2d": (plane, lon),
            "elevation": (plane, 3000 * np.exp(-(((lon - 100) / 6) ** 2))),
            "domain_mask": (plane, mask),
        }
    )


def truth_at(time: pd.Timestamp) -> np.ndarray:
    """Random fields [6, Y, X] that are always the same at one time."""
    rng = np.random.default_rng(time.value // 10**9)
    return rng.gamma(2.0, 20.0, (6, ROWS, COLUMNS)).astype(np.float32)


def random_batches(
    init_times: Sequence[pd.Timestamp] | pd.DatetimeIndex, horizons_h: Sequence[int], seed: int = 0
) -> list[Batch]:
    """One batch for each init time, with every horizon; a missing cell and a missing forecast."""
    rng = np.random.default_rng(seed)
    batches = []
    for number, init in enumerate(init_times):
        hours = number * STEP_H + np.array([0, *horizons_h])
        table = pd.DataFrame({"init_time": init, "horizon_h": list(horizons_h)})
        table = table.assign(input_index=hours[0], target_index=hours[1:])
        samples = Samples.of(table)
        shape = (len(samples), 6, ROWS, COLUMNS)
        forecast, initial = (rng.gamma(2.0, 20.0, shape).astype(np.float32) for _ in range(2))
        truth = np.stack([truth_at(init + pd.Timedelta(hours=horizon)) for horizon in horizons_h])
        truth[:, 1, 4, 6] = np.nan
        if number == 1:
            forecast[0, 2, 3, 5] = np.nan
        batches.append(Batch(samples, forecast, truth, initial, np.ones(shape[:1] + shape[2:])))
    return batches
