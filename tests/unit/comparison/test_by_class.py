"""Changes by class against the comparison of a study and numbers derived by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from airshed.comparison.by_class import RESAMPLES, changes_by_class, class_sums
from airshed.comparison.compare import compare
from airshed.comparison.maps import shown_cells

BINS = {"all": "domain", "calm": "wind_speed", "windy": "wind_speed", "flat": "ruggedness"}
TIMES = pd.date_range("2016-07-01", periods=60, freq="6h")  # all in summer


def scores(seed: int, factor: float) -> xr.Dataset:
    """Ten pairs everywhere; in the first twenty init times nine of them are windy, else one is.

    All are flat; errors of windy ones are twice as large.
    """
    dims = ("init_time", "horizon_h", "bin", "statistic", "pollutant")
    count = np.full((60, 2, 4, 2), 10.0)
    count[:, :, 1], count[:, :, 2] = 9, 1
    count[:20, :, 1], count[:20, :, 2] = 1, 9
    error = factor * np.random.default_rng(seed).gamma(20, 1, (60, 2, 1, 2))
    sums = np.stack([count, count * error], axis=3)
    joint = ("init_time", "horizon_h", "ruggedness", "wind_speed", "pollutant")
    pairs = np.stack([count[:, :, 1:3], np.zeros((60, 2, 2, 2))], axis=2)
    coords = {
        "init_time": TIMES,
        "horizon_h": [12, 24],
        "bin": list(BINS),
        "statistic": ["count", "squared"],
        "pollutant": ["pm25", "o3"],
        "bin_kind": ("bin", list(BINS.values())),
        "ruggedness": ["flat", "rugged"],
        "wind_speed": ["calm", "windy"],
    }
    squared = pairs * error[:, :, None] * np.array([1, 2])[:, None]
    found = {"joint_count": (joint, pairs), "joint_squared": (joint, squared)}
    return xr.Dataset(found | {"sums": (dims, sums)}, coords)


def errors(seeds: tuple[int, ...], factor: float, name: str) -> xr.DataArray:
    parts = [scores(seed, factor)["sums"].isel(bin=0) for seed in seeds]
    mse = [part.sel(statistic="squared") / part.sel(statistic="count") for part in parts]
    stacked = xr.concat([one.drop_vars(("bin", "bin_kind")) for one in mse], dim="seed")
    return stacked.assign_coords(seed=list(seeds)).rename(name)


PAIR = (((1, 2), 0.81), ((3, 4), 1.0))


def row(**changed: object) -> pd.Series:
    names = {"variant": "mask", "reference": "none", "block_length": 2, "limit": np.nan}
    return pd.Series(names | changed)


def changes(**changed: object) -> pd.DataFrame:
    both = [[class_sums(scores(seed, factor)) for seed in seeds] for seeds, factor in PAIR]
    return changes_by_class(both[0], both[1], row(**changed), 0)


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    """Of a test that is long enough."""
    return changes().set_index("stratum")


def test_a_season_that_holds_everything_is_the_whole_comparison(found: pd.DataFrame) -> None:
    """The same change and interval as ``comparisons.csv`` has, from other code."""
    models = [errors(seeds, factor, name) for (seeds, factor), name in zip(PAIR, "ab", strict=True)]
    whole = compare(*models, rng=0, resamples=RESAMPLES, block_length=2).iloc[0]
    names = ["change_percent", "ci_low_percent", "ci_high_percent"]
    expected = 100 * whole[["relative_rmse_change", "ci_low", "ci_high"]].astype(float).to_numpy()
    assert found.loc["JJA", names].to_numpy(float) == pytest.approx(expected, rel=1e-5)
    assert "DJF" not in found.index  # without a pair, without a row


def test_joint_classes_are_those_of_cells(found: pd.DataFrame) -> None:
    """Weighted by the pairs of each init time by hand; the interval is that of the plain sums."""
    assert set(found.index[found["stratum_kind"] == "ruggedness_by_wind"]) == {
        "flat, calm",
        "flat, windy",
    }  # nothing is rugged
    weights = np.where(np.arange(60) < 20, 9, 1)
    levels = [
        np.log(
            np.average(errors(seeds, factor, "x").transpose("init_time", ...), 0, weights).mean(0)
        ).mean()
        / 2
        for seeds, factor in PAIR
    ]
    expected = 100 * np.expm1(float(levels[0] - levels[1]))
    assert found.loc["flat, windy", "change_percent"] == pytest.approx(expected, rel=1e-4)
    for name in ("ci_low_percent", "ci_high_percent"):
        assert found.loc["flat, windy", name] == pytest.approx(found.loc["windy", name], rel=1e-4)
        assert found.loc["flat, calm", name] == pytest.approx(found.loc["calm", name], rel=1e-4)


def test_a_short_test_is_judged_by_its_trainings_alone(found: pd.DataFrame) -> None:
    limited = changes(limit="these days only").iloc[0]
    assert limited["ci_high_percent"] < found.iloc[0]["ci_high_percent"]


def test_cells_are_shown_by_blocks_and_trainings() -> None:
    """Equal models hardly ever; a shift of ten times the noise always; few blocks never."""
    noise = np.random.default_rng(0).normal(10, 0.1, (4, 36, 500))
    equal = shown_cells(noise[:2], noise[2:])
    assert equal is not None
    assert equal.mean() < 0.02
    noise[:2, :, :100] += 1
    shown = shown_cells(noise[:2], noise[2:])
    assert shown is not None
    assert shown[:100].all()
    assert shown[100:].mean() < 0.1
    noise[0] += 2  # another training is that much worse: the blocks alone would show all
    assert not np.any(shown_cells(noise[:2], noise[2:]))
    assert shown_cells(noise[:2, :11], noise[2:, :11]) is None
    assert shown_cells(noise[:1], noise[2:]) is None
