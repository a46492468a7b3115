"""The example study at a tiny size, from its make-believe data through every step."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from airshed.cli import app
from airshed.config import dump_study, read_yaml, validate_study
from airshed.data.prepared import Prepared
from airshed.data.stores import write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.stations.scorer import open_observations
from airshed.integrity.atomic import write_text
from airshed.report.supplement import left_out, rejected
from airshed.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[3]


class Steps:
    """Calls steps of the command on the example study."""

    def __init__(self, folder: Path, prepared: Prepared, climatology: Path, run: Path) -> None:
        self.folder, self.run = folder, run
        self.prepared, self.climatology = prepared, climatology
        self.config = folder / "config.yaml"
        write_text(self.config, dump_study(validate_study(self._values(), "example")))
        script = runpy.run_path(str(ROOT / "docs/examples/supplement_data.py"))
        script["main"](self.config, prepared.hourly, folder / "data")

    def _values(self) -> dict[str, Any]:
        """The example's own sections, on the tiny study's days and grid."""
        example = read_yaml(ROOT / "config/studies/supplement.yaml")
        tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
        values = tiny | read_yaml(ROOT / "config/variants.yaml")
        values |= {key: example[key] for key in ("stations", "external", "episodes")}
        values["stations"]["tables"] = [str(self.folder / "data/stations.csv")]
        values["external"]["shifted"]["path"] = str(self.folder / "data/forecast.nc")
        for episode in values["episodes"].values():
            days = {"start": "2016-03-06", "end": "2016-03-07", "map_times": []}
            episode |= days | {"box": {"south": 28, "north": 42, "west": 98, "east": 118}}
        return values

    def __call__(self, step: str, *arguments: object) -> None:
        done = CliRunner().invoke(app, [step, *map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    def scored(self, step: str, subject: str, *arguments: object) -> Path:
        """Folder with ``scores.nc`` and ``supplement/`` of one set of forecasts."""
        folder, data = self.folder / subject, self.prepared
        observations = self.folder / "observations.nc"
        self(
            step,
            *arguments,
            *("--config", self.config, "--hourly", data.hourly, "--static", data.static),
            *("--climatology", self.climatology, "--output", folder / "scores.nc"),
            *("--observations", observations, "--supplement", folder / "supplement"),
        )
        return folder


@pytest.fixture(scope="module")
def finished(
    prepared: Prepared, climatology: Path, run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Steps:
    steps = Steps(tmp_path_factory.mktemp("example"), prepared, climatology, run)
    folder = steps.folder
    steps(
        "stations",
        *("--config", steps.config, "--static", prepared.static),
        *("--output", folder / "observations.nc", "--report", folder / "quality.json"),
        folder / "data/stations.csv",
    )
    small = (
        *("--patch-elevation", prepared.patch_elevation, "--statistics", prepared.statistics),
        *("--scan-tables", prepared.scan_tables),
    )
    scored = [
        steps.scored("evaluate", "run", "--run", run, *small),
        steps.scored("baseline", "persistence", "persistence"),
        steps.scored("external", "shifted", "shifted"),
    ]
    supplemented = [where / "supplement" for where in scored]
    steps("stations-summary", "--output", folder / "stations.csv", *supplemented)
    steps("episodes-table", "--output", folder / "episodes.csv", *supplemented)
    files = [where / "scores.nc" for where in scored]
    steps("external-table", "--output", folder / "external.csv", *files)
    return steps


def test_faults_of_the_stations_are_found(finished: Steps) -> None:
    found = json.loads((finished.folder / "quality.json").read_text())["rejected"]
    assert found["negative"] == {"pm25": 3}
    assert found["flat_line"] == {"pm25": 35}
    assert found["spike"] == {"pm25": 1}
    assert found["duplicate"] == {"pm25": 10}


def test_the_report_has_what_was_rejected(finished: Steps) -> None:
    """Under data quality, by pollutant, and the stations that are left out by name."""
    found = json.loads((finished.folder / "quality.json").read_text())
    found["stations"]["left_out"] = {"at_two_places": ["9001A"], "without_position": []}
    study = SimpleNamespace(targets=("pm25", "o3"))
    results: Any = SimpleNamespace(study=study, observed=found)
    table = rejected(results)
    assert table.header == ["reason", "pm25", "o3"]
    assert ["flat line", "35", "0"] in table.rows
    assert left_out(results).rows == [["at two places", "1", "9001A"]]
    results.observed = None
    assert not rejected(results).rows


def test_observations_of_an_older_reader_are_refused(finished: Steps, tmp_path: Path) -> None:
    with xr.open_dataset(finished.folder / "observations.nc") as stored:
        write_netcdf(stored.load(), tmp_path / "observations.nc")  # as prepared files have it
    targets = [VARIABLES["pm25"], VARIABLES["o3"]]
    with pytest.raises(AirshedError, match=r"file of observations of another format version"):
        open_observations(tmp_path / "observations.nc", targets)


def test_the_reanalysis_itself_misses_the_stations_by_their_noise(finished: Steps) -> None:
    """The stations are the hourly fields times a noise of 10 %."""
    table = pd.read_csv(finished.folder / "persistence/supplement/stations.csv")
    assert len(table["station"].unique()) >= 6
    with xr.open_dataset(finished.folder / "observations.nc") as stored:
        level = stored["value"].mean("time").to_series()
    for row in table[table["horizon_h"] == 12].itertuples():
        mean = level[str(row.station), row.pollutant]
        assert 0.03 * mean < row.reanalysis_rmse < 0.3 * mean
        assert row.height_match == "unknown"  # OpenAQ gives no elevation
    assert (table["rmse"] > table["reanalysis_rmse"]).mean() > 0.9


def test_the_summary_has_every_subject(finished: Steps) -> None:
    table = pd.read_csv(finished.folder / "stations.csv")
    subjects = table[["kind", "name"]].drop_duplicates().itertuples(index=False)
    assert [tuple(subject) for subject in subjects] == [
        ("variant", "physics_mask"),
        ("baseline", "persistence"),
        ("external", "shifted"),
    ]
    assert set(table["stations_used"]) == {"all"}
    assert set(table["pollutant"]) == {"pm25", "o3"}
    assert (table["rmse"] > 0).all()


def test_episodes_have_scores_maps_and_a_transect(finished: Steps) -> None:
    table = pd.read_csv(finished.folder / "episodes.csv")
    assert set(table["episode"]) == {"north_plain", "basin"}
    persistence = table[table["name"] == "persistence"]
    np.testing.assert_allclose(persistence["rmse"], persistence["persistence_rmse"], rtol=1e-6)
    folder = finished.folder / "run/supplement"
    with xr.open_dataset(folder / "episode_north_plain.nc") as found:
        assert found["transect_elevation"].notnull().all()
        assert found["forecast"].notnull().any(["row", "column"]).sum() > 0
        assert found.attrs["data_source"] == "simulated"
        assert (found.attrs["kind"], found.attrs["name"]) == ("variant", "physics_mask")
    with xr.open_dataset(folder / "episode_basin.nc") as found:
        assert "transect_elevation" not in found


def test_the_external_forecast_stands_beside_the_others_on_its_samples(finished: Steps) -> None:
    """It is persistence on a coarse grid, and scores about like it."""
    table = pd.read_csv(finished.folder / "external.csv")
    assert set(table["name"]) == {"physics_mask", "persistence", "shifted"}
    assert (table["samples"] == table["own_samples"]).all()
    rmse = table.set_index(["name", "pollutant", "horizon_h"])["rmse"]
    assert rmse["shifted"].between(0.7 * rmse["persistence"], 2 * rmse["persistence"]).all()


def test_an_evaluation_without_the_folder_scores_alone(finished: Steps, tmp_path: Path) -> None:
    data = finished.prepared
    finished(
        "baseline",
        "persistence",
        *("--config", finished.config, "--hourly", data.hourly, "--static", data.static),
        *("--climatology", finished.climatology, "--output", tmp_path / "scores.nc"),
    )
    assert {path.name for path in tmp_path.iterdir()} == {"scores.nc", "made"}
