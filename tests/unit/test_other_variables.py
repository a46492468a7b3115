"""A study of other variables, from its archives to its report.

Five of the usual hourly fields are left out, and ammonia, which the dictionary does not know, is
added. It is a target; the other one, ozone, is no input.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_once import MadeOnce
from prepared_data import prepare, prepared_in
from tiny_runs import tiny_study, trained

from airshed.assembly import build_geography, build_network
from airshed.comparison.study import Tables, write_comparisons
from airshed.config import Study
from airshed.config.data import DatasetConfig
from airshed.data.climatology import fit_climatology, open_climatology
from airshed.data.damping import fit_damping
from airshed.data.dataset import ForecastDataset
from airshed.data.hourly import create, write_day, write_present
from airshed.data.stores import open_hourly, open_static, open_statistics, open_wind_roses
from airshed.errors import AirshedError
from airshed.evaluation.baselines import BASELINES
from airshed.evaluation.evaluate import Evaluation, evaluate_baseline
from airshed.evaluation.network import evaluate_run
from airshed.evaluation.rescoring import rescored
from airshed.evaluation.roses import wind_roses
from airshed.evaluation.scores import read_scores
from airshed.evaluation.tables import write_stratum_table
from airshed.graph.places import Places
from airshed.report.page import build_report
from airshed.variables import STATIC

HOURLY = ["u", "v", "temp", "o3", "pm25", "nh3"]
INPUTS = ["nh3", "u", "v", "pm25", "elevation", "lat2d"]
TARGETS = ["o3", "nh3"]
NH3 = {
    "standard_name": "mass_concentration_of_ammonia_in_air",
    "units": "ug m-3",
    "long_name": "NH3",
    "limits": [0.0, 500.0],
}
CALM = {"label": "no wind", "bias": {"kind": "topoflow"}}
DAYS = {"train": 1, "validation": 3, "test": 5}


def other_study(**changes: Any) -> Study:
    splits = {
        name: {"start": f"2016-03-0{day}", "end": f"2016-03-0{day + 1}", "init_every_h": 3}
        for name, day in DAYS.items()
    }
    given: dict[str, Any] = {
        "study": "other",
        "dataset": {
            "name": "other",
            "hourly": HOURLY,
            "variables": {"nh3": NH3},
            "period": {"start": "2016-03-01", "end": "2016-03-06"},
        },
        "splits": splits,
        "inputs": INPUTS,
        "targets": TARGETS,
        "horizons_h": [12],
        "seeds": [0],
        "train": {"epochs": 1},
    }
    return tiny_study(**given | changes)


def finish(folder: Path) -> None:
    """Everything up to the report, as the workflow does it."""
    study, data = other_study(), folder / "data"
    data.mkdir()
    prepared = prepare(study, data)
    climatology, roses = data / Places(study).climatology.name, folder / "wind_roses.nc"
    train, test = study.splits.train, study.splits.test
    fit_climatology(prepared.hourly, prepared.static, train, study.target_variables, 2, climatology)
    wind_roses(prepared.hourly, prepared.static, test, [2.0, 5.0], roses)
    damping = data / "damping.nc"
    fields = prepared.hourly, prepared.static, climatology
    fit_damping(*fields, train, study.horizons_h, study.target_variables, damping)
    (data / Places(study).static.name).symlink_to(prepared.static)

    def scored_in(of: Path) -> Evaluation:
        return Evaluation(prepared.hourly, prepared.static, climatology, of / "scores.nc")

    files = []
    for variant in study.variants:
        of = folder / "variants" / variant / "seed0"
        evaluate_run(study, trained(study, variant, 0, prepared, of), prepared, scored_in(of))
        files.append(of / "scores.nc")
    for name in BASELINES:
        of = folder / "baselines" / name
        evaluate_baseline(study, name, scored_in(of), damping)
        files.append(of / "scores.nc")
    write_comparisons(study, files, Tables.within(folder))
    write_stratum_table(files, folder / "scores_by_stratum.csv")
    page = folder / "report.html", folder / "report.md", folder / "figures", folder / "tables"
    build_report(study, folder, data, *page)


@pytest.fixture(scope="module")
def finished(made_once: MadeOnce) -> Path:
    return made_once("other variables", finish)


def test_the_store_holds_what_was_asked_for(finished: Path) -> None:
    hourly = open_hourly(finished / "data/hourly.zarr")
    fields = [str(name) for name in hourly.data_vars if "x" in hourly[name].dims]
    assert sorted(fields) == sorted(HOURLY)
    assert hourly["nh3"].attrs["standard_name"] == NH3["standard_name"]
    found = json.loads((finished / "data/ingest.json").read_text())["variables"]
    assert list(found) == HOURLY
    assert found["nh3"]["units"] == "ug m-3"
    assert 0 <= found["nh3"]["min"] < found["nh3"]["max"] <= 500
    table = pd.read_csv(finished / "data/quality.csv")
    assert set(table["variable"]) == set(HOURLY)
    statistics = open_statistics(finished / "data/statistics.nc")
    assert set(statistics["variable"].values) == {*HOURLY, *STATIC}


def test_scores_are_of_the_targets(finished: Path) -> None:
    """Persistence by plain loops over the store, and no limit for what the standard has none."""
    scores = read_scores(finished / "baselines/persistence/scores.nc")
    assert scores["pollutant"].values.tolist() == TARGETS
    hourly = open_hourly(finished / "data/hourly.zarr").load()
    inside = open_static(finished / "data/static.nc")["domain_mask"].values.astype(bool)
    for name in TARGETS:
        field = hourly[name].sel(time=slice("2016-03-05", "2016-03-06"))
        times = pd.date_range("2016-03-05", "2016-03-06T11", freq="3h")
        squares = [
            (field.sel(time=time) - field.sel(time=time + pd.Timedelta("12h"))).values[inside] ** 2
            for time in times
        ]
        expected = np.sqrt(np.mean(np.array(squares, dtype=np.float64)))
        found = scores["rmse"].sel(pollutant=name, horizon_h=12)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isnan(scores["hits_daily"].sel(pollutant="nh3")).all()
    assert np.isfinite(scores["hits_daily"].sel(pollutant="o3")).all()
    rows = pd.read_csv(finished / "comparisons.csv")
    assert rows["pollutant"].tolist() == ["all", *TARGETS]


def test_the_network_forecasts_what_is_no_input(finished: Path) -> None:
    """Inputs in another order, with the weights of each, give the same forecast."""
    study, prepared = other_study(), prepared_in(finished / "data")
    network = build_network(study, "physics_mask", prepared, 0).eval()
    assert network.variables == tuple(INPUTS)
    assert network.outputs == (*INPUTS, "o3")
    turned = [INPUTS[place] for place in (3, 1, 5, 0, 4, 2)]
    other = other_study(inputs=turned)
    permuted = build_network(other, "physics_mask", prepared, 0).eval()
    places = [INPUTS.index(name) for name in turned]
    state = network.state_dict()
    for name, axis in (
        ("token_embeds.proj_weights", 0),
        ("token_embeds.proj_biases", 0),
        ("var_embed", 1),
    ):
        state[name] = state[name].index_select(axis, torch.tensor(places))
    rows = torch.tensor([*places, len(INPUTS)])
    for part in ("weight", "bias"):
        head = state[f"head.2.{part}"]
        by_cell = head.view(4, len(INPUTS) + 1, *head.shape[1:])
        state[f"head.2.{part}"] = by_cell.index_select(1, rows).reshape(head.shape)
    permuted.load_state_dict(state)

    def forecast(of: Study, with_: Any) -> torch.Tensor:
        samples = ForecastDataset(
            prepared.hourly,
            prepared.static,
            prepared.statistics,
            of.splits.test,
            [12],
            of.inputs,
            of.targets,
        )
        item = samples[2]
        found: torch.Tensor = with_(item.x[None], item.lead_hours[None], of.targets)
        return found

    with torch.no_grad():
        expected, found = forecast(study, network), forecast(other, permuted)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_report_speaks_of_these_targets(finished: Path) -> None:
    text = (finished / "report.md").read_text()
    assert "two pollutants and one horizon" in text
    assert "NH3" in text
    assert "Two panels, one a pollutant" in text
    for absent in ("PM10", "SO2", "six", "Six"):
        assert absent not in text, absent


def test_what_was_made_for_other_targets_is_refused(finished: Path) -> None:
    study, path = tiny_study(), finished / "data" / Places(other_study()).climatology.name
    with pytest.raises(AirshedError, match="other pollutants or units") as caught:
        open_climatology(path, study.target_variables)
    assert "o3 in ug m-3, nh3 in ug m-3" in str(caught.value)


def test_a_store_without_what_is_asked_for_is_named(finished: Path) -> None:
    study, prepared = other_study(), prepared_in(finished / "data")
    where = (prepared.hourly, prepared.static, prepared.statistics, study.splits.test, [12])
    for inputs, targets in ((["so2"], TARGETS), (INPUTS, ["co"])):
        with pytest.raises(AirshedError, match="a store lacks a variable") as caught:
            ForecastDataset(*where, inputs, targets)
        assert "nh3" in caught.value.details["found"]


def test_without_wind_there_are_no_classes_of_it(finished: Path, tmp_path: Path) -> None:
    """Nor a wind rose; the scores stand as they do with it."""
    study, prepared = other_study(), prepared_in(finished / "data")
    values = study.dataset.model_dump() | {"hourly": TARGETS}
    calm = DatasetConfig.model_validate(values)
    store = open_hourly(prepared.hourly).load()
    create(tmp_path / "calm.zarr", calm, store["lat2d"].values, store["lon2d"].values)
    for day in range(6):
        hours = slice(24 * day, 24 * day + 24)
        fields = np.stack([store[name].values[hours] for name in TARGETS], axis=1)
        write_day(tmp_path / "calm.zarr", day, fields, TARGETS)
    write_present(tmp_path / "calm.zarr", store["present"].values)
    wind_roses(
        tmp_path / "calm.zarr", prepared.static, study.splits.test, [2.0], tmp_path / "roses.nc"
    )
    assert open_wind_roses(tmp_path / "roses.nc")["frequency"].isnull().all()
    climatology = finished / "data" / Places(study).climatology.name
    where = Evaluation(tmp_path / "calm.zarr", prepared.static, climatology, tmp_path / "scores.nc")
    evaluate_baseline(
        other_study(inputs=["elevation"], variants=["calm"], variant_stanzas={"calm": CALM}),
        "persistence",
        where,
    )
    found = rescored(read_scores(where.output))
    windy = rescored(read_scores(finished / "baselines/persistence/scores.nc"))
    assert (found["bin_kind"] == windy["bin_kind"]).all()
    of_wind = found["bin_kind"] == "wind_speed"
    assert (found["pairs"][of_wind] == 0).all()
    assert (windy["pairs"][of_wind].sum("bin") > 0).all()
    np.testing.assert_array_equal(found["value"][:, ~of_wind], windy["value"][:, ~of_wind])


def test_networks_that_need_no_wind_are_built_without_it(finished: Path) -> None:
    study = other_study(
        variants=["calm"],
        inputs=["pm25", "elevation"],
        variant_stanzas={"calm": CALM},
    )
    prepared = prepared_in(finished / "data")
    geography = build_geography(study, prepared)
    winds, fields = geography(torch.ones(1, 2, 8, 16))
    assert not winds.earth_ms.any()
    assert not fields.wind_speed_ms.any()
    assert torch.equal(fields.elevation_m[0], geography.elevation_m)
    build_network(study, "calm", prepared, 0)
