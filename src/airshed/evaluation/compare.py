"""The paired comparison of a variant with its reference: change of RMSE, interval, verdict."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.comparison.diebold_mariano import diebold_mariano
from airshed.comparison.inference import Estimate, estimate, holm
from airshed.comparison.resampling import Floats, PairedErrors, automatic_block_length
from airshed.comparison.table import ALL, COLUMNS
from airshed.comparison.verdict import EXPLANATIONS, Limit, Verdict, verdict
from airshed.errors import AirshedError

log = logging.getLogger(__name__)

DIMS = ("seed", "init_time", "pollutant", "horizon_h")
BLOCKS_FOR_A_VERDICT = 12
MIN_INIT_TIMES = 12

HOUR = np.timedelta64(1, "h")


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
    root of the mean squared error over seeds and init times. The overall change is the mean of the
    changes over pollutants and horizons. Both forecast the same init times, so their errors are
    paired in time; their seeds are separate trainings and are not paired, so that the sets may
    differ in seeds and in number. Intervals and p-values hold for another set of seeds and another
    test period (:mod:`airshed.comparison.inference`); p-values are adjusted by Holm (1979) over
    pollutants and horizons. The overall row is one test, adjusted for nothing. How often verdicts
    are wrong was simulated: docs/statistics.md.

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
    errors, grid = _paired(variant, reference)
    block = block_length or automatic_block_length(errors)
    found = estimate(errors, block, resamples, np.random.default_rng(rng))
    limit = _limit(errors, block, accept_single_seed)
    names = str(variant.name or "variant"), str(reference.name or "reference")
    if limit:
        log.warning("%s against %s: inconclusive; %s", *names, EXPLANATIONS[limit])
    columns = {
        "variant": names[0],
        "reference": names[1],
        **grid.labels(),
        **_judged(found, margin, significance, limit),
        **_cross_checks(errors, grid),
        "init_times": [errors.exists.any(axis=1).sum(), *errors.exists.sum(axis=0)],
        "block_length": block,
        "variant_seeds": errors.seeds[0],
        "reference_seeds": errors.seeds[1],
        "limit": limit.value if limit else "",
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


@dataclass(frozen=True)
class _Grid:
    """The tests, pollutants by horizons, and the hours between init times."""

    tests: pd.MultiIndex
    step_h: float

    def labels(self) -> dict[str, list[object]]:
        return {
            name: [ALL, *self.tests.get_level_values(name)] for name in ("pollutant", "horizon_h")
        }

    def horizon_steps(self) -> list[int]:
        """Horizon of the overall row (the longest), then of each test, in init times."""
        horizons = self.tests.get_level_values("horizon_h")
        return [max(1, round(hours / self.step_h)) for hours in (horizons.max(), *horizons)]


def _paired(variant: xr.DataArray, reference: xr.DataArray) -> tuple[PairedErrors, _Grid]:
    """The errors as arrays, init times evenly spaced, tests side by side."""
    for given in (variant, reference):
        _check_dimensions(given)
    for name in DIMS[1:]:
        if not variant.indexes[name].equals(reference.indexes[name]):
            raise AirshedError(
                f"a variant and its reference must have the same {name}",
                where=f"{variant.name} and {reference.name}",
                expected=variant.indexes[name].tolist(),
                found=reference.indexes[name].tolist(),
            )
    positions, step_h = _even_positions(variant.indexes["init_time"])
    stacked = []
    for given in (variant, reference):
        values = given.transpose(*DIMS).values.astype(float)
        _check_values(given.name, values)
        even = np.full((len(values), positions[-1] + 1, *values.shape[2:]), np.nan)
        even[:, positions] = values
        stacked.append(even.reshape(*even.shape[:2], -1))
    exists = np.isfinite(np.concatenate(stacked)).all(axis=0)
    _check_counts(exists, stacked)
    tests = pd.MultiIndex.from_product([variant.indexes[name] for name in DIMS[2:]])
    errors = [np.where(exists, squared, 0) for squared in stacked]
    return PairedErrors(errors[0], errors[1], exists), _Grid(tests, step_h)


def _check_dimensions(given: xr.DataArray) -> None:
    missing = [name for name in DIMS[1:] if name not in given.indexes]
    if set(given.dims) != set(DIMS) or missing or not given.size:
        raise AirshedError(
            "errors to be compared have the wrong form",
            where=given.name,
            expected=f"dimensions {', '.join(DIMS)}, none empty, all but seed with coordinates",
            found=", ".join(f"{name} ({size})" for name, size in given.sizes.items()),
        )


def _check_values(name: object, values: Floats) -> None:
    known = values[~np.isnan(values)]
    if np.isinf(known).any() or (known < 0).any():
        raise AirshedError(
            "errors to be compared are no squared errors",
            where=name,
            expected="finite numbers, 0 or more, or NaN where there is no sample",
            found=f"values from {known.min():g} to {known.max():g}",
        )


def _check_counts(exists: npt.NDArray[Any], stacked: list[Floats]) -> None:
    counts = exists.sum(axis=0)
    totals = [np.where(exists, errors, 0).sum(axis=1).min() for errors in stacked]
    if counts.min() < MIN_INIT_TIMES or min(totals) == 0:
        raise AirshedError(
            "a pollutant and horizon has too few init times, or no error at all, to be compared",
            expected=f"at least {MIN_INIT_TIMES} init times that all seeds of both have",
            found=f"init times per test: {np.unique(counts).tolist()}",
            hint="lengthen splits.test",
        )


def _even_positions(init_times: pd.Index) -> tuple[npt.NDArray[Any], float]:
    """Positions of init times on an even axis, and its step in hours (numbers are hours)."""
    values = init_times.to_numpy()
    if np.issubdtype(values.dtype, np.datetime64):
        values = (values - values[0]) / HOUR
    hours = np.asarray(values, dtype=float)
    gaps = np.diff(hours)
    if not (gaps > 0).all():
        raise AirshedError("init times to be compared must increase", found=init_times.tolist())
    step_h = float(gaps.min()) if len(gaps) else 1.0
    positions = (hours - hours[0]) / step_h
    if not np.allclose(positions, np.round(positions), atol=1e-6):
        raise AirshedError(
            "init times to be compared must be multiples of one step apart",
            expected=f"multiples of {step_h:g} h",
            found=f"gaps of {', '.join(f'{gap:g}' for gap in np.unique(gaps))} h",
        )
    return np.round(positions).astype(int), step_h


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


def _cross_checks(errors: PairedErrors, grid: _Grid) -> dict[str, list[float]]:
    """The test of Diebold and Mariano for errors averaged over seeds; overall, over tests too."""
    series = []
    for of_model in (errors.variant, errors.reference):
        mean = np.where(errors.exists, of_model.mean(axis=0), np.nan)
        series.append(mean)
    scale = np.nanmean(series[1], axis=0)
    overall = [(mean / scale).mean(axis=1) for mean in series]
    pairs = [overall, *zip(series[0].T, series[1].T, strict=True)]
    found = [
        diebold_mariano(one, other, steps)
        for (one, other), steps in zip(pairs, grid.horizon_steps(), strict=True)
    ]
    return {
        "dm_statistic": [statistic for statistic, _ in found],
        "dm_p_value": [p_value for _, p_value in found],
    }
