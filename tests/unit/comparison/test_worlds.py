"""A change in one simulated world against the same change in another one."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.signal import lfilter

from airshed.comparison.inference import estimate
from airshed.comparison.resampling import automatic_block_length

Load = Callable[[str], ModuleType]
SEEDS, TRUTH = 3, -0.02


@pytest.fixture
def worlds(benchmark_module: Load) -> ModuleType:
    return benchmark_module("worlds")


def simulated(rng: np.random.Generator, share: float, inits: int = 150) -> list[np.ndarray]:
    """[S, 2, T, K] of two worlds: weather in common, trainings and pairs that share their seed.

    ``share``: of the variance between trainings, what a variant and its reference have in common.
    """

    def noise(*networks: int) -> np.ndarray:
        return lfilter([1.0], [1.0, -0.7], rng.normal(size=(*networks, inits, 3)), axis=-2)

    weather, structure = 0.5 * noise(1, 1), 0.05 * noise(1, 2)
    worlds = []
    for change in (TRUTH, 0.0):
        common = np.sqrt(share) * rng.normal(size=(SEEDS, 1, 1, 1))
        own = np.sqrt(1 - share) * rng.normal(size=(SEEDS, 2, 1, 1))
        logs = weather + structure + 0.03 * noise(1, 2) + 0.05 * noise(SEEDS, 2)
        logs = logs + 2 * 0.01 * (common + own)
        logs[:, 0] += 2 * change
        worlds.append(np.exp(logs))
    return worlds


@pytest.mark.parametrize("share", [0.0, 0.8])
def test_intervals_hold_the_true_difference(worlds: ModuleType, share: float) -> None:
    """95 % in 200 repetitions: at least 91 %, by 2.6 standard deviations of the count."""
    rng, inside = np.random.default_rng(round(10 * share)), 0
    for _ in range(200):
        pairs = simulated(rng, share)
        errors = worlds.TwoWorlds(*pairs, np.ones(pairs[0].shape[2:], bool), worlds.log_ratio)
        found = estimate(errors, automatic_block_length(errors), 100, rng)
        low, high = found.bounds()
        inside += int(low[0] <= TRUTH <= high[0])
    assert inside >= 182


def arrays(pairs: np.ndarray) -> list[xr.DataArray]:
    times = pd.date_range("2015-03-21", periods=pairs.shape[2], freq="3h")
    places = {"init_time": times, "pollutant": ["pm25"], "horizon_h": [12, 24, 48]}
    dims = ("seed", "init_time", "pollutant", "horizon_h")
    return [xr.DataArray(pairs[:, one][:, :, None], places, dims, name="it") for one in (0, 1)]


def test_without_weather_it_is_a_t_test_between_the_pairs_of_two_worlds(worlds: ModuleType) -> None:
    rng = np.random.default_rng(0)
    logs = 1e-3 * rng.normal(size=(2, SEEDS, 2, 1, 3))
    logs[0, :, 0] += 2e-3
    one, other = np.exp(2 * logs) * np.ones((60, 3))
    errors = worlds.TwoWorlds.of(arrays(one), arrays(other))
    found = estimate(errors, 2, 200, rng)
    ratios = (logs[:, :, 0] - logs[:, :, 1])[:, :, 0]
    both = [np.c_[world.mean(axis=1), world] for world in ratios]
    expected = stats.ttest_ind(*both)
    np.testing.assert_allclose(found.log_ratio, both[0].mean(0) - both[1].mean(0), atol=1e-5)
    np.testing.assert_allclose(found.p_values(), expected.pvalue, rtol=0.01)
    correlation = np.corrcoef(both[0][:, 0], both[1][:, 0])[0, 1]
    assert errors.correlation() == pytest.approx(correlation, abs=1e-3)
