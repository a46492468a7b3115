from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from init_scores import HORIZONS, scores, weather

from airshed.comparison.study import Tables, write_comparisons
from airshed.comparison.table import COLUMNS as NAMES
from airshed.comparison.table import verdict_table
from airshed.config import Study
from airshed.errors import AirshedError
from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import METRICS, write_scores
from airshed.variables import TARGETS

VARIANT, REFERENCE = "physics_mask", "wind_baseline"
WRITTEN: dict[bytes, bytes] = {}  # files of scores by what is in them


def runs(factor: float = 1.0, noise: float = 0.0) -> list[xr.Dataset]:
    """Two variants with two seeds each, the variant's RMSE being ``factor`` times the other's."""
    rng = np.random.default_rng(1)
    made = []
    for name, scale in ((VARIANT, factor), (REFERENCE, 1.0)):
        for seed in (0, 1):
            errors = weather() * scale**2 * np.exp(noise * rng.normal(size=weather().shape))
            made.append(scores(name, seed, errors))
    return [*made, scores("persistence", -1, 2 * weather())]


def run_compare(study: Study, folder: Path, datasets: list[xr.Dataset]) -> pd.DataFrame:
    files = []
    for number, dataset in enumerate(datasets):
        files.append(folder / f"run{number}" / "scores.nc")
        write_once(dataset, files[-1])
    write_comparisons(study, files, Tables.within(folder))
    return pd.read_csv(folder / "comparisons.csv")


def write_once(dataset: xr.Dataset, path: Path) -> None:
    """Write scores; many tests have the same, and a file of them takes long to make."""
    variables = {name: (one.dims, one.values, one.attrs) for name, one in dataset.variables.items()}
    content = pickle.dumps((dataset.attrs, variables))
    if content not in WRITTEN:
        write_scores(dataset, path)
        WRITTEN[content] = path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WRITTEN[content])


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.95, "helps"), (1.05, "hurts"), (1.0, "equivalent")]
)
def test_an_injected_change_is_found(
    tiny_study: Study, tmp_path: Path, factor: float, expected: str
) -> None:
    table = run_compare(tiny_study, tmp_path, runs(factor, noise=0.01))
    assert len(table) == 1 + len(HORIZONS) * len(TARGETS)
    assert set(table["verdict"]) == {expected}
    np.testing.assert_allclose(table["relative_rmse_change"], factor - 1, atol=0.006)
    assert (table["ci_low"] <= table["relative_rmse_change"]).all()
    assert (table["relative_rmse_change"] <= table["ci_high"]).all()


def test_identical_runs_are_equivalent(tiny_study: Study, tmp_path: Path) -> None:
    table = run_compare(tiny_study, tmp_path, runs())
    assert set(table["verdict"]) == {"equivalent"}
    assert (table[["relative_rmse_change", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (table[["p_value", "p_adjusted"]] == 1).all(axis=None)


def test_noise_alone_is_not_called_a_difference(tiny_study: Study, tmp_path: Path) -> None:
    table = run_compare(tiny_study, tmp_path, runs(noise=1.0))
    assert not set(table["verdict"]) & {"helps", "hurts"}


@pytest.mark.parametrize(("factor", "noise"), [(0.9, 0.3), (1.03, 0.2), (0.97, 0.4)])
def test_swapping_variant_and_reference_swaps_the_verdict(
    tiny_study: Study, tmp_path: Path, factor: float, noise: float
) -> None:
    names = {VARIANT: REFERENCE, REFERENCE: VARIANT, "persistence": "persistence"}
    forward = runs(factor, noise)
    backward = [one.assign_attrs(name=names[one.attrs["name"]]) for one in forward]
    one = run_compare(tiny_study, tmp_path / "forward", forward)
    other = run_compare(tiny_study, tmp_path / "backward", backward)
    swapped = {"helps": "hurts", "hurts": "helps"}
    judged = one["verdict"].isin(list(swapped))
    assert judged.any()
    assert (one["verdict"][judged].map(swapped) == other["verdict"][judged]).all()
    assert (one["p_adjusted"] == other["p_adjusted"]).all()


def test_overall_row_is_the_mean_and_holm_covers_the_others(
    tiny_study: Study, tmp_path: Path
) -> None:
    table = run_compare(tiny_study, tmp_path, runs(0.98, noise=0.2))
    overall, tests = table.iloc[0], table.iloc[1:]
    assert (overall["pollutant"], overall["horizon_h"]) == ("all", "all")
    logarithms = np.log1p(tests["relative_rmse_change"])
    assert np.log1p(overall["relative_rmse_change"]) == pytest.approx(logarithms.mean())
    assert overall["p_adjusted"] == overall["p_value"]
    order = np.argsort(tests["p_value"].to_numpy(), kind="stable")
    expected, running = np.empty(len(tests)), 0.0
    for rank, position in enumerate(order):
        running = max(running, (len(tests) - rank) * tests["p_value"].iloc[position])
        expected[position] = min(1.0, running)
    np.testing.assert_allclose(tests["p_adjusted"], expected, rtol=1e-8)
    assert len(set(expected)) > 2


def test_the_change_pools_seeds_and_init_times(tiny_study: Study, tmp_path: Path) -> None:
    datasets = runs(0.9, noise=0.5)
    table = run_compare(tiny_study, tmp_path, datasets)
    errors = [np.stack([init_mse(one) for one in datasets[at : at + 2]]) for at in (0, 2)]
    variant, reference = (np.sqrt(np.nanmean(values, axis=(0, 1))) for values in errors)
    row = table[(table["pollutant"] == "o3") & (table["horizon_h"] == "24")].iloc[0]
    expected = variant[1, TARGETS.index("o3")] / reference[1, TARGETS.index("o3")] - 1
    assert row["relative_rmse_change"] == pytest.approx(expected)


def test_scores_table_holds_every_run_in_the_order_of_the_study(
    tiny_study: Study, tmp_path: Path
) -> None:
    datasets = runs(0.9)
    run_compare(tiny_study, tmp_path, datasets[::-1])
    table = pd.read_csv(tmp_path / "scores.csv")
    columns = ["variant", "seed", "pollutant", "horizon_h", "metric", "value", "units"]
    assert list(table.columns) == columns
    assert len(table) == len(datasets) * len(TARGETS) * len(HORIZONS) * len(METRICS)
    shown = list(dict.fromkeys(zip(table["variant"], table["seed"].fillna(-1), strict=True)))
    pairs = [(name, seed) for name in (REFERENCE, VARIANT) for seed in (0, 1)]
    assert shown == [*pairs, ("persistence", -1)]
    co = table[(table["variant"] == VARIANT) & (table["seed"] == 1) & (table["pollutant"] == "co")]
    rmse = co[(co["metric"] == "rmse") & (co["horizon_h"] == 24)].iloc[0]
    expected = datasets[1]["rmse"].sel(pollutant="co", horizon_h=24).item()
    assert rmse["value"] == pytest.approx(expected)
    assert rmse["units"] == "mg m-3"
    assert set(co[co["metric"] == "correlation"]["units"]) == {"1"}


def test_tables_are_byte_identical_whatever_the_order_of_files(
    tiny_study: Study, tmp_path: Path
) -> None:
    datasets = runs(0.97, noise=0.3)
    for folder, given in (("a", datasets), ("b", datasets[::-1])):
        run_compare(tiny_study, tmp_path / folder, given)
    for name in ("scores.csv", "comparisons.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def other_cell(scores: xr.Dataset) -> xr.Dataset:
    scores["map_mse"][..., 1, 1] = np.nan
    return scores


def other_sample(scores: xr.Dataset) -> xr.Dataset:
    scores["sums"][3, 1] = 0
    return scores


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda one: one.assign_coords(horizon_h=[12, 48]), "different horizon_h"),
        (lambda one: one.isel(horizon_h=[0]), "different horizon_h"),
        (lambda one: one.isel(init_time=slice(1, None)), "different init_time"),
        (lambda one: one.isel(pollutant=slice(None, None, -1)), "different pollutant"),
        (lambda one: one.isel(pollutant=slice(2)), "different pollutant"),
        (lambda one: one.assign_coords(lat2d=one["lat2d"] + 1), "different lat2d"),
        (lambda one: one.assign_attrs(data_source="CAQRA"), "simulated and CAQRA"),
        (other_cell, "different domain"),
        (other_sample, r"only one has the sample at 2016-03-05.09:00:00.* \+ 24 h"),
    ],
)
def test_runs_on_other_samples_are_refused(
    tiny_study: Study, tmp_path: Path, change: Callable[[xr.Dataset], Any], expected: str
) -> None:
    datasets = runs()
    datasets[2] = change(datasets[2])
    with pytest.raises(AirshedError, match=expected) as caught:
        run_compare(tiny_study, tmp_path, datasets)
    for number in (0, 2):
        assert str(tmp_path / f"run{number}" / "scores.nc") in str(caught.value)
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda made: made[1:], "missing: physics_mask with seed 0"),
        (lambda made: [*made, made[0]], "given twice"),
        (lambda made: [*made, made[0].assign_attrs(seed=7)], "physics_mask, seed 7"),
        (lambda made: [one.assign_attrs(dataset="big") for one in made], "found: .*dataset big"),
        (
            lambda made: [one.isel(pollutant=slice(None, None, -1)) for one in made],
            "found: .*targets o3, co",
        ),
    ],
)
def test_sets_of_runs_that_do_not_fit_the_study_are_refused(
    tiny_study: Study, tmp_path: Path, change: Callable[[Any], Any], expected: str
) -> None:
    with pytest.raises(AirshedError, match=expected):
        run_compare(tiny_study, tmp_path, change(runs()))


def with_settings(study: Study, **settings: Any) -> Study:
    return study.model_copy(update={"comparison": study.comparison.model_copy(update=settings)})


def test_block_length_counts_init_steps(tiny_study: Study, tmp_path: Path) -> None:
    """120 init times 3 h apart: 118 h round up to 40 of them, three blocks; 121 h do not fit."""
    table = run_compare(with_settings(tiny_study, block_length_h=118), tmp_path, runs())
    assert set(table["block_length"]) == {40}
    with pytest.raises(AirshedError, match="120 init times in blocks of 41"):
        run_compare(with_settings(tiny_study, block_length_h=121), tmp_path, runs())


def test_settings_of_the_study_reach_the_comparison(tiny_study: Study, tmp_path: Path) -> None:
    study = with_settings(tiny_study, margin=0.2, seed=3, block_length_h="auto")
    table = run_compare(study, tmp_path / "a", runs(0.95, noise=0.3))
    assert not set(table["verdict"]) & {"helps", "hurts"}
    other = run_compare(with_settings(study, seed=4), tmp_path / "b", runs(0.95, noise=0.3))
    assert (table["ci_low"] != other["ci_low"]).any()
    assert (table["block_length"] == other["block_length"]).all()
    one_seed = with_settings(study, block_length_h=6).model_copy(update={"seeds": [1]})
    chosen = [one for one in runs(0.5, noise=0.01) if one.attrs["seed"] != 0]
    assert set(run_compare(one_seed, tmp_path / "c", chosen)["limit"]) == {"one seed"}
    accepted = with_settings(one_seed, accept_single_seed=True)
    assert set(run_compare(accepted, tmp_path / "d", chosen)["verdict"]) == {"helps"}


def test_networks_trained_on_are_paired_with_what_they_start_from(
    tiny_study: Study, tmp_path: Path
) -> None:
    """Also where both go on from a third one, and never where both begin anew."""
    stanzas = dict(tiny_study.variant_stanzas)
    alone = tiny_study.model_copy(update={"variant_stanzas": stanzas})
    assert not run_compare(alone, tmp_path / "a", runs(0.95))["seeds_paired"].any()
    stanzas[VARIANT] = stanzas[VARIANT].model_copy(update={"start_from": REFERENCE})
    assert run_compare(alone, tmp_path / "b", runs(0.95))["seeds_paired"].all()
    for name in (VARIANT, REFERENCE):
        stanzas[name] = stanzas[name].model_copy(update={"start_from": "climax"})
    assert {alone.start_of(name) for name in (VARIANT, REFERENCE)} == {"climax"}


def test_a_study_without_references_has_an_empty_table(
    tiny_values: dict[str, Any], tiny_study: Study, tmp_path: Path
) -> None:
    study = tiny_study.model_copy(update={"variants": [REFERENCE]})
    table = run_compare(study, tmp_path, runs()[2:])
    assert table.empty
    assert "No variant" in verdict_table(tmp_path / "comparisons.csv")


def test_verdict_table_shows_what_the_csv_says(tiny_study: Study, tmp_path: Path) -> None:
    table = run_compare(tiny_study, tmp_path, runs(0.95, noise=0.05))
    text = verdict_table(tmp_path / "comparisons.csv")
    lines = text.splitlines()
    change = 100 * table["relative_rmse_change"].iloc[0]
    assert lines[0].startswith(f"{VARIANT} against {REFERENCE}: it helps, by at least the")
    assert f"RMSE {change:+.1f} %" in " ".join(lines[:2])
    assert ["12", "h", "24", "h"] in [line.split() for line in lines]
    for pollutant in TARGETS:
        row = next(line for line in lines if line.split()[:1] == [pollutant])
        values = table[table["pollutant"] == pollutant]["relative_rmse_change"]
        assert row.split()[1::2] == [f"{100 * value:+.1f}" for value in values]
        assert row.split()[2::2] == ["helps*", "helps*"]


def test_verdict_table_says_for_what_alone_a_verdict_holds(
    tiny_study: Study, tmp_path: Path
) -> None:
    study = with_settings(tiny_study, block_length_h=60)
    table = run_compare(study, tmp_path, runs(0.5, noise=0.01))
    assert set(table["limit"]) == {"these days only"}
    text = verdict_table(tmp_path / "comparisons.csv")
    told = "it helps, by at least the margin (these days only), RMSE"
    assert " ".join(text.split()).startswith(f"{VARIANT} against {REFERENCE}: {told}")
    one_seed = study.model_copy(update={"seeds": [1]})
    chosen = [one for one in runs(0.5, noise=0.01) if one.attrs["seed"] != 0]
    run_compare(one_seed, tmp_path, chosen)
    text = verdict_table(tmp_path / "comparisons.csv")
    assert text.startswith(f"{VARIANT} against {REFERENCE}: undecided (short test), RMSE")


def test_verdict_table_stays_narrow(tmp_path: Path) -> None:
    rows = [("v" * 60, "r" * 60, "all", "all", -0.1, -0.2, 0.0, 0.001, 0.001, "helps", False)]
    for horizon in range(12, 12 * 18, 12):
        numbers = (str(horizon), 1.5, 1, 2, 0.1, 1, "hurts", True)
        rows += [(*rows[0][:2], name, *numbers) for name in TARGETS]
    path = tmp_path / "comparisons.csv"
    table = pd.DataFrame(rows, columns=list(NAMES[:11])).reindex(columns=list(NAMES))
    table.to_csv(path, index=False)
    text = verdict_table(path)
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("+150.0 hurts*") == 17 * len(TARGETS)
    assert text.count(" h") >= 17


def test_other_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "comparisons.csv"
    path.write_text("variant,reference\n")
    with pytest.raises(AirshedError, match="other columns"):
        verdict_table(path)
    with pytest.raises(AirshedError, match="cannot be read"):
        verdict_table(tmp_path / "absent.csv")
