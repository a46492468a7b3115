"""Scores made by hand, of runs whose errors at every init time are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from airshed.variables import TARGETS, VARIABLES

INITS = pd.date_range("2016-03-05", periods=120, freq="3h", unit="ns")
HORIZONS = [12, 24]
ROWS, COLUMNS = 2, 3


def weather() -> np.ndarray:
    """Squared errors [init, horizon, pollutant] that a reference makes."""
    errors = np.random.default_rng(0).gamma(4, size=(len(INITS), len(HORIZONS), len(TARGETS)))
    errors[-4:, 0] = errors[-8:, 1] = np.nan
    return errors


def scores(name: str, seed: int, init_mse: np.ndarray) -> xr.Dataset:
    pooled = np.nanmean(init_mse, axis=0)
    dims = ("horizon_h", "pollutant")
    maps = np.broadcast_to(pooled[..., None, None], (*pooled.shape, ROWS, COLUMNS)).copy()
    maps[..., 0, 0] = np.nan
    values = {"rmse": np.sqrt(pooled), "mae": 0.8 * np.sqrt(pooled), "bias": 0 * pooled - 0.5}
    lat, lon = np.mgrid[30.0 : 30.0 + ROWS, 100.0 : 100.0 + COLUMNS]
    return xr.Dataset(
        {metric: (dims, value) for metric, value in values.items()}
        | {
            "correlation": (dims, 0 * pooled + 0.9),
            "init_mse": (("init_time", *dims), init_mse),
            "map_mse": ((*dims, "y", "x"), maps.astype(np.float32)),
            "map_bias": ((*dims, "y", "x"), maps.astype(np.float32)),
        },
        coords={
            "horizon_h": HORIZONS,
            "pollutant": list(TARGETS),
            "init_time": INITS,
            "lat2d": (("y", "x"), lat),
            "lon2d": (("y", "x"), lon),
            "units": ("pollutant", [VARIABLES[target].units for target in TARGETS]),
        },
        attrs={
            "format_version": 1,
            "kind": "baseline" if seed < 0 else "variant",
            "name": name,
            "seed": seed,
            "study": "tiny",
            "dataset": "tiny",
            "data_source": "simulated",
            "commit": "abc",
            "samples": 228,
            "cells_skipped": 0,
        },
    )
