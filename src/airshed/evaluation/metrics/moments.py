"""Sums over pairs of forecast and observation, and the scores that follow from them.

A verification library wants all pairs at once; a year at 128 x 256 does not fit. All scores here
are functions of few sums over pairs, so these sums are gathered instead, per cell and per bin,
and tests compare the result with such libraries.

With f the forecast, o the observation, c the climatology at the valid time, p the observation at
the init time and e = f - o, sums run over every init time and cell that is pooled, *before* any
root or ratio is taken: ``rmse`` is the root of the mean over time and space together, no mean of
roots. A pair counts when f and o are finite; the skill against persistence takes those of them at
which p is finite as well.

========================  ==========================================================  ==========
name                      formula                                                     units
========================  ==========================================================  ==========
``rmse``                  sqrt(mean e^2)                                              pollutant
``mae``                   mean abs(e)                                                 pollutant
``bias``                  mean e: positive where the forecast is too high             pollutant
``correlation``           cov(f, o) / sqrt(var f var o) (Pearson)                     1
``anomaly_correlation``   sum (f-c)(o-c) / sqrt(sum (f-c)^2 sum (o-c)^2), uncentred   1
``skill_persistence``     1 - sum e^2 / sum (p-o)^2                                   1
``skill_climatology``     1 - sum e^2 / sum (c-o)^2                                   1
========================  ==========================================================  ==========

A ratio whose denominator is zero is undefined and NaN, and so is a correlation when f or o hardly
varies: by less than a thousandth of the root mean square of e and of o's distance from its origin
(the domain's mean climatology), where the rounding of float32 products ends.
The anomaly correlation does not remove mean anomalies, so that a wrong mean lowers it (the
uncentred one of Murphy and Epstein 1989, Monthly Weather Review 117, 572-582). Cells count equally:
those of the archives' grid are nearly of equal area.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.arrays import Flags, Floats

MOMENTS = (
    "count",
    "error",
    "absolute",
    "squared",
    "truth",
    "truth_truth",
    "truth_error",
    "anomaly_anomaly",
    "anomaly_error",
    "paired_count",
    "paired_squared",
    "persistence_squared",
)
"""``truth`` is o, counted from an origin that is the same for all cells; anomalies are o - c."""

POOLED_METRICS = (
    "rmse",
    "mae",
    "bias",
    "correlation",
    "anomaly_correlation",
    "skill_persistence",
    "skill_climatology",
)
SMALLEST_VARIANCE = 1e-6  # against mean squares


def moments(
    forecast: Floats,
    observed: Floats,
    initial: Floats,
    climatology: Floats,
    origin: Floats,
    out: Floats,
) -> Flags:
    """What each pair adds to the sums, in the precision of ``out``; sums belong into float64.

    Args:
        forecast: [T, C] at the cells of the domain.
        observed: [T, C]; NaN where missing.
        initial: [T, C], observed at the init time; NaN where missing.
        climatology: [T, C] at the valid time, finite.
        origin: [T, 1], from which observations are counted; near the mean variances stay exact.
        out: [moment, T, C], filled in the order of MOMENTS, zero where a pair does not count. It is
            given because memory that is used again is much faster.

    Returns:
        Which pairs count, [T, C].
    """
    part = dict(zip(MOMENTS, out, strict=True))
    error = np.subtract(forecast, observed, out=part["error"])
    above_origin = np.subtract(observed, origin, out=part["truth"])
    anomaly = observed - climatology
    change = initial - observed
    counts = np.isfinite(error)
    if not counts.all():
        for values in (error, above_origin, anomaly):
            values[~counts] = 0
    paired = np.isfinite(change) & counts
    if not paired.all():
        change[~paired] = 0
    np.abs(error, out=part["absolute"])
    np.square(error, out=part["squared"])
    np.square(above_origin, out=part["truth_truth"])
    np.multiply(above_origin, error, out=part["truth_error"])
    np.square(anomaly, out=part["anomaly_anomaly"])
    np.multiply(anomaly, error, out=part["anomaly_error"])
    np.square(change, out=part["persistence_squared"])
    np.multiply(part["squared"], paired, out=part["paired_squared"])
    part["count"][:], part["paired_count"][:] = counts, paired
    return counts


def scores_of(sums: Floats) -> dict[str, Floats]:
    """The scores of POOLED_METRICS from sums [moment, ...] over pairs; each [...]."""
    total = dict(zip(MOMENTS, sums, strict=True))
    count = total["count"]
    error, squared, observed_square = (
        ratio(total[name], count) for name in ("error", "squared", "truth_truth")
    )
    observed_variance, forecast_variance, covariance = variances_of(total)
    smallest = SMALLEST_VARIANCE * (observed_square + squared)
    vary = (observed_variance > smallest) & (forecast_variance > smallest)
    spread = np.sqrt(np.where(vary, observed_variance * forecast_variance, 0))
    anomalies = total["anomaly_anomaly"]
    forecast_anomalies = anomalies + 2 * total["anomaly_error"] + total["squared"]
    anomaly_spread = np.sqrt(np.maximum(forecast_anomalies, 0) * anomalies)
    return {
        "rmse": root_of_mean(total["squared"], count),
        "mae": ratio(total["absolute"], count),
        "bias": error,
        "correlation": ratio(observed_variance + covariance, spread),
        "anomaly_correlation": ratio(anomalies + total["anomaly_error"], anomaly_spread),
        "skill_persistence": 1 - ratio(total["paired_squared"], total["persistence_squared"]),
        "skill_climatology": 1 - ratio(total["squared"], anomalies),
    }


def variances_of(total: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Variance of observation and forecast, and the covariance of observation and error.

    Args:
        total: Sums over pairs, or their means, by the names of MOMENTS.
    """
    error, squared, observed, observed_square, product = (
        ratio(total[name], total["count"])
        for name in ("error", "squared", "truth", "truth_truth", "truth_error")
    )
    observed_variance = observed_square - observed**2
    covariance = product - observed * error
    return observed_variance, observed_variance + 2 * covariance + squared - error**2, covariance


def root_of_mean(squares: Floats, count: npt.NDArray[Any]) -> Floats:
    """The root of the mean of ``count`` squares whose sum is given; NaN without any."""
    root: Floats = np.sqrt(ratio(squares, count))
    return root


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Floats:
    """The quotient; NaN where the denominator is zero."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator != 0)
