"""Scores of forecasts at stations, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.data.stores import open_netcdf
from airshed.evaluation.batch import Batch, State
from airshed.evaluation.stations.observations import station_points

Floats = npt.NDArray[np.floating[Any]]
SUMS = (
    "samples",
    "error",
    "absolute",
    "squared",
    "forecast",
    "observed",
    "forecast_squared",
    "observed_squared",
    "product",
    "truth_error",
    "truth_squared",
)


class StationScores:
    """Errors of forecasts against what stations measured, for every station.

    A sample counts at a station if it was observed at the valid time, and forecast and gridded
    truth are known there. The gridded truth is scored on the same samples, as if it were a
    forecast: what separates it from a station is beyond any forecast that it trained. All sums
    are float64; those of the correlation are of differences from the station's mean observation.

    Args:
        observations: ``observations.nc``.
        grid: The static fields.
        horizons_h: Lead times, h.
    """

    def __init__(
        self, observations: xr.Dataset, grid: xr.Dataset, horizons_h: Sequence[int]
    ) -> None:
        self._observations, self._horizons = observations, pd.Index(horizons_h)
        lat_deg, lon_deg = (observations[name].values for name in ("latitude", "longitude"))
        self._points = station_points(grid, lat_deg, lon_deg, observations.attrs["matching"])
        self._times = pd.DatetimeIndex(observations["time"].values)
        self._values = observations["value"].values
        known = np.isfinite(self._values)
        count = np.maximum(known.sum(axis=2), 1)
        self._centre = (np.where(known, self._values, 0).sum(axis=2, dtype=np.float64) / count).T
        shape = (len(self._horizons), *self._centre.shape)
        self._sums = {name: np.zeros(shape) for name in SUMS}

    def add(self, batch: Batch) -> None:
        """Take one batch."""
        at_stations = (self._points(fields) for fields in (batch.forecast, batch.truth))
        hours = self._times.get_indexer(batch.valid_times)
        horizons = self._horizons.get_indexer(pd.Index(batch.horizons_h))
        for hour, horizon, forecast, truth in zip(hours, horizons, *at_stations, strict=True):
            if hour >= 0:
                self._add_sample(int(horizon), forecast, truth, self._values[:, :, hour].T)

    def _add_sample(self, horizon: int, forecast: Floats, truth: Floats, observed: Floats) -> None:
        """Fields [6, S] of one sample."""
        valid = np.isfinite(forecast) & np.isfinite(truth) & np.isfinite(observed)
        f, t, o = (
            np.where(valid, values.astype(np.float64) - self._centre, 0)
            for values in (forecast, truth, observed)
        )
        terms = (valid, f - o, abs(f - o), (f - o) ** 2, f, o, f * f, o * o, f * o, t - o)
        for name, term in zip(SUMS, (*terms, (t - o) ** 2), strict=True):
            self._sums[name][horizon] += term

    def state(self) -> State:
        """The sums."""
        return self._sums

    def restore(self, state: State) -> None:
        """Take the sums back."""
        self._sums = {name: np.array(state[name]) for name in SUMS}

    def table(self) -> pd.DataFrame:
        """One row for each station, pollutant and horizon that has a sample.

        Errors are forecast minus observation, in the pollutant's units; ``reanalysis_rmse`` and
        ``reanalysis_bias`` those of the gridded truth on the same samples.
        """
        scores = self._scores()
        dims = ("horizon_h", "pollutant", "station")
        found = xr.Dataset(
            {name: (dims, values) for name, values in scores.items()},
            coords={"horizon_h": self._horizons.to_numpy()},
        )
        about = self._observations.drop_vars(["value", "time"]).rename(
            station_elevation="elevation_m",
            cell_elevation="cell_elevation_m",
            height_difference="height_difference_m",
        )
        table = xr.merge([about, found]).to_dataframe(dim_order=("station", *dims[1::-1]))
        table = table[table["samples"] > 0].reset_index()
        table["samples"] = table["samples"].astype(int)
        return table[[*ABOUT, *KEYS, *scores]]

    def _scores(self) -> dict[str, Floats]:
        sums, count = self._sums, np.maximum(self._sums["samples"], 1)
        mean = {name: total / count for name, total in sums.items()}
        spread_f = mean["forecast_squared"] - mean["forecast"] ** 2
        spread_o = mean["observed_squared"] - mean["observed"] ** 2
        together = mean["product"] - mean["forecast"] * mean["observed"]
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = together / np.sqrt(spread_f * spread_o)
        return {
            "samples": sums["samples"],
            "rmse": np.sqrt(mean["squared"]),
            "mae": mean["absolute"],
            "bias": mean["error"],
            "correlation": np.where(np.isfinite(correlation), correlation, np.nan),
            "reanalysis_rmse": np.sqrt(mean["truth_squared"]),
            "reanalysis_bias": mean["truth_error"],
        }


ABOUT = (
    "station",
    "latitude",
    "longitude",
    "elevation_m",
    "cell_elevation_m",
    "height_difference_m",
    "height_match",
)
KEYS = ("pollutant", "units", "horizon_h")


def open_observations(path: Path) -> xr.Dataset:
    """``observations.nc`` in memory.

    Raises:
        AirshedError: It cannot be read, or is another file.
    """
    return open_netcdf(path, ("value", "cell_elevation", "height_match"))
