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
    """Ten pairs everywhere; in the first twenty init times nine of them are windy, else one is."""
    dims = ("init_time", "horizon_h", "bin", "statistic", "pollutant")
    count = np.full((60, 2, 4, 2), 10.0)
    count[:, :, 1], count[:, :, 2] = 9, 1
    count[:20, :, 1], count[:20, :, 2] = 1, 9
    error = factor * np.random.default_rng(seed).gamma(20, 1, (60, 2, 1, 2))
    sums = np.stack([count, count * error], axis=3)
    coords = {
        "init_time": TIMES,
        "horizon_h": [12, 24],
        "bin": list(BINS),
        "statistic": ["count", "squared"],
        "pollutant": ["pm25", "o3"],
        "bin_kind": ("bin", list(BINS.values())),
    }
    return xr.Dataset({"sums": (dims, sums)}, coords)


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
    return changes().set_index(["stratum", "init_times"])


def test_a_season_that_holds_everything_is_the_whole_comparison(found: pd.DataFrame) -> None:
    """The same change and interval as ``comparisons.csv`` has, from other code."""
    models = [errors(seeds, factor, name) for (seeds, factor), name in zip(PAIR, "ab", strict=True)]
    whole = compare(*models, rng=0, resamples=RESAMPLES, block_length=2).iloc[0]
    names = ["change_percent", "ci_low_percent", "ci_high_percent"]
    expected = 100 * whole[["relative_rmse_change", "ci_low", "ci_high"]].astype(float).to_numpy()
    assert found.loc[("JJA", "all"), names].to_numpy(float) == pytest.approx(expected, rel=1e-5)
    assert "DJF" not in found.index.get_level_values("stratum")  # without a pair, without a row


def test_thirds_are_those_of_the_wind(found: pd.DataFrame) -> None:
    """The windy third is the first twenty init times, whose errors are summed here by hand."""
    assert set(found.loc["flat"].index) == {
        "all",
        *(f"{n} third" for n in ("calmest", "middle", "windiest")),
    }
    levels = [
        np.log(errors(seeds, factor, "x")[:, :20].mean(["seed", "init_time"])).mean() / 2
        for seeds, factor in PAIR
    ]
    expected = 100 * np.expm1(float(levels[0] - levels[1]))
    windy = found.loc[("flat", "windiest third")]
    assert windy["change_percent"] == pytest.approx(expected, rel=1e-4)
    wide = windy["ci_high_percent"] - windy["ci_low_percent"]
    whole = found.loc[("flat", "all")]
    assert wide > 0.8 * (whole["ci_high_percent"] - whole["ci_low_percent"])


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
