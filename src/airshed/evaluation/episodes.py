"""Episodes: scores of a named period and region, its sequence of maps, and a terrain transect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.config.supplement import Episode, Transect
from airshed.data.sphere import distance_km, great_circle, in_box
from airshed.errors import AirshedError
from airshed.evaluation.batch import Batch, State
from airshed.evaluation.points import Points
from airshed.variables import TARGETS, VARIABLES

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
MAP_EVERY_H = 12  # of the maps of an episode that names no times
SUMS = (
    "pairs",
    "error",
    "absolute",
    "squared",
    "forecast",
    "truth",
    "forecast_squared",
    "truth_squared",
    "product",
    "persistence_squared",
)


class EpisodeScores:
    """Gathers what belongs to one episode: samples whose valid time lies in it.

    Args:
        name: What the study calls it.
        episode: Its days, region, map times and transect.
        grid: The static fields.
        horizons_h: Lead times, h.

    Raises:
        AirshedError: No cell of the domain lies in the region, or the transect leaves the grid.
    """

    def __init__(
        self, name: str, episode: Episode, grid: xr.Dataset, horizons_h: Sequence[int]
    ) -> None:
        self.name, self._grid = name, grid
        self._start = pd.Timestamp(episode.start)
        self._stop = pd.Timestamp(episode.end + timedelta(days=1))
        self._horizons = pd.Index(horizons_h)
        region = in_box(grid["lat2d"].values, grid["lon2d"].values, episode.box)
        self._cells = region & grid["domain_mask"].values.astype(bool)
        if not self._cells.any():
            raise AirshedError(
                "an episode's region holds no cell of the domain",
                where=f"episodes.{name}.box",
                found=episode.box.model_dump(),
                hint="degrees north and east; the domain is in static.nc",
            )
        self._window = _bounding(region)
        self._line = None if episode.transect is None else Line(name, episode.transect, grid)
        self.map_times = map_times(episode)
        shape = (len(self._horizons), len(TARGETS))
        self._sums = {key: np.zeros(shape) for key in SUMS}
        self._samples = np.zeros(len(self._horizons), dtype=np.int64)
        window = self._cells[self._window].shape
        points = 0 if self._line is None else len(self._line.elevation_m)
        self._maps = {
            "forecast": self._unknown(len(self._horizons), *window),
            "truth": self._unknown(1, *window),
            "transect_forecast": self._unknown(len(self._horizons), points),
            "transect_truth": self._unknown(1, points),
        }

    def _unknown(self, horizons: int, *places: int) -> npt.NDArray[np.float32]:
        shape = (len(self.map_times), horizons, len(TARGETS), *places)
        return np.full(shape, np.nan, dtype=np.float32)

    def add(self, batch: Batch) -> None:
        """Take the samples of a batch that belong to the episode."""
        valid = batch.valid_times
        horizons = self._horizons.get_indexer(pd.Index(batch.horizons_h))
        shown = self.map_times.get_indexer(valid)
        for row in np.flatnonzero((valid >= self._start) & (valid < self._stop)):
            horizon = int(horizons[row])
            self._add_scores(horizon, batch.forecast[row], batch.truth[row], batch.initial[row])
            if shown[row] >= 0:
                self._keep(int(shown[row]), horizon, batch.forecast[row], batch.truth[row])

    def _add_scores(self, horizon: int, forecast: Floats, truth: Floats, initial: Floats) -> None:
        fields = [field[:, self._cells].astype(np.float64) for field in (forecast, truth, initial)]
        valid = np.isfinite(fields[0]) & np.isfinite(fields[1]) & np.isfinite(fields[2])
        f, t, i = (np.where(valid, field, 0) for field in fields)
        squares = ((f - t) ** 2, f, t, f * f, t * t, f * t, (i - t) ** 2)
        for key, term in zip(SUMS, (valid, f - t, abs(f - t), *squares), strict=True):
            self._sums[key][horizon] += term.sum(axis=1)
        self._samples[horizon] += 1

    def _keep(self, time: int, horizon: int, forecast: Floats, truth: Floats) -> None:
        for key, at, field in (("forecast", horizon, forecast), ("truth", 0, truth)):
            kept = np.where(self._cells, field, np.nan)
            self._maps[key][time, at] = kept[:, *self._window]
            if self._line is not None:
                self._maps[f"transect_{key}"][time, at] = self._line.values(field)

    def state(self) -> State:
        """Sums and maps."""
        return {**self._sums, **{f"map_{k}": v for k, v in self._maps.items()}, "n": self._samples}

    def restore(self, state: State) -> None:
        """Take sums and maps back."""
        self._sums = {key: np.array(state[key]) for key in SUMS}
        self._maps = {key: np.array(state[f"map_{key}"]) for key in self._maps}
        self._samples = np.array(state["n"])

    def table(self) -> pd.DataFrame:
        """One row for each pollutant and horizon: errors over all samples and cells together."""
        sums, pairs = self._sums, np.maximum(self._sums["pairs"], 1)
        mean = {key: total / pairs for key, total in sums.items()}
        spread = [mean[f"{key}_squared"] - mean[key] ** 2 for key in ("forecast", "truth")]
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = {
                "rmse": np.sqrt(mean["squared"]),
                "mae": mean["absolute"],
                "bias": mean["error"],
                "correlation": (mean["product"] - mean["forecast"] * mean["truth"])
                / np.sqrt(spread[0] * spread[1]),
                "mean_truth": mean["truth"],
                "persistence_rmse": np.sqrt(mean["persistence_squared"]),
            }
        rows = [
            {
                "episode": self.name,
                "pollutant": pollutant,
                "units": VARIABLES[pollutant].units,
                "horizon_h": int(horizon),
                "samples": int(self._samples[h]),
                "cells": int(self._cells.sum()),
            }
            | {
                key: values[h, p] if sums["pairs"][h, p] else np.nan
                for key, values in scores.items()
            }
            for p, pollutant in enumerate(TARGETS)
            for h, horizon in enumerate(self._horizons)
        ]
        return pd.DataFrame(rows)

    def dataset(self) -> xr.Dataset:
        """The maps and the transect, NaN where a map time has no sample and outside the region."""
        plane, grid = ("row", "column"), self._grid
        rows, columns = self._window
        found = xr.Dataset(
            {
                "forecast": (
                    ("map_time", "horizon_h", "pollutant", *plane),
                    self._maps["forecast"],
                ),
                "truth": (("map_time", "pollutant", *plane), self._maps["truth"][:, 0]),
                "cell_elevation": (plane, grid["elevation"].values[self._window], {"units": "m"}),
            },
            coords={
                "map_time": self.map_times,
                "horizon_h": self._horizons.to_numpy(np.int64),
                "pollutant": list(TARGETS),
                "units": ("pollutant", [VARIABLES[name].units for name in TARGETS]),
                "row": np.arange(rows.start, rows.stop),
                "column": np.arange(columns.start, columns.stop),
                "latitude": (plane, grid["lat2d"].values[self._window], {"units": "degrees_north"}),
                "longitude": (plane, grid["lon2d"].values[self._window], {"units": "degrees_east"}),
            },
            attrs={"episode": self.name},
        )
        return found if self._line is None else xr.merge([found, self._transect(self._line)])

    def _transect(self, line: Line) -> xr.Dataset:
        dims = ("map_time", "horizon_h", "pollutant", "point")
        return xr.Dataset(
            {
                "transect_forecast": (dims, self._maps["transect_forecast"]),
                "transect_truth": ((dims[0], *dims[2:]), self._maps["transect_truth"][:, 0]),
                "transect_elevation": ("point", line.elevation_m, {"units": "m"}),
            },
            coords={
                "transect_distance": ("point", line.distance_km, {"units": "km"}),
                "transect_latitude": ("point", line.lat_deg, {"units": "degrees_north"}),
                "transect_longitude": ("point", line.lon_deg, {"units": "degrees_east"}),
            },
        )


class Line:
    """Evenly spaced points of a great circle over the grid.

    Raises:
        AirshedError: A point lies outside the grid.
    """

    def __init__(self, name: str, transect: Transect, grid: xr.Dataset) -> None:
        self.lat_deg, self.lon_deg = great_circle(transect.start, transect.end, transect.points)
        self.distance_km = distance_km(self.lat_deg, self.lon_deg)
        self._mask = grid["domain_mask"].values.astype(bool)
        positions = (grid["lat2d"].values, grid["lon2d"].values)
        self._points = Points(*positions, self.lat_deg, self.lon_deg)
        if not self._points.inside.all():
            raise AirshedError(
                "a transect leaves the study grid",
                where=f"episodes.{name}.transect",
                found=f"{(~self._points.inside).sum()} of {transect.points} points outside",
                hint="start and end are (latitude, longitude)",
            )
        self.elevation_m = self._points(grid["elevation"].values)

    def values(self, fields: Floats) -> Floats:
        """Values [..., P] of fields [..., Y, X]; NaN beside cells outside the domain."""
        return self._points(np.where(self._mask, fields, np.nan))


def map_times(episode: Episode) -> pd.DatetimeIndex:
    """The valid times of an episode's maps: those that it names, or every twelve hours."""
    if episode.map_times:
        return pd.DatetimeIndex(sorted(set(episode.map_times))).as_unit("ns")
    stop = episode.end + timedelta(days=1)
    step = pd.Timedelta(hours=MAP_EVERY_H)
    return pd.date_range(episode.start, stop, freq=step, inclusive="left", unit="ns")


def _bounding(region: Flags) -> tuple[slice, slice]:
    rows, columns = np.nonzero(region)
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
