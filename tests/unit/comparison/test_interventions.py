"""Networks under an intervention against themselves: variances, intervals, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.signal import lfilter

from airshed.comparison.inference import estimate
from airshed.comparison.interventions import COLUMNS, compared, write_interventions
from airshed.comparison.pairing import SameNetworks
from airshed.comparison.resampling import automatic_block_length
from airshed.config import validate_study
from airshed.config.evaluation import ComparisonConfig
from airshed.errors import AirshedError
from airshed.integrity.formats import SCORES, VERSION

SETTINGS = ComparisonConfig(resamples=1000)


def simulated(
    rng: np.random.Generator, seeds: int, inits: int = 400, between: float = 0.01
) -> SameNetworks:
    """Networks that share the weather; an intervention changes each by an amount of its own."""

    def noise(networks: int) -> np.ndarray:
        drawn = rng.normal(size=(networks, inits, 3))
        drawn[:, 1:] *= 0.6
        return lfilter([1.0], [1.0, -0.8], drawn, axis=1)

    as_it_is = np.exp(0.5 * noise(1) + 0.3 * noise(seeds))
    own = between * rng.normal(size=(seeds, 1, 1))
    changed = as_it_is * np.exp(2 * own + 0.3 * (noise(1) + noise(seeds)))
    return SameNetworks(changed, as_it_is, np.ones((inits, 3), bool))


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_cover_the_true_change(seeds: int) -> None:
    """95 % in 200 repetitions: at least 91 %, by 2.6 standard deviations of the count."""
    rng = np.random.default_rng(seeds)
    long = simulated(rng, 100, 20_000)
    truth = np.log(long.variant.mean() / long.reference.mean()) / 2
    covered = 0
    for _ in range(200):
        errors = simulated(rng, seeds)
        low, high = estimate(errors, automatic_block_length(errors), 200, rng).bounds()
        covered += int(low[0] <= truth <= high[0])
    assert covered >= 182


def test_without_time_it_is_a_paired_t_test() -> None:
    """Every init time alike: nothing varies but the networks."""
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(2, 5, 1, 3)) * 5e-4 + np.array([1e-3, 0.0])[:, None, None, None]
    changed, as_it_is = np.exp(2 * logs) * np.ones((2, 5, 60, 3))
    errors = SameNetworks(changed, as_it_is, np.ones((60, 3), bool))
    found = estimate(errors, 2, 200, rng)
    apart = (logs[0] - logs[1])[:, 0]
    expected = stats.ttest_1samp(np.c_[apart.mean(axis=1), apart], 0.0).pvalue
    np.testing.assert_allclose(found.p_values(), expected, rtol=0.01)
    alone = [estimate(each, 2, 200, rng).log_ratio for each in errors.each()]
    np.testing.assert_allclose(np.array(alone)[:, 1:], apart)


def arrays(errors: SameNetworks) -> list[xr.DataArray]:
    times = pd.date_range("2018-01-01", periods=errors.init_times, freq="6h")
    places = {"init_time": times, "pollutant": ["pm25"], "horizon_h": [12, 24, 48]}
    dims = ("seed", "init_time", "pollutant", "horizon_h")
    both = (errors.variant, errors.reference)
    return [xr.DataArray(each[:, :, None], places, dims) for each in both]


def test_what_all_networks_show_and_what_nothing_changes() -> None:
    rng = np.random.default_rng(1)
    errors = simulated(rng, 3, 800)
    worse = SameNetworks(errors.variant * 1.5, errors.reference, errors.exists)
    row = compared(*arrays(worse), SETTINGS, 6).iloc[0]
    assert row["p_all_networks"] < 0.01
    assert (row["networks"], row["seed_degrees"], row["limit"]) == (3, 2.0, "")
    mixed = errors.variant * np.array([1.5, 1.5, 0.5])[:, None, None]
    assert (
        compared(*arrays(SameNetworks(mixed, *_rest(errors))), SETTINGS, 6)["p_all_networks"].iloc[
            0
        ]
        == 1
    )
    same = compared(*arrays(SameNetworks(errors.reference, *_rest(errors))), SETTINGS, 6)
    assert (same["relative_rmse_change"] == 0).all()
    assert (same["p_value"] == 1).all()
    assert (same["p_equivalent_alone"] < 1e-6).all()


def _rest(errors: SameNetworks) -> tuple[Any, Any]:
    return errors.reference, errors.exists


def test_one_network_is_judged_for_itself_alone() -> None:
    rng = np.random.default_rng(2)
    found = compared(*arrays(simulated(rng, 1, 800)), SETTINGS, 6)
    assert set(found["limit"]) == {"these networks only"}
    assert found["seed_variance"].isna().all()
    short = compared(*arrays(simulated(rng, 2, 40)), SETTINGS, 6)
    assert set(short["limit"]) == {"these days only"}


@pytest.fixture
def made(
    tiny_values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[Path]]:
    """A study of two variants, of which one cannot see the elevation; scores stand in memory."""
    tiny_values["interventions"] = {"apply": ["no_elevation", "no_wind"]}
    tiny_values["variants"] = ["wind_baseline", "no_elevation_input"]
    study = validate_study(tiny_values, "tiny")
    rng, stored, files = np.random.default_rng(3), {}, []
    for variant in study.variants:
        for seed in study.seeds:
            folder, names = tmp_path / variant / f"seed{seed}", study.interventions_on(variant)
            folder.mkdir(parents=True)
            changed, as_it_is = (each[0] for each in arrays(simulated(rng, 1, 200)))
            weights = {"fingerprint": f"{variant} {seed}"}
            stored[folder / "scores.nc"] = as_it_is.assign_attrs(weights)
            for name in names:
                path = folder / "interventions" / name / "scores.nc"
                stored[path] = changed[::2].assign_attrs(weights)
            content = {"variant": variant, "seed": seed, "interventions": names}
            files.append(folder / "interventions.json")
            files[-1].write_text(json.dumps({VERSION: SCORES.version} | content))
    monkeypatch.setattr(
        "airshed.comparison.interventions._read",
        lambda path: stored[path].assign_attrs(path=str(path)),
    )
    return study, files


def test_the_table_has_one_family_of_all_and_one_of_cells_for_each(
    made: tuple[Any, list[Path]], tmp_path: Path
) -> None:
    study, files = made
    write_interventions(study, files, tmp_path / "interventions.csv")
    table = pd.read_csv(tmp_path / "interventions.csv")
    assert tuple(table.columns) == COLUMNS
    overall = table[table["pollutant"] == "all"]
    pairs = [("no_elevation", "wind_baseline"), ("no_wind", "wind_baseline")]
    assert [*zip(overall["intervention"], overall["variant"], strict=True)] == [
        *pairs,
        ("no_wind", "no_elevation_input"),
    ]
    assert set(overall["family_size"]) == {3}
    assert set(table.loc[table["pollutant"] != "all", "family_size"]) == {3}  # one at 3 horizons
    assert set(overall["init_times"]) == {100}  # every second one of 200


def test_other_weights_and_missing_seeds_are_refused(
    made: tuple[Any, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, files = made
    with pytest.raises(AirshedError, match="missing: no_elevation_input with seed 1"):
        write_interventions(study, files[:-1], tmp_path / "x.csv")
    from airshed.comparison import interventions

    read = interventions._read
    monkeypatch.setattr(
        interventions,
        "_read",
        lambda path: read(path).assign_attrs(fingerprint=str(path.name + path.parent.name)),
    )
    with pytest.raises(AirshedError, match="of other weights"):
        write_interventions(study, files, tmp_path / "x.csv")
