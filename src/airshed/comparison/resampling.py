"""How much an RMSE ratio varies with the init times at hand: block bootstrap over time."""

from __future__ import annotations

import math
import warnings

import numpy as np
from arch.bootstrap import optimal_block_length
from scipy.sparse import csr_array

from airshed.arrays import Floats
from airshed.comparison.pairing import PairedErrors
from airshed.errors import AirshedError

MIN_DEFINED = 0.9
MAX_BLOCKS = 200
MIN_BLOCKS = 3
QUARTILE = 0.75


def automatic_block_length(errors: PairedErrors) -> int:
    """Init times per block: of the lengths that the tests' differences ask for, the upper quartile.

    One length serves all tests because all are resampled together; the longest one of many would
    mostly be the one that is estimated worst. It is at least a 200th of the
    test period (more blocks than that gain hardly anything, while longer ones keep correlation
    that is too weak to be noticed) and at most a third. Source: Politis and White (2004) with the
    correction of Patton, Politis and White (2009), for the circular bootstrap.
    """
    differences = errors.differences().astype(np.float64)
    shortest = math.ceil(errors.init_times / MAX_BLOCKS)
    varying = differences[:, differences.std(axis=0) > 0]
    if not varying.size:
        return shortest
    wanted = math.ceil(optimal_block_length(varying)["circular"].quantile(QUARTILE))
    return min(max(shortest, wanted), errors.init_times // MIN_BLOCKS)


def time_variances(
    errors: PairedErrors, block: int, resamples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Variances of changes of log RMSE over init times, for the trained networks at hand.

    Blocks of b init times miss the correlation between blocks, an error of order 1/b. It is
    removed to first order by extrapolation from lengths b and 2b (the flat-top window of Politis
    and Romano 1995); the result is at least the variance at 2b.

    Returns:
        [1 + K] twice: the variance of the change, and the part of it in which seeds differ from
        each other (the interaction of seeds and init times; 0 with one seed each). Both are NaN
        for scores other than RMSE that hardly any resample defines.

    Raises:
        AirshedError: There are too few blocks, or a test has too few init times.
    """
    if errors.init_times < MIN_BLOCKS * block:
        raise AirshedError(
            "the test split is too short for its init times to be resampled in blocks",
            where="comparison.block_length_h",
            expected=f"at least {MIN_BLOCKS} blocks",
            found=f"{errors.init_times} init times in blocks of {block}",
            hint="lengthen splits.test or shorten comparison.block_length_h",
        )
    short, long = (_variances(errors, length, resamples, rng) for length in (block, 2 * block))
    extrapolated = np.maximum(2 * long - short, long)
    return extrapolated[0], extrapolated[1]


def _variances(
    errors: PairedErrors, block: int, resamples: int, rng: np.random.Generator
) -> Floats:
    """[2, 1 + K]: variance of the changes, and of the interaction, with blocks of a length."""
    means, counts = _resampled_means(errors, block, resamples, rng)
    defined = (counts > 0).all(axis=1)
    if defined.mean() < MIN_DEFINED:
        raise AirshedError(
            "a pollutant and horizon has too few init times to be compared",
            expected=f"a defined change in at least {MIN_DEFINED:.0%} of the resamples",
            found=f"{defined.mean():.0%}; init times per test:"
            f" {np.unique(errors.exists.sum(axis=0)).tolist()}",
            hint="lengthen splits.test or shorten comparison.block_length_h",
        )
    means = means[:, defined]
    by_seed, changes = errors.scale(means), errors.change(means)
    undefined = np.isfinite(changes).mean(axis=0) < MIN_DEFINED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what is never defined has no mean
        apart = by_seed - np.nanmean(by_seed, axis=1, keepdims=True)
        interaction = np.nanmean(errors.seed_variance(apart), axis=0)
        total = np.nanvar(changes, axis=0, ddof=1)
    total[undefined] = interaction[undefined] = math.nan
    drawn, whole = block * _blocks(errors.init_times, block), errors.init_times
    # To the number of init times at hand; then for the mean, which is itself estimated.
    return np.stack([total, interaction]) * (drawn / whole) / (1 - block / whole)


def _resampled_means(
    errors: PairedErrors, block: int, resamples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """[S + S', R, (M,) K]: means of resamples made of whole circular blocks; their counts [R, K].

    Every test, seed and model gets the same blocks, because they forecast the same weather.
    """
    times, blocks = errors.init_times, _blocks(errors.init_times, block)
    starts = rng.integers(times, size=resamples * blocks)
    row_ends = np.arange(0, len(starts) + 1, blocks)
    picked = csr_array((np.ones(len(starts)), starts, row_ends), shape=(resamples, times))

    def drawn(values: Floats) -> Floats:
        """[T, ...] to [R, ...]."""
        sums = _block_sums(values, block)
        return (picked @ sums.reshape(times, -1)).reshape(resamples, *values.shape[1:])

    counts = drawn(errors.exists.astype(np.float64))
    both = np.concatenate([errors.variant, errors.reference])
    sums = np.moveaxis(drawn(np.moveaxis(both, -2, 0)), 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = sums / counts.reshape(resamples, *[1] * (both.ndim - 3), -1)
    return means, counts


def _block_sums(values: Floats, block: int) -> Floats:
    """[T, ...]: sums over the circular blocks that begin at each init time."""
    cumulated = np.cumsum(np.concatenate([values, values[: block - 1]]), axis=0)
    sums: Floats = cumulated[block - 1 :].copy()
    sums[1:] -= cumulated[: len(values) - 1]
    return sums


def _blocks(times: int, block: int) -> int:
    return max(1, round(times / block))
