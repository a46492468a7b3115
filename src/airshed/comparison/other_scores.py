"""Scores beside RMSE that variants are compared by, each from sums by init time.

A variant is judged by its RMSE. Other scores are reported beside that, with intervals from the
same variance between trainings and over init times (:mod:`airshed.comparison.inference`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from airshed.arrays import Flags, Floats
from airshed.evaluation.binning import ALL_STATIONS, DOMAIN
from airshed.evaluation.metrics.exceedance import EVENTS, OUTCOMES
from airshed.evaluation.metrics.moments import MOMENTS, ratio, root_of_mean, scores_of, variances_of
from airshed.evaluation.scores import STATIONS

LIMIT = "daily"
MIN_EVENTS = 50
"""Hours of a cell above the limit that a pollutant and horizon must have to be compared."""


class Score(NamedTuple):
    """How a score is compared.

    Attributes:
        title: In a table.
        relative: Whether its change is relative, as that of RMSE is, or a difference.
        better: -1 if lower is better, 1 if higher is, 0 if neither.
        units: ``1``, or nothing where it has those of the pollutant.
    """

    title: str
    relative: bool
    better: int
    units: str = "1"


OTHER_SCORES = {
    "mae": Score("mean absolute error", True, -1, ""),
    "bias": Score("size of the bias", False, -1),
    "correlation": Score("correlation", False, 1),
    "anomaly_correlation": Score("anomaly correlation", False, 1),
    "hit_rate": Score("hit rate", False, 1),
    "false_alarm_ratio": Score("false alarm ratio", False, -1),
    "critical_success_index": Score("critical success index", False, 1),
    "station_rmse": Score("RMSE at stations", True, -1, ""),
    "variance_ratio": Score("variance in space", True, 0),
}
"""``bias`` is the absolute mean error over the observations' standard deviation, so that pollutants
can be averaged. Exceedances are those of the limits for daily means, applied to hours.
``variance_ratio`` is the variance of a forecast over the domain's cells, averaged over init times,
over that of the observations: below 1 where forecasts are blurred.
"""

_VARIANCES = ("forecast_variance", "observed_variance")
_AT_STATIONS = ("station_count", "station_squared")
_EVENTS = tuple(f"{outcome}_{LIMIT}" for outcome in OUTCOMES)
SUMMED = (*MOMENTS, *_EVENTS, *_VARIANCES, *_AT_STATIONS)


def score_sums(scores: xr.Dataset) -> xr.DataArray:
    """What other scores are made from: SUMMED (summed, init_time, horizon_h, pollutant).

    Args:
        scores: As ``scores.nc`` holds them. Without stations, their sums are zero.
    """
    dims = ("init_time", "horizon_h", "pollutant")
    domain = {"bin": scores["bin_kind"].values.tolist().index(DOMAIN)}
    sums = scores["sums"].isel(domain).transpose("statistic", *dims).values
    events = scores["events"].isel(domain).transpose("event", *dims).values
    counted = [events[EVENTS.index(name)] for name in _EVENTS]
    moments = dict(zip(MOMENTS, sums, strict=True))
    observed, forecast, _ = variances_of(moments)
    variances = [np.where(moments["count"] > 0, each, 0) for each in (forecast, observed)]
    stations = [np.zeros_like(moments["count"]) for _ in _AT_STATIONS]
    if (name := f"{STATIONS.prefix}sums") in scores:
        kinds = scores[f"{STATIONS.prefix}bin_kind"].values.tolist()
        of_all = scores[name].isel({f"{STATIONS.prefix}bin": kinds.index(ALL_STATIONS)})
        of_all = of_all.transpose(f"{STATIONS.prefix}statistic", *dims)
        stations = [of_all.values[MOMENTS.index(each)] for each in ("count", "squared")]
    values = np.stack([*sums, *counted, *variances, *stations])
    coords = {name: scores[name] for name in (*dims, "units")} | {"summed": list(SUMMED)}
    return xr.DataArray(values, coords, ("summed", *dims))


def on_scale(sums: Floats) -> Floats:
    """Scores on the scale on which their changes add up: the logarithm of the relative ones.

    Args:
        sums: [..., SUMMED, K], or means over init times.

    Returns:
        [..., OTHER_SCORES, K]; NaN where a score is undefined.
    """
    part = dict(zip(SUMMED, np.moveaxis(sums, -2, 0), strict=True))
    found = scores_of(np.moveaxis(sums[..., : len(MOMENTS), :], -2, 0))
    values = _ratios(part) | {
        "mae": found["mae"],
        "bias": ratio(np.abs(found["bias"]), np.sqrt(variances_of(part)[0])),
        "correlation": found["correlation"],
        "anomaly_correlation": found["anomaly_correlation"],
        "station_rmse": root_of_mean(part["station_squared"], part["station_count"]),
        "variance_ratio": ratio(part["forecast_variance"], part["observed_variance"]),
    }
    with np.errstate(divide="ignore"):
        scaled = [
            np.log(values[name]) if score.relative else values[name]
            for name, score in OTHER_SCORES.items()
        ]
    return np.stack([np.where(np.isfinite(each), each, np.nan) for each in scaled], axis=-2)


def _ratios(part: Mapping[str, Floats]) -> dict[str, Floats]:
    hits, misses, false_alarms = (part[name] for name in _EVENTS)
    return {
        "hit_rate": ratio(hits, hits + misses),
        "false_alarm_ratio": ratio(false_alarms, hits + false_alarms),
        "critical_success_index": ratio(hits, hits + misses + false_alarms),
    }


def compared(sums: Floats) -> Flags:
    """[OTHER_SCORES, K]: whether a score is compared there.

    Args:
        sums: [S, SUMMED, K] over the whole period, of every training of every model.
    """
    part = dict(zip(SUMMED, np.moveaxis(sums, -2, 0), strict=True))
    defined: Flags = np.all(np.isfinite(on_scale(sums)), axis=0)
    few = (part[f"hits_{LIMIT}"] + part[f"misses_{LIMIT}"]).min(axis=0) < MIN_EVENTS
    for name in ("hit_rate", "false_alarm_ratio", "critical_success_index"):
        defined[list(OTHER_SCORES).index(name)] &= ~few
    return defined
