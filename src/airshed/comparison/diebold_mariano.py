"""The test of Diebold and Mariano, as a cross-check of the resampled p-values."""

from __future__ import annotations

import math

import numpy as np
from statsmodels.tsa.stattools import diebold_mariano_test

from airshed.arrays import Floats


def diebold_mariano(variant: Floats, reference: Floats, horizon_steps: int) -> tuple[float, float]:
    """Statistic and two-sided p-value of equal accuracy, for the trained networks at hand.

    The variance of the mean difference takes autocovariances up to lag h - 1 with Newey and West's
    weights; the statistic is corrected for small samples and judged by Student's t with T - 1
    degrees of freedom (Harvey, Leybourne and Newbold 1997). It knows neither of the variance
    between trainings nor of correlation beyond the horizon.

    Args:
        variant: [T] squared errors, NaN where missing; the series is without these init times.
        reference: [T].
        horizon_steps: Horizon h in steps of the init times, at least 1.

    Returns:
        NaN twice where the test is undefined: the horizon is as long as the series, or the
        differences do not vary.
    """
    known = np.isfinite(variant) & np.isfinite(reference)
    one, other = variant[known], reference[known]
    if len(one) <= horizon_steps or np.ptp(one - other) == 0:
        return math.nan, math.nan
    found = diebold_mariano_test(
        np.zeros_like(one),
        one,
        other,
        lags=horizon_steps - 1,
        criterion=lambda _, loss: loss,
        harvey_adj=True,
        horizon=horizon_steps,
    )
    return float(found.statistic), float(found.pvalue)
