"""Episodes: scores of a named period and region, its sequence of maps, and a terrain transect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Flags, Floats
from airshed.config.supplement import Episode, Transect
from airshed.data.sphere import distance_km, great_circle, in_box
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Domain, State
from airshed.evaluation.binning import EpisodeBin
from airshed.evaluation.metrics.moments import ratio, root_of_mean
from airshed.evaluation.points import Points
from airshed.evaluation.rescoring import rescored
from airshed.evaluation.scores import CELLS

MAP_EVERY_H = 12  # of the maps of an episode that names no times
SHOWN = ("rmse", "mae", "bias", "correlation")


def period_of(episode: Episode) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First valid time of an episode, and the end of the last day."""
    return pd.Timestamp(episode.start), pd.Timestamp(episode.end + timedelta(days=1))


def region_of(name: str, episode: Episode, domain: Domain) -> Flags:
    """Cells [Y, X] of the domain that lie in an episode's region.

    Raises:
        AirshedError: There is none.
    """
    cells = in_box(domain.lat2d, domain.lon2d, episode.box) & domain.mask
    if not cells.any():
        raise AirshedError(
            "an episode's region holds no cell of the domain",
            where=f"episodes.{name}.box",
            found=episode.box.model_dump(),
            hint="degrees north and east; the domain is in static.nc",
        )
    return cells


def episode_bin(name: str, episode: Episode, domain: Domain) -> EpisodeBin:
    """The bin in which the scores of an episode are summed."""
    inside = region_of(name, episode, domain)[domain.mask]
    return EpisodeBin(name, *period_of(episode), inside)


def episode_table(
    scores: xr.Dataset, episodes: Mapping[str, Episode], domain: Domain
) -> pd.DataFrame:
    """A row for each episode, pollutant and horizon: errors over all samples and cells together."""
    found = rescored(scores)
    chosen = found.isel(bin=found["bin_kind"].values == EpisodeBin.kind)
    values = {name: chosen["value"].sel(metric=name, drop=True) for name in SHOWN}
    values |= _levels(scores)
    columns = xr.Dataset(values).rename(bin="episode").drop_vars("bin_kind")
    valid = scores["init_time"] + scores["horizon_h"] * np.timedelta64(1, "h")
    parts = []
    for name, episode in episodes.items():
        start, stop = period_of(episode)
        during = scores["scored"] & (valid >= np.datetime64(start)) & (valid < np.datetime64(stop))
        one = columns.sel(episode=name).assign(samples=during.sum("init_time"))
        table = one.to_dataframe(dim_order=("pollutant", "horizon_h")).reset_index()
        parts.append(table.assign(cells=int(region_of(name, episode, domain).sum())))
    keys = ["episode", "pollutant", "units", "horizon_h", "samples", "cells"]
    return pd.concat(parts, ignore_index=True)[[*keys, *values]]


def _levels(scores: xr.Dataset) -> dict[str, xr.DataArray]:
    """Mean of what is observed, and the error of persistence, in the bins of episodes."""
    bins = scores["bin_kind"].values == EpisodeBin.kind
    sums = scores[f"{CELLS.prefix}sums"].isel(bin=bins).sum("init_time")
    part = {str(name): sums.sel(statistic=name, drop=True) for name in sums["statistic"].values}
    mean = xr.apply_ufunc(ratio, part["truth"], part["count"]) + scores["origin"]
    lasting = (part["persistence_squared"], part["paired_count"])
    return {"mean_truth": mean, "persistence_rmse": xr.apply_ufunc(root_of_mean, *lasting)}


class EpisodeMaps:
    """Keeps the fields of one episode at its map times, and along its transect.

    Raises:
        AirshedError: No cell of the domain lies in the region, or the transect leaves the grid.
    """

    def __init__(self, name: str, episode: Episode, grid: xr.Dataset, period: Period) -> None:
        self.name, self._grid, self._targets = name, grid, period.targets
        self._horizons = pd.Index(period.horizons_h)
        domain = Domain.of(grid)
        self._cells = region_of(name, episode, domain)
        self._window = _bounding(in_box(domain.lat2d, domain.lon2d, episode.box))
        self._line = None if episode.transect is None else Line(name, episode.transect, grid)
        self.map_times = map_times(episode)
        window = self._cells[self._window].shape
        points = 0 if self._line is None else len(self._line.elevation_m)
        self._maps = {
            "forecast": self._unknown(len(self._horizons), *window),
            "truth": self._unknown(1, *window),
            "transect_forecast": self._unknown(len(self._horizons), points),
            "transect_truth": self._unknown(1, points),
        }

    def _unknown(self, horizons: int, *places: int) -> npt.NDArray[np.float32]:
        shape = (len(self.map_times), horizons, len(self._targets), *places)
        return np.full(shape, np.nan, dtype=np.float32)

    def add(self, batch: Batch) -> None:
        """Keep the fields of those samples whose valid time is a map time."""
        horizons = self._horizons.get_indexer(pd.Index(batch.samples.horizons_h))
        shown = self.map_times.get_indexer(batch.samples.valid_times)
        for row in np.flatnonzero(shown >= 0):
            place = (int(shown[row]), int(horizons[row]))
            self._archive(*place, batch.forecast[row], batch.observed[row])

    def _archive(self, time: int, horizon: int, forecast: Floats, observed: Floats) -> None:
        for key, at, field in (("forecast", horizon, forecast), ("truth", 0, observed)):
            inside = np.where(self._cells, field, np.nan)
            self._maps[key][time, at] = inside[:, *self._window]
            if self._line is not None:
                self._maps[f"transect_{key}"][time, at] = self._line.values(field)

    def state(self) -> State:
        """The maps."""
        return self._maps

    def restore(self, state: State) -> None:
        """Take the maps back."""
        self._maps = {key: np.array(state[key]) for key in self._maps}

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
                "pollutant": [target.name for target in self._targets],
                "units": ("pollutant", [target.units for target in self._targets]),
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
