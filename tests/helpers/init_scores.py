"""Scores made by hand, of runs whose errors at every init time are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scoring import TARGET_VARIABLES

from airshed.evaluation.aggregation import Bins, Period, Sums
from airshed.evaluation.binning import FixedBins
from airshed.evaluation.metrics.moments import MOMENTS
from airshed.evaluation.scores import CELLS, METRICS, SCORED_MAPS, Subject, scores_dataset
from airshed.variables import TARGETS

INITS = pd.date_range("2016-03-05", periods=120, freq="3h", unit="ns")
HORIZONS = [12, 24]
ROWS, COLUMNS = 2, 3


def weather() -> np.ndarray:
    """Squared errors [init, horizon, pollutant] that a reference makes."""
    errors = np.random.default_rng(0).gamma(4, size=(len(INITS), len(HORIZONS), len(TARGETS)))
    errors[-4:, 0] = errors[-8:, 1] = np.nan
    return errors


def scores(name: str, seed: int, init_mse: np.ndarray) -> xr.Dataset:
    """One pair behind each init time; the first cell never has any."""
    period = Period(INITS, tuple(HORIZONS), TARGET_VARIABLES)
    sums = Sums(period, bins=1, places=ROWS * COLUMNS)
    sums.by_init[:, :, 0, MOMENTS.index("count")] = np.isfinite(init_mse)
    sums.by_init[:, :, 0, MOMENTS.index("squared")] = np.nan_to_num(init_mse)
    pooled = np.nanmean(init_mse, axis=0)
    values = dict.fromkeys(METRICS, np.full(pooled.shape, np.nan))
    values |= {"rmse": np.sqrt(pooled), "mae": 0.8 * np.sqrt(pooled), "bias": 0 * pooled - 0.5}
    values["correlation"] = 0 * pooled + 0.9
    maps = np.broadcast_to(pooled[..., None, None], (*pooled.shape, ROWS, COLUMNS)).copy()
    maps[..., 0, 0] = np.nan
    lat, lon = np.mgrid[30.0 : 30.0 + ROWS, 100.0 : 100.0 + COLUMNS]
    values |= {f"map_{metric}": maps.astype(np.float32) for metric in SCORED_MAPS}
    joint = (len(INITS), len(HORIZONS), 1, 1)
    values |= {
        "lat2d": lat,
        "lon2d": lon,
        "coarse_row": np.repeat(np.arange(ROWS), COLUMNS),
        "coarse_column": np.tile(np.arange(COLUMNS), ROWS),
        "scored": np.isfinite(init_mse).any(axis=2),
        "origin": np.zeros(len(TARGETS)),
        **dict.fromkeys(
            ("forecast_power", "truth_power"), np.ones((len(HORIZONS), 1, len(TARGETS)))
        ),
        "ruggedness": ["all"],
        "wind_speed": ["all"],
        **dict.fromkeys(("joint_count", "joint_squared"), np.zeros((*joint, len(TARGETS)))),
        "spectrum_samples": np.ones_like(pooled, dtype=int),
        "wavelength_km": [1000.0],
    }
    subject = Subject("baseline" if seed < 0 else "variant", name, seed, "tiny", "simulated", "abc")
    counts = {"samples": 228, "cells_skipped": 0}
    bins = Bins([FixedBins.everywhere(ROWS * COLUMNS)], ROWS * COLUMNS)
    return scores_dataset(subject, period, counts, values, CELLS.variables(bins, sums))
