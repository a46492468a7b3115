"""The smallest change that is found, against brute force; seeds and days by trying every number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from airshed.comparison.planning import MOST_SEEDS, Precision

KNOWN = Precision(
    training=0.01**2,
    training_degrees=12.0,
    seeds=(3, 3),
    over_time=0.004**2,
    time_degrees=9.0,
    level=0.05 / 6,
)


@pytest.mark.parametrize("given", [KNOWN, replace(KNOWN, seeds=(2, 5), over_time=0.03**2)])
def test_the_smallest_change_is_found_in_eight_of_ten_repetitions(given: Precision) -> None:
    """Repetitions of the study, each with its own trainings, days and estimates of variances."""
    rng, count, own = np.random.default_rng(1), 100_000, sum(given.seeds) - 2
    seeds = given.training * (1 / given.seeds[0] + 1 / given.seeds[1])
    change = np.log1p(given.smallest)
    values = change + np.sqrt(seeds + given.over_time) * rng.standard_normal(count)
    widths = sum(
        (stats.t.isf(given.level / 2, degrees) ** 2)
        * variance
        * rng.chisquare(degrees, count)
        / degrees
        for variance, degrees in (
            (seeds, min(4 + own, given.training_degrees)),
            (given.over_time, given.time_degrees),
        )
    )
    assert (np.abs(values) > np.sqrt(widths)).mean() == pytest.approx(0.8, abs=0.01)


def test_with_variances_as_good_as_known_it_is_the_textbook_formula() -> None:
    known = replace(KNOWN, over_time=0.0, seeds=(5000, 5000), training_degrees=1e6, level=0.05)
    error = np.sqrt(known.training * 2 / 5000)
    expected = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) * error
    assert np.log1p(known.smallest) == pytest.approx(expected, rel=0.01)


def test_the_range_is_as_wide_as_the_variances_are_uncertain() -> None:
    """With one part of the variance, the ends are those of its chi-square interval."""
    alone = replace(KNOWN, over_time=0.0)
    tails = stats.chi2.ppf([0.975, 0.025], 12)
    expected = np.log1p(alone.smallest) * np.sqrt(12 / tails)
    np.testing.assert_allclose(np.log1p(alone.range()), expected)
    low, high = KNOWN.range()
    assert low < KNOWN.smallest < high


def test_seeds_are_the_fewest_that_find_a_change() -> None:
    needed = KNOWN.seeds_needed(0.02)
    assert needed is not None
    assert KNOWN.planned(needed).smallest <= 0.02 < KNOWN.planned(needed - 1).smallest
    forever = replace(KNOWN, over_time=0.1**2)
    assert forever.seeds_needed(0.02) is None
    assert forever.planned(MOST_SEEDS).smallest > 0.02


def test_a_longer_period_is_as_long_as_it_must_be() -> None:
    times = replace(KNOWN, training=1e-8)
    longer = times.longer_needed(0.01)
    assert longer is not None
    assert times.planned(3, longer).smallest <= 0.01 < times.planned(3, longer / 1.1).smallest
    assert replace(KNOWN, training=0.2**2).longer_needed(0.01) is None


def test_nothing_varies() -> None:
    still = replace(KNOWN, training=0.0, over_time=0.0)
    assert still.smallest == 0
    assert still.range() == (0, 0)
