"""The paired comparison of variants with their references: change of RMSE, interval, verdict."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.comparison.diebold_mariano import diebold_mariano
from airshed.comparison.families import CELLS, judged, with_detectable
from airshed.comparison.inference import Estimate, estimate
from airshed.comparison.pairing import Aligned, PairedErrors, SameNetworks, Tests, align
from airshed.comparison.resampling import automatic_block_length
from airshed.comparison.table import COLUMNS
from airshed.comparison.trainings import Part, Spread, seed_correlation
from airshed.comparison.verdict import EXPLANATIONS, Limit

log = logging.getLogger(__name__)

BLOCKS_FOR_A_VERDICT = 12


class Compared(NamedTuple):
    """A variant and its reference, and the family that its overall row is judged in.

    ``same_start``: with equal seeds both go on from the same trained network.
    """

    variant: str
    reference: str
    family: str = "primary"
    same_start: bool = False


def compare(variant: xr.DataArray, reference: xr.DataArray, **settings: Any) -> pd.DataFrame:
    """:func:`compare_all` for two models that belong to no study; they know of no other spread."""
    models = {"variant": variant, "reference": reference}
    return compare_all(models, [Compared("variant", "reference")], **settings)


def compare_all(
    models: Mapping[str, xr.DataArray],
    pairs: Sequence[Compared],
    *,
    margin: float = 0.01,
    significance: float = 0.05,
    looks: int = 1,
    rng: int | np.random.Generator | None = None,
    resamples: int = 4000,
    block_length: int | None = None,
    accept_single_seed: bool = False,
) -> pd.DataFrame:
    """Say of variants whether they forecast better than their references, and how surely.

    The change is the RMSE of the variant over that of the reference, minus 1; this RMSE is the
    root of the mean squared error over seeds and init times. The overall change is that of the
    geometric mean of the RMSEs of all pollutants and horizons. All forecast the same init times,
    so their errors are paired in time; seeds are not paired, so that the sets may differ in seeds
    and in number, but for those that go on from the same trained networks. Intervals and p-values
    hold for another set of seeds and another test period (:mod:`airshed.comparison.inference`); the
    variance between trainings is estimated from all models (:mod:`airshed.comparison.trainings`).
    P-values are adjusted by Holm (1979) within families (:mod:`airshed.comparison.families`). How
    often verdicts are wrong was simulated: docs/statistics.md.

    An init time counts for a pollutant and horizon if every seed of every model has it; the others
    leave gaps, also those that the coordinate skips.

    Args:
        models: By any name, squared errors with dimensions ``seed``, ``init_time``, ``pollutant``
            and ``horizon_h`` in any order, NaN where there is no sample, all but ``seed`` with
            coordinates, which are the same for all. The name of an array is what rows call it.
        pairs: What is compared.
        margin: Smallest relative change that matters.
        significance: Level that adjusted p-values must stay below.
        looks: How often the study is judged while it grows; the level is divided among them.
        rng: Generator of the resamples, or its seed; None draws differently in every call.
        resamples: Resamples for each of two block lengths.
        block_length: Init times per block; by default chosen from the errors' autocorrelation.
        accept_single_seed: Judge with one seed each, where the variance between trainings is
            unknown: the verdict then holds for these two networks only.

    Returns:
        The rows of ``comparisons.csv``, the overall one of each pair before the others of the pair
        (:data:`airshed.comparison.table.COLUMNS`). ``limit`` says what a verdict is limited to
        (``these days only`` if the test period has fewer than 12 blocks), or why it can only be
        ``inconclusive``, whatever the numbers.

    Raises:
        AirshedError: The arrays do not fit each other, hold values that are no squared errors, or
            have too few init times.
    """
    names = list(models)
    aligned = align(list(models.values()))
    study = reduce(add, (Spread.of(aligned.log_rmse(place)) for place in range(len(names))))
    tables = []
    for pair in pairs:
        places = names.index(pair.variant), names.index(pair.reference)
        errors = aligned.pair(*places, pair.same_start)
        block = block_length or automatic_block_length(errors)
        found = estimate(errors, block, resamples, np.random.default_rng(rng), study)
        training = errors.training(study)
        limit = _limit(errors, block, accept_single_seed)
        labels = [str(models[name].name or name) for name in pair[:2]]
        if limit:
            log.warning("%s against %s: %s; %s", *labels, limit.value, EXPLANATIONS[limit])
        columns = {
            "variant": labels[0],
            "reference": labels[1],
            **aligned.tests.labels(),
            **changes(found, margin, limit),
            "family": [pair.family, *[CELLS] * len(aligned.tests.pairs)],
            **variances(found),
            "training_variance": training.variance,
            "training_degrees": training.degrees,
            "seed_correlation": _correlation(aligned, *places),
            "seeds_paired": isinstance(errors, SameNetworks),
            **_cross_checks(errors, aligned.tests),
            "init_times": errors.init_time_counts(),
            "block_length": block,
            "variant_seeds": errors.seeds[0],
            "reference_seeds": errors.seeds[1],
            "limit": limit.value if limit else "",
        }
        tables.append(pd.DataFrame(columns))
    rows = pd.concat(tables, ignore_index=True)
    rows = with_detectable(judged(rows, significance, looks), significance / looks)
    return rows[list(COLUMNS)]


def is_short(errors: PairedErrors, block: int) -> bool:
    """Whether a test has fewer blocks of init times than a verdict needs."""
    return bool(errors.exists.sum(axis=0).min() < BLOCKS_FOR_A_VERDICT * block)


def _limit(errors: PairedErrors, block: int, accept_single_seed: bool) -> Limit | None:
    short = is_short(errors, block)
    if errors.seeds == (1, 1):
        accepted = Limit.these_networks if accept_single_seed else Limit.one_seed
        return Limit.short_test if short else accepted
    return Limit.these_days if short else None


def changes(found: Estimate, margin: float, limit: Limit | None) -> dict[str, object]:
    """Changes, intervals and p-values of each row alone; the overall row comes first."""
    if limit == Limit.these_days:
        found = replace(found, parts=found.parts[:-1])
    low, high = found.interval()
    return {
        "relative_rmse_change": found.change,
        "ci_low": low,
        "ci_high": high,
        "p_value": found.p_values(),
        "p_beyond_alone": found.p_beyond(margin),
        "p_equivalent_alone": found.p_equivalent(margin),
    }


def variances(found: Estimate) -> dict[str, object]:
    """The parts of the variance of each row, and their degrees of freedom."""
    *between_seeds, over_time = found.parts
    known = bool(between_seeds)
    return {
        "seed_variance": sum(part.variance for part in between_seeds) if known else math.nan,
        "seed_degrees": _degrees(between_seeds) if known else math.nan,
        "time_variance": over_time.variance,
        "time_degrees": over_time.degrees,
    }


def _degrees(parts: Sequence[Part]) -> Floats:
    """[1 + K]: of the part that is known worst, zero ones aside."""
    varying = [np.where(part.variance > 0, part.degrees, np.inf) for part in parts]
    return np.minimum(np.min(varying, axis=0), parts[0].degrees)


def _correlation(aligned: Aligned, variant: int, reference: int) -> float:
    seeds = aligned.seeds[variant], aligned.seeds[reference]
    return seed_correlation(aligned.log_rmse(variant), aligned.log_rmse(reference), seeds)


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
