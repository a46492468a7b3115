from __future__ import annotations

import numpy as np
import pytest

from airshed.comparison.bootstrap import Changes, Resampling, draw_counts, paired_changes
from airshed.errors import AirshedError


def autocorrelated(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """A stationary process with unit variance along the second axis (seed, init time, test)."""
    noise = rng.normal(size=shape)
    for step in range(1, shape[1]):
        noise[:, step] = memory * noise[:, step - 1] + np.sqrt(1 - memory**2) * noise[:, step]
    return noise


def pair(rng: np.random.Generator, seeds: int, inits: int, tests: int) -> list[np.ndarray]:
    """Squared errors of two models of equal skill on the same weather."""
    weather = autocorrelated(rng, (1, inits, tests), 0.6)
    own = [autocorrelated(rng, (seeds, inits, tests), 0.6) for _ in range(2)]
    return [np.exp(0.5 * weather + 0.2 * noise) for noise in own]


def test_counts_are_explicit_resampling() -> None:
    """Every resample written out: indices of init times and seeds, then plain means."""
    rng = np.random.default_rng(5)
    variant, reference = pair(rng, seeds=3, inits=20, tests=4)
    variant[:, 3, 1] = reference[:, 3, 1] = np.nan
    resampling = Resampling(resamples=300, block=6, seed=2)
    changes = paired_changes(variant, reference, resampling)
    expected = []
    for init_counts, seed_counts in draw_counts(3, 20, resampling):
        for inits, seeds in zip(init_counts.astype(int), seed_counts.astype(int), strict=True):
            times, members = np.repeat(np.arange(20), inits), np.repeat(np.arange(3), seeds)
            rmse = [
                np.sqrt(np.nanmean(errors[members][:, times], axis=(0, 1)))
                for errors in (variant, reference)
            ]
            expected.append(rmse[0] / rmse[1] - 1)
    np.testing.assert_allclose(changes.resampled, expected, rtol=1e-12, atol=1e-12)
    rmse = [np.sqrt(np.nanmean(errors, axis=(0, 1))) for errors in (variant, reference)]
    np.testing.assert_allclose(changes.observed, rmse[0] / rmse[1] - 1)


def test_draws_are_as_large_as_the_sample_and_made_of_blocks() -> None:
    (init_counts, seed_counts), *rest = draw_counts(2, 24, Resampling(50, 8, 0))
    assert not rest
    assert (init_counts.sum(axis=1) == 24).all()
    assert (seed_counts.sum(axis=1) == 2).all()
    assert set(seed_counts[:, 0]) == {0, 1, 2}
    for counts in init_counts:
        edges = np.flatnonzero(counts != np.roll(counts, 1))
        assert len(edges) <= 6, "three blocks have at most six edges"


def test_the_same_seed_draws_the_same() -> None:
    variant, reference = pair(np.random.default_rng(0), 2, 40, 3)
    one, same, other = (
        paired_changes(variant, reference, Resampling(300, 5, seed)).resampled for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_interval_and_p_values_of_known_resamples() -> None:
    resampled = np.column_stack([np.arange(-10, 90), np.arange(1, 101), np.zeros(100)]) / 100
    changes = Changes(resampled.mean(axis=0), resampled)
    low, high = changes.interval()
    np.testing.assert_allclose(low[:2], [-0.1 + 0.02475, 0.01 + 0.02475])
    np.testing.assert_allclose(high[:2], [0.89 - 0.02475, 1.0 - 0.02475])
    np.testing.assert_allclose(changes.p_values(), [2 * 12 / 101, 2 / 101, 1])
    overall = changes.mean()
    np.testing.assert_allclose(overall.observed, [changes.observed.mean()])
    np.testing.assert_allclose(overall.resampled[:, 0], resampled.mean(axis=1))


def test_equal_skill_is_rarely_significant() -> None:
    rng = np.random.default_rng(7)
    p_values = [
        paired_changes(*pair(rng, 1, 480, 4), Resampling(400, 24, trial)).p_values()
        for trial in range(75)
    ]
    rate = np.mean(np.array(p_values) < 0.05)
    assert 0 < rate < 0.12


def test_blocks_widen_the_interval_of_autocorrelated_errors() -> None:
    """Init times drawn one by one would take correlated errors for independent evidence."""
    rng = np.random.default_rng(3)
    variant, reference = pair(rng, 1, 2000, 4)
    widths = []
    for block in (1, 40):
        low, high = paired_changes(variant, reference, Resampling(400, block, 0)).interval()
        widths.append((high - low).mean())
    assert widths[1] > 1.5 * widths[0]


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    variant, reference = pair(rng, 4, 200, 1)
    spread = np.array([0.8, 0.9, 1.1, 1.2])[:, None, None]
    widths = []
    for factor in (1.0, spread):
        low, high = paired_changes(variant * factor, reference, Resampling(400, 10, 0)).interval()
        widths.append((high - low)[0])
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("seeds", [1, 3])
def test_swapping_the_models_mirrors_the_evidence(seeds: int) -> None:
    variant, reference = pair(np.random.default_rng(seeds), seeds, 60, 5)
    forward, backward = (
        paired_changes(*models, Resampling(400, 6, 0))
        for models in ((variant, reference), (reference, variant))
    )
    np.testing.assert_array_equal(forward.p_values(), backward.p_values())
    np.testing.assert_allclose(1 + forward.resampled, 1 / (1 + backward.resampled))


def test_too_short_a_test_split_is_refused() -> None:
    variant, reference = pair(np.random.default_rng(0), 1, 20, 2)
    with pytest.raises(AirshedError, match="20 init times in blocks of 11"):
        paired_changes(variant, reference, Resampling(100, 11, 0))


def test_few_blocks_are_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    variant, reference = pair(np.random.default_rng(0), 1, 30, 2)
    paired_changes(variant, reference, Resampling(100, 3, 0))
    assert not caplog.records
    paired_changes(variant, reference, Resampling(100, 10, 0))
    assert "only 3.0 blocks" in caplog.text


@pytest.mark.parametrize("samples", [0, 1])
def test_a_test_with_hardly_any_samples_is_refused(samples: int) -> None:
    variant, reference = pair(np.random.default_rng(0), 1, 30, 2)
    variant[:, samples:, 1] = reference[:, samples:, 1] = np.nan
    with pytest.raises(AirshedError, match=rf"init times per test: \[{samples}, 30\]"):
        paired_changes(variant, reference, Resampling(100, 3, 0))
