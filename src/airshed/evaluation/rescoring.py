"""Scores computed again from the sums of ``scores.nc``, for any of its init times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats, Integers
from airshed.evaluation.binning import DOMAIN, SEASONS, RuggednessByWind, joint_name, season_of
from airshed.evaluation.metrics.exceedance import exceedance_scores
from airshed.evaluation.metrics.moments import MOMENTS, ratio, root_of_mean, scores_of
from airshed.evaluation.scores import CELLS, METRICS, STATIONS, Support

REANALYSIS_METRICS = ("reanalysis_rmse", "reanalysis_bias")
"""At stations: the errors of the reanalysis, on the same samples."""


def metrics_of(sums: Floats, events: Integers, targets: Sequence[str]) -> dict[str, Floats]:
    """Every metric [horizon, T, ...].

    Args:
        sums: [horizon, statistic, T, ...], MOMENTS first.
        events: [horizon, event, T, ...].
        targets: Names of the T targets.
    """
    return scores_of(np.moveaxis(sums[:, : len(MOMENTS)], 1, 0)) | {
        name: np.moveaxis(value, 1, 0)
        for name, value in exceedance_scores(np.moveaxis(events, 0, 2), targets).items()
    }


def reanalysis_metrics_of(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    """REANALYSIS_METRICS from sums by the names of STATION_STATISTICS, each of one shape."""
    return {
        "reanalysis_rmse": root_of_mean(sums["reanalysis_squared"], sums["count"]),
        "reanalysis_bias": ratio(sums["reanalysis_error"], sums["count"]),
    }


def init_mse(scores: xr.Dataset) -> xr.DataArray:
    """Mean squared error over the domain (init_time, horizon_h, pollutant); NaN without a pair."""
    domain = scores["sums"].isel(bin=scores["bin_kind"].values.tolist().index(DOMAIN))
    count, squared = (domain.sel(statistic=name, drop=True) for name in ("count", "squared"))
    mse: xr.DataArray = (squared / count.where(count > 0)).drop_vars(("bin", "bin_kind"))
    return mse.rename("init_mse")


def rescored(
    scores: xr.Dataset,
    init_times: pd.DatetimeIndex | None = None,
    support: Support = CELLS,
) -> xr.Dataset:
    """Every metric in every bin, over some init times.

    Args:
        scores: As ``scores.nc`` holds them.
        init_times: Which init times count, each as often as it is named; by default all once.
        support: Cells, or stations where the scores have any.

    Returns:
        ``value`` (metric, bin, horizon_h, pollutant) and ``pairs`` (bin, horizon_h, pollutant),
        with coordinates ``bin`` and ``bin_kind``. Among the cells' bins are the seasons.
    """
    chosen = scores if init_times is None else scores.sel(init_time=init_times)
    sums, events = (chosen[f"{support.prefix}{part}"].values for part in ("sums", "events"))
    kinds = chosen[f"{support.prefix}bin_kind"].values.tolist()
    names = chosen[f"{support.prefix}bin"].values.tolist()
    total, count = sums.sum(axis=0), events.sum(axis=0, dtype=np.int64)
    if support is CELLS:
        in_domain = kinds.index(DOMAIN)
        seasonal = _in_seasons(chosen, sums[:, :, in_domain], events[:, :, in_domain])
        total, count = (
            np.concatenate([whole[:, :1], part, whole[:, 1:]], axis=1)
            for whole, part in zip((total, count), seasonal, strict=True)
        )
        kinds[1:1], names[1:1] = ["season"] * len(SEASONS), list(SEASONS)
    last = (np.moveaxis(part, 1, -1) for part in (total, count))
    return _dataset(chosen, support, kinds, names, *last)


def rescored_jointly(scores: xr.Dataset, init_times: pd.DatetimeIndex | None = None) -> xr.Dataset:
    """RMSE in the classes of ruggedness and wind together, over some init times.

    Args:
        scores: As ``scores.nc`` holds them.
        init_times: As for :func:`rescored`.

    Returns:
        In the form of :func:`rescored`, with ``rmse`` as the only metric; coordinates
        ``ruggedness`` and ``wind_speed`` are the two classes of each bin.
    """
    chosen = scores if init_times is None else scores.sel(init_time=init_times)
    sums = joint_sums(chosen).sum("init_time", dtype=np.float64)
    count, squared = (sums.sel(statistic=name, drop=True) for name in ("count", "squared"))
    rmse = count.copy(data=root_of_mean(squared.values, count.values))
    return xr.Dataset({"value": rmse.expand_dims(metric=["rmse"]), "pairs": count.astype(np.int64)})


def joint_sums(scores: xr.Dataset) -> xr.DataArray:
    """Sums in the classes of ruggedness and wind together, one bin after the other.

    Returns:
        [statistic, init_time, bin, horizon_h, pollutant] of ``count`` and ``squared``, float32.
    """
    parts = [scores[f"joint_{name}"].astype(np.float32) for name in ("count", "squared")]
    joined = xr.concat(parts, pd.Index(["count", "squared"], name="statistic"))
    sums = joined.stack(bin=RuggednessByWind.dims, create_index=False)
    names = map(joint_name, *(sums[name].values.tolist() for name in RuggednessByWind.dims))
    kinds = [RuggednessByWind.kind] * sums.sizes["bin"]
    order = ("statistic", "init_time", "bin", "horizon_h", "pollutant")
    return sums.assign_coords(bin=list(names), bin_kind=("bin", kinds)).transpose(*order)


def _in_seasons(scores: xr.Dataset, sums: Floats, events: Integers) -> tuple[Floats, Integers]:
    """Sums [horizon, season, ...] of [init_time, horizon, ...] by the season of the valid time."""
    init_times = pd.DatetimeIndex(scores["init_time"].values)
    parts: list[list[npt.NDArray[Any]]] = [[], []]
    for number, horizon in enumerate(scores["horizon_h"].values.tolist()):
        season = season_of(init_times + pd.Timedelta(hours=horizon))
        members = (season == np.arange(len(SEASONS))[:, None]).astype(np.float64)
        for part, values in zip(parts, (sums, events), strict=True):
            part.append(np.tensordot(members, values[:, number], 1))
    return np.stack(parts[0]), np.stack(parts[1]).astype(np.int64)


def _dataset(
    scores: xr.Dataset,
    support: Support,
    kinds: list[str],
    names: list[str],
    sums: Floats,
    events: Integers,
) -> xr.Dataset:
    """Sums [horizon, statistic, T, bin] and events as metrics."""
    found = metrics_of(sums, events, scores["pollutant"].values.tolist())
    by_name = dict(zip(support.statistics, np.moveaxis(sums, 1, 0), strict=True))
    metrics = list(METRICS)
    if support is STATIONS:
        found |= reanalysis_metrics_of(by_name)
        metrics += REANALYSIS_METRICS
    dims = ("bin", "horizon_h", "pollutant")
    values = np.stack([np.moveaxis(found[name], -1, 0) for name in metrics])
    pairs = np.moveaxis(by_name["count"], -1, 0).astype(np.int64)
    return xr.Dataset(
        {"value": (("metric", *dims), values), "pairs": (dims, pairs)},
        coords={
            "metric": metrics,
            "bin": names,
            "bin_kind": ("bin", kinds),
            "horizon_h": scores["horizon_h"],
            "pollutant": scores["pollutant"],
            "units": scores["units"],
        },
    )
