"""Paired bootstrap of relative RMSE changes over seeds and blocks of consecutive init times."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from arch.bootstrap import CircularBlockBootstrap

from airshed.errors import AirshedError

log = logging.getLogger(__name__)

CONFIDENCE = 0.95
FEW_BLOCKS = 10
CHUNK = 256
MIN_DEFINED = 0.9

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Resampling:
    """How often and in which blocks init times are drawn again.

    ``block`` is a number of consecutive init times.
    """

    resamples: int
    block: int
    seed: int


@dataclass(frozen=True)
class Changes:
    """Relative RMSE changes: of the sample [K], and of the resamples [R, K]."""

    observed: Floats
    resampled: Floats

    def interval(self) -> tuple[Floats, Floats]:
        """Percentile interval at 95 %, [K] each."""
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(self.resampled, [tail, 1 - tail], axis=0)
        return low, high

    def p_values(self) -> Floats:
        """Two-sided p-values of no change, [K].

        Twice the share of resampled changes on the rarer side of zero (zero belongs to both), with
        1 added to both counts so that it is never 0 (Davison and Hinkley 1997, eq. 4.11).
        """
        below = (self.resampled <= 0).sum(axis=0)
        above = (self.resampled >= 0).sum(axis=0)
        share = (1 + np.minimum(below, above)) / (1 + len(self.resampled))
        return np.minimum(1.0, 2 * share)

    def mean(self) -> Changes:
        """The mean over all K, as one column."""
        return Changes(
            self.observed.mean(keepdims=True), self.resampled.mean(axis=1, keepdims=True)
        )


def paired_changes(variant: Floats, reference: Floats, resampling: Resampling) -> Changes:
    """Relative change of RMSE and its bootstrap distribution.

    The RMSE is the root of the mean over seeds and init times of the squared errors. A resample
    draws seeds (with replacement, as many as there are) and circular blocks of consecutive init
    times; variant and reference get the same draw, and so do all seeds, because they forecast the
    same weather. Blocks keep the autocorrelation of errors (Politis and Romano 1992).

    With one seed only init times are drawn: the interval then says nothing about the spread
    between trainings. With few seeds that spread is underestimated, because the n seeds at hand
    have on average (n - 1)/n of the variance of all seeds.

    Args:
        variant: [S, T, K] mean squared errors for seeds, init times and tests; NaN where there is
            no sample, alike in both arrays.
        reference: [S, T, K], the same seeds in the same order.
        resampling: Number of resamples, length of blocks, seed.

    Raises:
        AirshedError: There are fewer than two blocks, or a test has hardly any init times.
    """
    _check_blocks(variant.shape[1], resampling.block)
    exists = np.isfinite(variant[0]) & np.isfinite(reference[0])
    squared = np.nan_to_num(np.stack([variant, reference]), nan=0.0)
    once = np.ones((1, variant.shape[1])), np.ones((1, len(variant)))
    observed = _changes(squared, exists, *once)[0]
    drawn = draw_counts(len(variant), variant.shape[1], resampling)
    resampled = np.concatenate([_changes(squared, exists, *counts) for counts in drawn])
    defined = np.isfinite(resampled).all(axis=1)
    if not np.isfinite(observed).all() or defined.mean() < MIN_DEFINED:
        init_times = np.unique(exists.sum(axis=0)).tolist()
        raise AirshedError(
            "a pollutant and horizon has too few init times, or no error at all, to be compared",
            expected=f"a defined change in at least {MIN_DEFINED:.0%} of the resamples",
            found=f"{defined.mean():.0%}; init times per test: {init_times}",
            hint="lengthen splits.test or shorten comparison.block_length_h",
        )
    return Changes(observed, resampled[defined])


def draw_counts(seeds: int, inits: int, resampling: Resampling) -> Iterator[tuple[Floats, Floats]]:
    """How often each init time [C, T] and each seed [C, S] is drawn, in chunks of resamples."""
    generator = np.random.default_rng(resampling.seed)
    blocks = CircularBlockBootstrap(resampling.block, np.arange(inits), seed=generator)
    for start in range(0, resampling.resamples, CHUNK):
        size = min(CHUNK, resampling.resamples - start)
        init_counts = [np.bincount(blocks.update_indices(), minlength=inits) for _ in range(size)]
        drawn = generator.integers(seeds, size=(size, seeds))
        seed_counts = [np.bincount(row, minlength=seeds) for row in drawn]
        yield np.array(init_counts, dtype=float), np.array(seed_counts, dtype=float)


def _changes(
    squared: Floats, exists: npt.NDArray[np.bool_], init_counts: Floats, seed_counts: Floats
) -> Floats:
    """Relative changes [C, K] of resamples given by counts; NaN where a test has no init time."""
    weights = init_counts @ exists
    by_seed = np.tensordot(init_counts, squared, axes=(1, 2))
    pooled = np.einsum("cs,cmsk->cmk", seed_counts, by_seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        mse = pooled / (seed_counts.sum(axis=1)[:, None, None] * weights[:, None])
        changes: Floats = np.sqrt(mse[:, 0] / mse[:, 1]) - 1
    return changes


def _check_blocks(inits: int, block: int) -> None:
    blocks = inits / block
    if blocks < 2:
        raise AirshedError(
            "the test split is too short for its init times to be resampled in blocks",
            where="comparison.block_length_h",
            expected="at least two blocks",
            found=f"{inits} init times in blocks of {block}",
            hint="lengthen splits.test or shorten comparison.block_length_h",
        )
    if blocks < FEW_BLOCKS:
        log.warning("only %.1f blocks of init times: confidence intervals are rough", blocks)
