"""Seeds and days that would decide, against the two-sample t-test and by trying every number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from airshed.comparison.compare import compare
from airshed.comparison.planning import MOST_SEEDS, Variances
from airshed.comparison.table import ALL


@pytest.mark.parametrize(("spread", "seeds"), [(0.02, 2), (0.01, 5), (0.3, 20)])
def test_without_variance_over_time_it_is_the_interval_of_two_samples(
    spread: float, seeds: int
) -> None:
    """Half of scipy's interval for the difference of two means with that pooled deviation."""
    unit = np.linspace(-1, 1, seeds)
    sample = unit * spread / unit.std(ddof=1)
    found = stats.ttest_ind(sample, sample).confidence_interval(0.95)
    variances = Variances(0.1, spread**2, 0.0, 10.0)
    assert variances.half_width(seeds) == pytest.approx((found.high - found.low) / 2)


def test_without_variance_between_seeds_it_is_the_interval_of_one_mean() -> None:
    variances = Variances(0.1, 0.0, 0.04, 12.0)
    assert variances.half_width(3) == pytest.approx(0.2 * stats.t.ppf(0.975, 12))
    assert variances.half_width(3, 4.0) == pytest.approx(0.1 * stats.t.ppf(0.975, 48))


def test_the_fewest_seeds_decide_and_one_less_do_not() -> None:
    variances = Variances(math.log1p(-0.03), 0.02**2, 0.005**2, 40.0)
    needed = variances.seeds_needed(0.01)
    assert needed is not None
    assert 2 < needed < MOST_SEEDS
    assert variances.half_width(needed) < -math.log1p(-0.03) < variances.half_width(needed - 1)


def test_a_change_within_the_margin_is_decided_when_its_interval_lies_there() -> None:
    variances = Variances(math.log1p(0.004), 0.005**2, 0.0, 40.0)
    needed = variances.seeds_needed(0.01)
    assert needed is not None
    assert math.expm1(math.log1p(0.004) + variances.half_width(needed)) < 0.01
    assert math.expm1(math.log1p(0.004) + variances.half_width(needed - 1)) >= 0.01


def test_seeds_do_not_replace_days_nor_days_seeds() -> None:
    over_time = Variances(0.02, 1e-12, 0.02**2, 5.0)
    assert over_time.seeds_needed(0.01) is None
    longer = over_time.longer_needed(0.01, 2)
    assert longer is not None
    assert over_time.half_width(2, longer) < 0.02 < over_time.half_width(2, longer / 1.2)
    assert Variances(0.02, 0.1**2, 1e-12, 5.0).longer_needed(0.01, 2) is None


def test_the_columns_of_a_comparison_give_back_its_interval() -> None:
    rng = np.random.default_rng(0)
    weather = rng.gamma(4, size=(1, 200, 2, 2))
    dims = ("seed", "init_time", "pollutant", "horizon_h")
    coords = {"init_time": np.arange(200.0), "pollutant": ["a", "b"], "horizon_h": [12, 24]}

    def errors(seeds: int, factor: float) -> xr.DataArray:
        noise = np.exp(
            0.1 * rng.normal(size=(seeds, 200, 2, 2)) + 0.02 * rng.normal(size=(seeds, 1, 1, 1))
        )
        return xr.DataArray(weather * factor * noise, dims=dims, coords=coords)

    table = compare(errors(3, 0.95), errors(3, 1.0), rng=0, resamples=1000)
    row = table[table["pollutant"] == ALL].iloc[0]
    parts = float(row["seed_variance"]), (3, 3), float(row["time_variance"])
    variances = Variances.of(row["relative_rmse_change"], *parts, float(row["time_degrees"]))
    width = (math.log1p(row["ci_high"]) - math.log1p(row["ci_low"])) / 2
    assert variances.half_width(3) == pytest.approx(width)


def test_one_seed_each_leaves_the_variance_between_trainings_unknown() -> None:
    errors = xr.DataArray(
        np.random.default_rng(0).gamma(4, size=(1, 60, 1, 1)),
        dims=("seed", "init_time", "pollutant", "horizon_h"),
        coords={"init_time": np.arange(60.0), "pollutant": ["a"], "horizon_h": [12]},
    )
    table = compare(errors, errors * 1.1, rng=0, resamples=1000)
    assert table["seed_variance"].isna().all()
    assert (table["time_degrees"] >= 1).all()
