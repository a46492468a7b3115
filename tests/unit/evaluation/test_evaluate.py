"""Whole evaluations of baselines on fields whose scores are known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scoring import TARGET_VARIABLES, write_hourly, write_static

from airshed.config import Study
from airshed.data.climatology import fit_climatology
from airshed.data.damping import fit_damping
from airshed.data.hourly import computed_content, write_present
from airshed.errors import AirshedError
from airshed.evaluation import loop
from airshed.evaluation.baselines import BASELINES
from airshed.evaluation.batch import Batch
from airshed.evaluation.evaluate import Evaluation, _identity, evaluate_baseline
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.rescoring import init_mse
from airshed.evaluation.scores import Subject, read_scores
from airshed.variables import TARGETS

ROWS, COLUMNS = 8, 16
TIMES = pd.date_range("2016-02-26", "2016-03-08 23:00", freq="h", unit="ns")
ABSENT = pd.Timestamp("2016-03-06 06:00")
SLOPE = {name: 0.25 * (number + 1) for number, name in enumerate(TARGETS)}  # units per hour


@pytest.fixture(scope="module")
def data(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Pollutants that grow linearly in time, one absent hour, one cell outside the domain.

    They are only to be read.
    """
    folder = tmp_path_factory.mktemp("data")
    hours = ((TIMES - TIMES[0]) / pd.Timedelta("1h")).to_numpy()[:, None, None]
    noise = np.zeros((1, ROWS, COLUMNS))
    noise[:, 0, 0] = 50
    fields = {name: 100 + slope * hours + noise for name, slope in SLOPE.items()}
    hourly, static = folder / "hourly.zarr", folder / "static.nc"
    write_hourly(hourly, TIMES, TIMES != ABSENT, fields)
    note_content(hourly)
    mask = np.ones((ROWS, COLUMNS), dtype=bool)
    mask[0, 0] = False
    write_static(static, mask)
    climatology = folder / "climatology.nc"
    fit_climatology(hourly, static, study.splits.train, TARGET_VARIABLES, 2, climatology)
    fields, train = (hourly, static, climatology), study.splits.train
    damping = folder / "damping.nc"
    fit_damping(*fields, train, study.horizons_h, TARGET_VARIABLES, damping)
    return Evaluation(*fields, folder / "run" / "scores.nc")


@pytest.fixture
def evaluation(data: Evaluation, tmp_path: Path) -> Evaluation:
    """Of these data, into a folder of its own."""
    return replace(data, output=tmp_path / "run" / "scores.nc")


def note_content(hourly: Path) -> None:
    """As the ingest does, so that the store need not be read for it."""
    write_present(hourly, TIMES != ABSENT, computed_content(hourly))


def score(study: Study, name: str, evaluation: Evaluation) -> xr.Dataset:
    damping = evaluation.static.with_name("damping.nc")
    evaluate_baseline(study, name, evaluation, damping)
    return read_scores(evaluation.output)


def test_persistence_of_linear_growth(tiny_study: Study, evaluation: Evaluation) -> None:
    """The forecast lags by slope x horizon everywhere, in every sample."""
    scores = score(tiny_study, "persistence", evaluation)
    for horizon in (12, 24):
        found = scores.sel(horizon_h=horizon)
        lag = np.array([SLOPE[name] * horizon for name in TARGETS])
        np.testing.assert_allclose(found["rmse"], lag, rtol=1e-5)
        np.testing.assert_allclose(found["mae"], lag, rtol=1e-5)
        np.testing.assert_allclose(found["bias"], -lag, rtol=1e-5)
        np.testing.assert_allclose(found["map_bias"][:, 3, 4], -lag, rtol=1e-5)
    np.testing.assert_allclose(scores["correlation"], 1, rtol=1e-4)
    np.testing.assert_array_equal(scores["skill_persistence"], 0)
    assert int(scores["map_mse"].isnull().any(["horizon_h", "pollutant"]).sum()) == 1
    assert (scores.attrs["kind"], scores.attrs["name"]) == ("baseline", "persistence")
    assert (scores.attrs["seed"], scores.attrs["cells_skipped"]) == (-1, 0)
    assert scores.attrs["data_source"] == "simulated"
    assert [path.name for path in evaluation.output.parent.iterdir()] == ["scores.nc"]


def test_same_hour_persistence_lags_by_whole_days(
    tiny_study: Study, evaluation: Evaluation
) -> None:
    scores = score(tiny_study, "same_hour_persistence", evaluation)
    at_24 = score(tiny_study, "persistence", evaluation).sel(horizon_h=24)
    xr.testing.assert_allclose(scores["rmse"].sel(horizon_h=24), at_24["rmse"])
    plain = [SLOPE[name] * 24 for name in TARGETS]
    found = scores.sel(horizon_h=12)
    # where the hour that it needs is absent it is a day older: more than a lag of 24 h in the mean
    assert (found["mae"] > plain).all()
    np.testing.assert_allclose(init_mse(found).min("init_time"), np.square(plain), rtol=1e-5)


def test_climatology_of_linear_growth(tiny_study: Study, evaluation: Evaluation) -> None:
    """Five training days average to the value of the third one at the same hour of the day."""
    scores = score(tiny_study, "climatology", evaluation)
    middle = pd.Timestamp("2016-02-28")
    for horizon in (12, 24):
        at_horizon = scores.sel(horizon_h=horizon)
        inits = at_horizon["init_time"][init_mse(at_horizon).notnull().all("pollutant")]
        valid = inits.to_index() + pd.Timedelta(hours=horizon)
        days = (valid.normalize() - middle).days.to_numpy()
        for name in TARGETS:
            error = -SLOPE[name] * 24 * days
            found = at_horizon.sel(pollutant=name)
            np.testing.assert_allclose(found["bias"], error.mean(), rtol=1e-5)
            np.testing.assert_allclose(found["rmse"], np.sqrt((error**2).mean()), rtol=1e-5)
    np.testing.assert_array_equal(scores["skill_climatology"], 0)
    assert scores["anomaly_correlation"].isnull().all()  # it forecasts no anomaly


def test_samples_are_all_those_of_the_test_split_whose_hours_are_there(
    tiny_study: Study, evaluation: Evaluation
) -> None:
    inits = pd.date_range("2016-03-05", "2016-03-08 21:00", freq="3h")
    last = pd.Timestamp("2016-03-08 23:00")
    for name in BASELINES:
        scores = score(tiny_study, name, evaluation)
        assert scores["init_time"].to_index().equals(inits)
        exists = init_mse(scores).notnull().all("pollutant")
        for horizon in (12, 24):
            valid = inits + pd.Timedelta(hours=horizon)
            in_split = inits + pd.Timedelta(hours=24) <= last  # the longest horizon decides
            expected = in_split & (inits != ABSENT) & (valid != ABSENT)
            np.testing.assert_array_equal(exists.sel(horizon_h=horizon), expected)
        assert scores.attrs["samples"] == int(exists.sum())


@pytest.mark.parametrize("name", BASELINES)
def test_batch_size_changes_nothing(
    tiny_study: Study, evaluation: Evaluation, name: str, tmp_path: Path
) -> None:
    found = []
    for size in (1, 5, 1000):
        settings = tiny_study.evaluation.model_copy(update={"batch_size": size})
        study = tiny_study.model_copy(update={"evaluation": settings})
        found.append(score(study, name, replace(evaluation, output=tmp_path / f"{size}.nc")))
    xr.testing.assert_identical(found[0], found[1])
    xr.testing.assert_identical(found[0], found[2])


def test_an_interrupted_evaluation_ends_in_the_same_bytes(
    tiny_study: Study, evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_study.evaluation.model_copy(update={"batch_size": 2})
    study = tiny_study.model_copy(update={"evaluation": settings})
    monkeypatch.setattr(loop.Savepoint, "due", lambda self: True)
    add = GriddedScores.add
    batches: list[int] = []

    def failing(self: GriddedScores, batch: Batch) -> None:
        batches.append(len(batch))
        if len(batches) == 7:
            raise KeyboardInterrupt
        add(self, batch)

    made = {}
    for stopped in (False, True):
        folder = tmp_path / str(stopped)
        one = replace(evaluation, output=folder / "scores.nc", forecasts=folder / "f.zarr")
        if stopped:
            monkeypatch.setattr(GriddedScores, "add", failing)
            with pytest.raises(KeyboardInterrupt):
                evaluate_baseline(study, "persistence", one)
            assert not one.output.exists()
            assert (folder / "scores.savepoint.npz").exists()
        evaluate_baseline(study, "persistence", one)
        made[stopped] = {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
    total = read_scores(tmp_path / "True" / "scores.nc").attrs["samples"]
    assert total < sum(batches) < 1.2 * total  # it was no start from scratch
    assert made[True].keys() == made[False].keys()
    assert made[True] == made[False]


@pytest.mark.parametrize(
    ("hour", "of_network", "of_baseline"),
    [("2016-03-07 03:00", True, True), ("2016-02-27 03:00", False, True)],
)
def test_a_savepoint_knows_the_hours_that_it_scores(
    tiny_study: Study,
    data: Evaluation,
    tmp_path: Path,
    hour: str,
    of_network: bool,
    of_baseline: bool,
) -> None:
    """An hour of the test split is scored; one of the training split, a baseline may learn from."""
    hourly = shutil.copytree(data.hourly, tmp_path / "hourly.zarr")
    evaluation = replace(data, hourly=hourly)

    def known(kind: Literal["variant", "baseline"]) -> str:
        return _identity(tiny_study, Subject.of(tiny_study, kind, "x", 0), evaluation, ["gridded"])

    before = known("variant"), known("baseline")
    stored: Any = zarr.open_group(evaluation.hourly, mode="r+")["pm25"]
    stored[TIMES.get_loc(pd.Timestamp(hour))] = 7.0
    note_content(hourly)
    changed = known("variant") != before[0], known("baseline") != before[1]
    assert changed == (of_network, of_baseline)


def test_a_horizon_alone_has_the_scores_that_it_has_among_others(
    tiny_study: Study, evaluation: Evaluation, tmp_path: Path
) -> None:
    whole = score(tiny_study, "persistence", evaluation)
    alone = replace(evaluation, horizons_h=(24,), output=tmp_path / "alone.nc")
    found = score(tiny_study, "persistence", alone)
    assert found["horizon_h"].values.tolist() == [24]
    for name in ("rmse", "sums", "events", "block_sums", "map_mse"):
        xr.testing.assert_identical(found[name], whole[name].sel(horizon_h=[24]))


def test_unknown_baselines_and_horizons_are_refused(
    tiny_study: Study, evaluation: Evaluation
) -> None:
    with pytest.raises(AirshedError, match="persistence, same_hour_persistence"):
        score(tiny_study, "oracle", evaluation)
    with pytest.raises(AirshedError, match="12 h, 24 h"):
        score(tiny_study, "persistence", replace(evaluation, horizons_h=(36,)))
    assert not evaluation.output.exists()
