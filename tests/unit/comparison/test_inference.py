from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from airshed.comparison.inference import (
    Estimate,
    Part,
    estimate,
    holm,
    time_degrees_of_freedom,
)
from airshed.comparison.pairing import PairedErrors

RNG = np.random.default_rng


def part(variance: float, degrees: float) -> Part:
    return Part(np.array([variance]), np.array([degrees]))


def test_one_part_is_students_test() -> None:
    found = Estimate(np.array([0.05]), (part(0.02**2, 3.0),))
    assert found.p_values() == pytest.approx(2 * stats.t.sf(2.5, 3))
    low, high = found.interval()
    quantile = stats.t.ppf(0.975, 3)
    assert np.log1p(low) == pytest.approx(0.05 - 0.02 * quantile)
    assert np.log1p(high) == pytest.approx(0.05 + 0.02 * quantile)
    assert found.change == pytest.approx(np.exp(0.05) - 1)


def test_an_interval_of_confidence_one_minus_p_just_reaches_zero() -> None:
    change, parts = 0.3, (part(0.01**2, 2.0), part(0.02**2, 11.5))
    p_value = Estimate(np.array([change]), parts).p_values()[0]
    squares = [
        variance * stats.t.isf(p_value / 2, degrees) ** 2
        for variance, degrees in ((0.01**2, 2.0), (0.02**2, 11.5))
    ]
    assert np.sqrt(sum(squares)) == pytest.approx(change, rel=1e-9)


def test_no_change_and_no_variance() -> None:
    nothing = (part(0.0, 3.0),)
    assert Estimate(np.array([0.0]), nothing).p_values() == 1
    assert Estimate(np.array([0.0]), (part(0.1, 3.0),)).p_values() == 1
    assert Estimate(np.array([0.1]), nothing).p_values() < 1e-90


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("level", [0.05, 0.002])
def test_two_parts_err_at_most_as_often_as_they_say(share: float, level: float) -> None:
    """Normal errors whose variance is divided between few seeds and many init times."""
    rng, count, degrees = RNG(1), 200_000, (2.0, 15.0)
    variances = (share, 1 - share)
    parts = tuple(
        Part(variance * rng.chisquare(df, count) / df, np.full(count, df))
        for variance, df in zip(variances, degrees, strict=True)
    )
    values = rng.normal(size=count)
    rate = (np.abs(values) > Estimate(values, parts).half_width(level)).mean()
    assert rate < level * 1.1
    if share in (0, 1):
        assert rate > level * 0.9


def test_satterthwaites_degrees_of_freedom_would_err_too_often() -> None:
    """Why the parts are not pooled: two seeds with nine tenths of the variance."""
    rng, count, level = RNG(1), 200_000, 0.002
    seeds, times = 0.9 * rng.chisquare(2, count) / 2, 0.1 * rng.chisquare(15, count) / 15
    degrees = (seeds + times) ** 2 / (seeds**2 / 2 + times**2 / 15)
    statistic = np.abs(rng.normal(size=count)) / np.sqrt(seeds + times)
    assert (2 * stats.t.sf(statistic, degrees) < level).mean() > 4 * level


@pytest.mark.parametrize("seeds", [(1, 1), (1, 3), (4, 2)])
def test_seeds_that_disagree_widen_the_interval(seeds: tuple[int, int]) -> None:
    rng = RNG(0)
    weather = np.exp(rng.normal(size=(1, 300, 2)))
    spread = [1 + 0.1 * np.arange(count)[:, None, None] for count in seeds]
    exists = np.ones((300, 2), dtype=bool)
    calm = PairedErrors(*(np.repeat(weather, count, axis=0) for count in seeds), exists)
    apart = PairedErrors(weather * spread[0], weather * spread[1], exists)
    widths = [estimate(errors, 3, 500, RNG(0)).half_width(0.05) for errors in (calm, apart)]
    if seeds == (1, 1):
        np.testing.assert_array_equal(*widths)
        return
    assert (widths[0] < 1e-6).all()
    logs = [np.log(factor[:, 0, 0]) / 2 for factor in spread]
    squares = sum(((one - one.mean()) ** 2).sum() for one in logs)
    degrees = sum(seeds) - 2
    error = np.sqrt(squares / degrees * (1 / seeds[0] + 1 / seeds[1]))
    np.testing.assert_allclose(widths[1], stats.t.ppf(0.975, degrees) * error, rtol=1e-6)


def test_interaction_of_seeds_and_init_times_counts_once() -> None:
    """Trainings that differ in noise alone: the spread of seed means is all the variance."""
    rng = RNG(2)
    errors = [np.exp(0.3 * rng.normal(size=(6, 500, 40))) for _ in range(2)]
    found = estimate(PairedErrors(*errors, np.ones((500, 40), dtype=bool)), 3, 1000, RNG(0))
    between, nothing, over_time = (one.variance[..., 1:].mean() for one in found.parts)
    assert nothing == 0
    logs = [np.log(one.mean(axis=1)) / 2 for one in errors]
    expected = sum(one.var(axis=0, ddof=1) for one in logs).mean() / 6
    assert between == pytest.approx(expected)
    assert over_time < 0.25 * between


def test_longer_blocks_leave_fewer_degrees_of_freedom() -> None:
    exists = np.ones((800, 2), dtype=bool)
    exists[:400, 1] = False
    np.testing.assert_allclose(time_degrees_of_freedom(exists, 10), [15, 30, 15])
    np.testing.assert_allclose(time_degrees_of_freedom(exists, 400), [1, 1, 1])


def test_holm_is_statsmodels() -> None:
    p_values = RNG(0).random(24) ** 4
    p_values[3] = p_values[8]
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])
    assert (holm(p_values) > p_values).any()
    rows = RNG(1).random((3, 5))
    expected = [multipletests(row, method="holm")[1] for row in rows]
    np.testing.assert_allclose(holm(rows), expected)


@pytest.mark.parametrize("change", [-0.03, -0.004, 0.0, 0.009, 0.2])
def test_one_sided_p_values_are_students(change: float) -> None:
    """Against a library's one-sample tests with the same mean, deviation and number of values."""
    sample = np.array([-1.0, 0.0, 1.0, 0.5, -0.5]) * 0.01
    sample = sample - sample.mean() + np.log1p(change)
    found = Estimate(sample.mean(keepdims=True), (part(sample.var(ddof=1) / 5, 4.0),))
    low, high = np.log1p(-0.01), np.log1p(0.01)
    above = stats.ttest_1samp(sample, low, alternative="greater").pvalue
    below = stats.ttest_1samp(sample, high, alternative="less").pvalue
    assert found.p_equivalent(0.01) == pytest.approx(max(above, below))
    beyond = 1 - above if change < 0 else 1 - below
    assert found.p_beyond(0.01) == pytest.approx(beyond)
