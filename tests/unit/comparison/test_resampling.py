from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, optimal_block_length
from scipy.signal import lfilter

from airshed.comparison.pairing import PairedErrors, seed_variance
from airshed.comparison.resampling import (
    automatic_block_length,
    time_variances,
)
from airshed.errors import AirshedError

RNG = np.random.default_rng


def autocorrelated(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """A stationary process with unit variance along the second axis (seed, init time, test)."""
    noise = rng.normal(size=shape)
    noise[:, 1:] *= np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], noise, axis=1)


def pair(
    seeds: tuple[int, int], inits: int, tests: int, memory: float, own: float = 0.2
) -> PairedErrors:
    """Two models of equal skill on the same weather; each training adds its own noise."""
    rng = RNG(inits)
    weather = autocorrelated(rng, (1, inits, tests), memory)
    variant, reference = (
        np.exp(0.5 * weather + own * autocorrelated(rng, (count, inits, tests), memory))
        for count in seeds
    )
    return PairedErrors(variant, reference, np.ones((inits, tests), dtype=bool))


def without(errors: PairedErrors, missing: np.ndarray) -> PairedErrors:
    """The same errors, with init times of all tests missing."""
    exists = errors.exists & ~missing[:, None]
    return PairedErrors(errors.variant * exists, errors.reference * exists, exists)


def block_variance(series: np.ndarray, block: int) -> np.ndarray:
    """What infinitely many circular block resamples give for the mean of [T, K], by plain loops."""
    times = len(series)
    sums = [np.take(series, range(t, t + block), axis=0, mode="wrap").sum(0) for t in range(times)]
    return np.var(sums, axis=0) / (block * times) / (1 - block / times)


def test_variances_are_those_of_infinitely_many_resamples() -> None:
    """To first order a log ratio is a mean of differences, whose block variance is known."""
    errors = pair((2, 3), 400, 3, 0.7)
    total, interaction = time_variances(errors, 10, 20_000, RNG(0))
    differences = errors.differences()
    lengths = [block_variance(differences, block) for block in (10, 20)]
    expected = np.maximum(2 * lengths[1] - lengths[0], lengths[1])
    np.testing.assert_allclose(total[1:], expected, rtol=0.1)
    overall = [block_variance(differences.mean(axis=1, keepdims=True), b)[0] for b in (10, 20)]
    assert total[0] == pytest.approx(max(2 * overall[1] - overall[0], overall[1]), rel=0.1)
    parts = []
    for block in (10, 20):
        by_seed = []
        for model in (errors.variant, errors.reference):
            series = model / model.mean(axis=1, keepdims=True) / 2
            by_seed += [block_variance(one, block) for one in series - series.mean(axis=0)]
        parts.append(np.sum(by_seed, axis=0) / 3 * (1 / 2 + 1 / 3))
    expected = np.maximum(2 * parts[1] - parts[0], parts[1])
    np.testing.assert_allclose(interaction[1:], expected, rtol=0.1)


def test_one_block_length_agrees_with_the_bootstrap_of_a_library() -> None:
    """With independent errors the extrapolated variance is that of plain blocks, up to noise."""
    errors = pair((1, 1), 2000, 2, 0.0)
    drawn = CircularBlockBootstrap(5, errors.variant[0], errors.reference[0], seed=RNG(1))
    ratios = [np.log(args[0].mean(0) / args[1].mean(0)) / 2 for args, _ in drawn.bootstrap(4000)]
    total, interaction = time_variances(errors, 5, 8000, RNG(2))
    np.testing.assert_allclose(total[1:], np.var(ratios, axis=0), rtol=0.25)
    assert (interaction == 0).all()


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_extrapolation_finds_the_true_variance_of_autocorrelated_errors(memory: float) -> None:
    """A mean of T values of an AR(1) process has variance (1 + r) / (1 - r) / T."""
    rng = RNG(0)
    noise = [0.01 * autocorrelated(rng, (1, 10_000, 8), memory) for _ in range(2)]
    errors = PairedErrors(np.exp(noise[0]), np.exp(noise[1]), np.ones((10_000, 8), dtype=bool))
    block = automatic_block_length(errors)
    total, _ = time_variances(errors, block, 1000, RNG(3))
    expected = 2 * 0.005**2 * (1 + memory) / (1 - memory) / 10_000
    assert total[1:].mean() == pytest.approx(expected, rel=0.15)


def test_missing_init_times_leave_gaps_and_do_not_count() -> None:
    """Half of the errors missing at random: a mean of half as many independent values."""
    errors = pair((1, 1), 3000, 4, 0.0)
    whole, _ = time_variances(errors, 4, 4000, RNG(0))
    half, _ = time_variances(without(errors, RNG(1).random(3000) < 0.5), 4, 4000, RNG(0))
    assert (half / whole).mean() == pytest.approx(2, rel=0.2)


def test_variance_between_seeds_is_that_of_a_two_sample_test() -> None:
    values = RNG(0).normal(size=(5, 3))
    variance = seed_variance(values, 2)
    pooled = (values[:2].var(0, ddof=1) + 2 * values[2:].var(0, ddof=1)) / 3
    np.testing.assert_allclose(variance, pooled * (1 / 2 + 1 / 3))
    lone = seed_variance(values[:4], 1)
    np.testing.assert_allclose(lone, values[1:4].var(0, ddof=1) * (1 + 1 / 3))
    assert (seed_variance(values[:2], 1) == 0).all()


def test_blocks_are_as_long_as_most_tests_ask_for() -> None:
    errors = pair((2, 2), 1500, 9, 0.9)
    lengths = optimal_block_length(errors.differences())["circular"]
    assert automatic_block_length(errors) == int(np.ceil(np.percentile(lengths, 75)))
    assert np.ceil(np.percentile(lengths, 75)) < np.ceil(lengths.max())
    independent = pair((2, 2), 4000, 1, 0.0)
    assert automatic_block_length(independent) == 20, "a 200th of the period"
    same = PairedErrors(errors.variant, errors.variant, errors.exists)
    assert automatic_block_length(same) == 8
    short = pair((1, 1), 15, 3, 0.98)
    assert automatic_block_length(short) <= 5


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(AirshedError, match="20 init times in blocks of 7"):
        time_variances(pair((1, 1), 20, 2, 0.0), 7, 100, RNG(0))


def test_resamples_without_any_init_time_are_refused() -> None:
    errors = pair((1, 1), 60, 2, 0.0)
    with pytest.raises(AirshedError, match=r"init times per test: \[3\]"):
        time_variances(without(errors, np.arange(60) > 2), 4, 500, RNG(0))
