"""Exceedances of the limits of GB 3095-2012, Class 2: counts of hits, misses and false alarms.

The standard (table 1 and 2, second class: everywhere but in nature reserves) limits means over
different times:

=========  =====================  =======================================  ===========
pollutant  ``hourly``: 1 h mean   ``daily``                                units
=========  =====================  =======================================  ===========
pm25       none                   75 (24 h mean)                           ug m-3
pm10       none                   150 (24 h mean)                          ug m-3
so2        500                    150 (24 h mean)                          ug m-3
no2        200                    80 (24 h mean)                           ug m-3
co         10                     4 (24 h mean)                            mg m-3
o3         200                    160 (largest 8 h mean of the day)        ug m-3
=========  =====================  =======================================  ===========

Here single hours are forecast, at a few horizons: a mean over a day cannot be formed from them. So
both limits are applied to the hourly value, and an exceedance of the ``daily`` one is an hour above
that level, no violation of the standard. It is kept because particles have no hourly limit, and
because the hourly limits of the others are hardly ever reached in a field of 15 km cells or more.

An event is a value above the limit. ``hit_rate`` = hits / (hits + misses), ``false_alarm_ratio`` =
false alarms / (hits + false alarms), ``critical_success_index`` = hits / (hits + misses + false
alarms). Where nothing stands below the line the score is undefined and NaN, never 0; the counts,
given beside it, say why. All are NaN, the counts too, for a limit that the standard does not have,
and for other quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.arrays import Flags, Floats, Integers
from airshed.evaluation.metrics.moments import ratio

LIMITS = {
    "daily": {"pm25": 75.0, "pm10": 150.0, "so2": 150.0, "no2": 80.0, "co": 4.0, "o3": 160.0},
    "hourly": {"so2": 500.0, "no2": 200.0, "co": 10.0, "o3": 200.0},
}
"""Limits of what has one, in its canonical units. No hourly limit is below the daily one."""

OUTCOMES = ("hits", "misses", "false_alarms")
RATIOS = ("hit_rate", "false_alarm_ratio", "critical_success_index")
EVENTS = tuple(f"{outcome}_{limit}" for limit in LIMITS for outcome in OUTCOMES)
EXCEEDANCE_METRICS = tuple(f"{name}_{limit}" for limit in LIMITS for name in (*RATIOS, *OUTCOMES))


def limits_of(targets: Sequence[str]) -> npt.NDArray[np.float32]:
    """Limits [limit, T] of some quantities; infinite where the standard has none."""
    limits = [[values.get(name, np.inf) for name in targets] for values in LIMITS.values()]
    return np.array(limits, dtype=np.float32)


def exceedances(
    forecast: Floats, observed: Floats, counts: Flags, limits: npt.NDArray[np.float32]
) -> list[npt.NDArray[np.intp]]:
    """Where the events of one sample are: few, so that positions are handier than fields.

    Args:
        forecast: [T, C] at the cells of the domain.
        observed: [T, C].
        counts: Which pairs count, [T, C].
        limits: Of the targets, see :func:`limits_of`.

    Returns:
        For each of EVENTS the positions in a flattened [T, C], rising.
    """
    lowest = limits.min(axis=0)[:, None]
    found = np.flatnonzero(((forecast > lowest) | (observed > lowest)) & counts)
    limits = limits[:, found // observed.shape[1]]
    foreseen, happened = forecast.ravel()[found] > limits, observed.ravel()[found] > limits
    outcomes = (foreseen & happened, ~foreseen & happened, foreseen & ~happened)
    return [found[outcome[limit]] for limit in range(len(LIMITS)) for outcome in outcomes]


def exceedance_scores(counts: Integers, targets: Sequence[str]) -> dict[str, Floats]:
    """The scores of EXCEEDANCE_METRICS.

    Args:
        counts: [event, T, ...], in the order of EVENTS.
        targets: Names of the T targets.

    Returns:
        Each [T, ...].
    """
    found: dict[str, Floats] = {}
    by_limit = counts.reshape(len(LIMITS), len(OUTCOMES), *counts.shape[1:])
    for limit, (hits, misses, false_alarms) in zip(LIMITS, by_limit, strict=True):
        happened, foreseen = hits + misses, hits + false_alarms
        values: dict[str, npt.NDArray[Any]] = {
            "hit_rate": ratio(hits, happened),
            "false_alarm_ratio": ratio(false_alarms, foreseen),
            "critical_success_index": ratio(hits, happened + false_alarms),
            "hits": hits,
            "misses": misses,
            "false_alarms": false_alarms,
        }
        has_limit = np.array([name in LIMITS[limit] for name in targets])
        has_limit = has_limit.reshape(-1, *[1] * (hits.ndim - 1))
        for name, value in values.items():
            found[f"{name}_{limit}"] = np.where(has_limit, value, np.nan)
    return found
