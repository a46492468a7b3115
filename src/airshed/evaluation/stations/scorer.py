"""Scores of forecasts at stations, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.data.climatology import Climatology
from airshed.data.stores import check_targets, open_netcdf
from airshed.evaluation.aggregation import Bins, Period, Sums
from airshed.evaluation.batch import Batch, State
from airshed.evaluation.binning import ALL_STATIONS, FixedBins
from airshed.evaluation.metrics.exceedance import exceedances, limits_of
from airshed.evaluation.metrics.moments import MOMENTS, moments
from airshed.evaluation.rescoring import metrics_of, reanalysis_metrics_of
from airshed.evaluation.scores import STATIONS
from airshed.evaluation.stations.observations import station_points
from airshed.integrity.formats import OBSERVATIONS
from airshed.variables import Variable

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
SHOWN = ("rmse", "mae", "bias", "correlation")


class StationScores:
    """Errors of forecasts against what stations measured: by init time, and for every station.

    A sample counts at a station if it was observed at the valid time, and forecast and
    reanalysis (the gridded fields) are known there. The reanalysis is scored on the same samples,
    as if it were a forecast: what separates it from a station is beyond any forecast that it
    trained. Everything is float64.

    Args:
        period: The samples that there may be.
        observations: ``observations.nc``, of its targets.
        grid: The static fields.
        climatology: What anomalies are taken from, interpolated to the stations.
    """

    def __init__(
        self, period: Period, observations: xr.Dataset, grid: xr.Dataset, climatology: Climatology
    ) -> None:
        self._observations, self._climatology = observations, climatology
        self._period = period
        self._limits = limits_of(self._period.names)
        lat_deg, lon_deg = (observations[name].values for name in ("latitude", "longitude"))
        self._points = station_points(grid, lat_deg, lon_deg, observations.attrs["matching"])
        self._times = pd.DatetimeIndex(observations["time"].values)
        self._values = observations["value"].values.astype(np.float64)
        known = np.isfinite(self._values)
        total = np.where(known, self._values, 0).sum(axis=(0, 2))
        self._origin = (total / np.maximum(known.sum(axis=(0, 2)), 1))[:, None]
        stations = len(lat_deg)
        within = observations["height_match"].values[None] == "within"
        binnings = [
            FixedBins(ALL_STATIONS, ["all"], np.ones((1, stations), dtype=bool)),
            FixedBins("height_match", ["within"], within),
        ]
        self._bins = Bins(binnings, stations)
        self._sums = Sums(self._period, len(self._bins.names), stations, STATIONS.statistics)
        self._parts = np.zeros((len(STATIONS.statistics), *self._values.shape[1::-1]))

    def add(self, batch: Batch) -> None:
        """Take one batch."""
        samples = batch.samples
        hours = self._times.get_indexer(samples.valid_times)
        rows = np.flatnonzero(hours >= 0)
        if not len(rows):
            return
        inits, horizons = self._period.places(samples)
        expected = self._climatology.at(samples.valid_times[rows])
        fields = (batch.forecast[rows], batch.observed[rows], batch.initial[rows], expected)
        at_stations = [self._points(field).astype(np.float64) for field in fields]
        for row, fields_there in zip(rows.tolist(), zip(*at_stations, strict=True), strict=True):
            observed = self._values[:, :, hours[row]].T
            counts = self._fill(fields_there, observed)
            events = exceedances(fields_there[0], observed, counts, self._limits)
            weights = self._bins.weights(batch, row)
            self._sums.add(int(inits[row]), int(horizons[row]), self._parts, events, weights)

    def _fill(self, fields: Sequence[Floats], observed: Floats) -> npt.NDArray[np.bool_]:
        """What the pairs [T, S] of one sample add; which of them count."""
        forecast, reanalysis, initial, climatology = fields
        where_both = np.where(np.isfinite(reanalysis), forecast, np.nan)
        own, others = self._parts[: len(MOMENTS)], self._parts[len(MOMENTS) :]
        counts = moments(where_both, observed, initial, climatology, self._origin, own)
        missed = np.where(counts, reanalysis - observed, 0)
        others[:] = missed, missed**2
        return counts

    def state(self) -> State:
        """The sums."""
        return self._sums.state()

    def restore(self, state: State) -> None:
        """Take the sums back."""
        self._sums.restore(state)

    def variables(self) -> dict[str, Any]:
        """The sums as they stand in ``scores.nc``."""
        names = self._observations["station"].values
        return STATIONS.variables(self._bins, self._sums) | {"station": ("station", names)}

    def table(self) -> pd.DataFrame:
        """One row for each station, pollutant and horizon that has a sample.

        Errors are forecast minus observation, in the pollutant's units; ``reanalysis_rmse`` and
        ``reanalysis_bias`` those of the reanalysis on the same samples.
        """
        sums = dict(zip(STATIONS.statistics, np.moveaxis(self._sums.by_place, 1, 0), strict=True))
        metrics = metrics_of(self._sums.by_place, self._sums.events_by_place, self._period.names)
        scores = {"samples": sums["count"], **{name: metrics[name] for name in SHOWN}}
        scores |= reanalysis_metrics_of(sums)
        dims = ("horizon_h", "pollutant", "station")
        found = xr.Dataset(
            {name: (dims, values) for name, values in scores.items()},
            coords={"horizon_h": list(self._period.horizons_h)},
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


def open_observations(path: Path, targets: Sequence[Variable]) -> xr.Dataset:
    """``observations.nc`` of these targets, in memory.

    Raises:
        AirshedError: It cannot be read, is another file, or of other targets.
    """
    names = ("value", "cell_elevation", "height_match", "units")
    observations = open_netcdf(path, names, OBSERVATIONS)
    check_targets(observations, targets, path)
    return observations
