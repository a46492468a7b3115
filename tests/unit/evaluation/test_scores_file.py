"""Writing and reading of ``scores.nc``, and the table of strata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr
from scoring import Case

from airshed.errors import AirshedError
from airshed.evaluation.rescoring import rescored, rescored_jointly
from airshed.evaluation.scores import (
    METRICS,
    Subject,
    domain_metrics,
    metric_units,
    read_scores,
    write_scores,
)
from airshed.evaluation.tables import write_stratum_table


def test_written_scores_are_read_back_the_same(
    case: Case, subject: Subject, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "scores.nc"
    scores = case.scored().dataset(subject)
    write_scores(scores, path)
    xr.testing.assert_identical(read_scores(path), scores)
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.nc"]


def test_the_same_scores_give_the_same_bytes(case: Case, subject: Subject, tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        write_scores(case.scored().dataset(subject), tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_every_metric_has_a_unit() -> None:
    found = {metric: metric_units(metric, "ug m-3") for metric in METRICS}
    assert {name for name, units in found.items() if units == "ug m-3"} == {"rmse", "mae", "bias"}
    assert set(found.values()) == {"ug m-3", "1"}


def test_scores_of_few_metrics_name_those_they_have(case: Case, subject: Subject) -> None:
    scores = case.scored().dataset(subject)
    assert domain_metrics(scores) == list(METRICS)
    assert domain_metrics(scores[["mae", "rmse"]]) == ["rmse", "mae"]


def test_the_table_of_strata_holds_what_the_files_hold(
    case: Case, subject: Subject, tmp_path: Path
) -> None:
    baseline = Subject("baseline", "persistence", -1, "d", "simulated", "abc")
    paths = [tmp_path / "run.nc", tmp_path / "baseline.nc"]
    scores = case.scored().dataset(subject)
    for path, one in zip(paths, (subject, baseline), strict=True):
        write_scores(case.scored().dataset(one), path)
    write_stratum_table(paths, tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv")
    joint, scores = rescored_jointly(scores), rescored(scores)
    strata = scores["bin_kind"] != "domain"
    assert len(table) == 2 * (scores["value"].sel(bin=strata).size + joint["value"].size)
    assert table["seed"].isna().sum() == len(table) / 2
    row = table[
        (table["variant"] == "wind_baseline")
        & (table["pollutant"] == "co")
        & (table["horizon_h"] == 48)
        & (table["stratum_kind"] == "elevation")
        & (table["stratum"] == "500 to 1500 m")
        & (table["metric"] == "rmse")
    ].squeeze()
    number = list(scores["bin"].values).index("500 to 1500 m")
    place = {"pollutant": 4, "horizon_h": 1, "bin": number}
    expected = scores["value"].isel(place).sel(metric="rmse")
    assert row["value"] == pytest.approx(float(expected))
    assert row["samples"] == int(scores["pairs"].isel(place))
    assert (row["units"], row["seed"]) == ("mg m-3", 3)
    both = table[table["stratum"] == "from 200 m, below 2 m s-1"]
    assert set(both["stratum_kind"]) == {"ruggedness_by_wind"}
    assert both["samples"].sum() == 2 * joint["pairs"].sel(bin=both["stratum"].iloc[0]).sum()
    empty = table[table["stratum"] == "JJA"]
    assert (empty["samples"] == 0).all()
    assert empty[empty["metric"] == "rmse"]["value"].isna().all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda scores: scores.assign_attrs(format_version=0), "format version"),
        (lambda scores: scores.drop_vars("sums"), "sums"),
        (lambda scores: scores.rename(y="row"), "map_mse"),
        (lambda scores: scores.drop_attrs(), "format version"),
        (lambda scores: scores.isel(pollutant=0), "rmse"),
    ],
)
def test_files_of_another_form_are_refused(
    case: Case, subject: Subject, tmp_path: Path, change: Any, expected: str
) -> None:
    path = tmp_path / "scores.nc"
    write_scores(change(case.scored().dataset(subject)), path)
    with pytest.raises(AirshedError, match=expected) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_netcdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.nc"
    path.write_text("no scores")
    with pytest.raises(AirshedError, match="cannot be read"):
        read_scores(path)
