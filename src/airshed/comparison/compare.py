"""The paired comparison of a variant with its reference: change of RMSE, interval, verdict."""

from __future__ import annotations

import logging
import math

import numpy as np
import pandas as pd
import xarray as xr

from airshed.comparison.diebold_mariano import diebold_mariano
from airshed.comparison.inference import Estimate, estimate, holm
from airshed.comparison.pairing import PairedErrors, Tests, pair
from airshed.comparison.resampling import automatic_block_length
from airshed.comparison.table import COLUMNS
from airshed.comparison.verdict import EXPLANATIONS, Limit, Verdict, verdict

log = logging.getLogger(__name__)

BLOCKS_FOR_A_VERDICT = 12


def compare(
    variant: xr.DataArray,
    reference: xr.DataArray,
    *,
    margin: float = 0.01,
    significance: float = 0.05,
    rng: int | np.random.Generator | None = None,
    resamples: int = 4000,
    block_length: int | None = None,
    accept_single_seed: bool = False,
) -> pd.DataFrame:
    """Say whether a variant forecasts better than its reference, by how much and how surely.

    The change is the RMSE of the variant over that of the reference, minus 1; this RMSE is the
    root of the mean squared error over seeds and init times. The overall change is that of the
    geometric mean of the RMSEs of all pollutants and horizons. Both forecast the same init times,
    so their errors are paired in time; their seeds are separate trainings and are not paired, so
    that the sets may differ in seeds and in number. Intervals and p-values hold for another set of
    seeds and another test period (:mod:`airshed.comparison.inference`); p-values are adjusted by
    Holm (1979) over pollutants and horizons. The overall row is one test, adjusted for nothing. How
    often verdicts are wrong was simulated: docs/statistics.md.

    An init time counts for a pollutant and horizon if every seed of both has it; the others leave
    gaps, also those that the coordinate skips.

    Args:
        variant: Squared errors with dimensions ``seed``, ``init_time``, ``pollutant`` and
            ``horizon_h`` in any order, NaN where there is no sample, all but ``seed`` with
            coordinates. Its name is the name of the variant.
        reference: As ``variant``, at the same init times, pollutants and horizons.
        margin: Smallest relative change that matters.
        significance: Level that adjusted p-values must stay below.
        rng: Generator of the resamples, or its seed; None draws differently in every call.
        resamples: Resamples for each of two block lengths.
        block_length: Init times per block; by default chosen from the errors' autocorrelation.
        accept_single_seed: Judge with one seed each, where the variance between trainings is
            unknown: the verdict then holds for these two networks only.

    Returns:
        The rows of ``comparisons.csv``, the overall one first
        (:data:`airshed.comparison.table.COLUMNS`). The verdict is ``inconclusive`` whatever the
        numbers where ``limit`` says so: ``one seed``, or ``short test`` if the test period has
        fewer than 12 blocks.

    Raises:
        AirshedError: The arrays do not fit each other, hold values that are no squared errors, or
            have too few init times.
    """
    errors, tests = pair(variant, reference)
    block = block_length or automatic_block_length(errors)
    found = estimate(errors, block, resamples, np.random.default_rng(rng))
    limit = _limit(errors, block, accept_single_seed)
    names = str(variant.name or "variant"), str(reference.name or "reference")
    if limit:
        log.warning("%s against %s: inconclusive; %s", *names, EXPLANATIONS[limit])
    columns = {
        "variant": names[0],
        "reference": names[1],
        **tests.labels(),
        **_judged(found, margin, significance, limit),
        **_variances(found),
        **_cross_checks(errors, tests),
        "init_times": [errors.exists.any(axis=1).sum(), *errors.exists.sum(axis=0)],
        "block_length": block,
        "variant_seeds": errors.seeds[0],
        "reference_seeds": errors.seeds[1],
        "limit": limit.value if limit else "",
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def _limit(errors: PairedErrors, block: int, accept_single_seed: bool) -> Limit | None:
    if errors.exists.sum(axis=0).min() < BLOCKS_FOR_A_VERDICT * block:
        return Limit.short_test
    if errors.seeds == (1, 1) and not accept_single_seed:
        return Limit.one_seed
    return None


def _judged(
    found: Estimate, margin: float, significance: float, limit: Limit | None
) -> dict[str, object]:
    """The columns from the change to the verdict; the overall row comes first."""
    p_values = found.p_values()
    adjusted = np.concatenate([p_values[:1], holm(p_values[1:])])
    low, high = found.interval()
    verdicts = [
        Verdict.inconclusive if limit else verdict(*numbers, margin, significance)
        for numbers in zip(found.change, low, high, adjusted, strict=True)
    ]
    return {
        "relative_rmse_change": found.change,
        "ci_low": low,
        "ci_high": high,
        "p_value": p_values,
        "p_adjusted": adjusted,
        "verdict": [one.value for one in verdicts],
    }


def _variances(found: Estimate) -> dict[str, object]:
    *between_seeds, over_time = found.parts
    return {
        "seed_variance": between_seeds[0].variance if between_seeds else math.nan,
        "time_variance": over_time.variance,
        "time_degrees": over_time.degrees,
    }


def _cross_checks(errors: PairedErrors, tests: Tests) -> dict[str, list[float]]:
    """The test of Diebold and Mariano for errors averaged over seeds; overall, over tests too."""
    series = [
        np.where(errors.exists, of_model.mean(axis=0), np.nan)
        for of_model in (errors.variant, errors.reference)
    ]
    scale = np.nanmean(series[1], axis=0)
    overall = [(mean / scale).mean(axis=1) for mean in series]
    pairs = [overall, *zip(series[0].T, series[1].T, strict=True)]
    found = [
        diebold_mariano(one, other, steps)
        for (one, other), steps in zip(pairs, tests.horizon_steps(), strict=True)
    ]
    return {
        "dm_statistic": [statistic for statistic, _ in found],
        "dm_p_value": [p_value for _, p_value in found],
    }
