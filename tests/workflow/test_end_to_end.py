"""A small study from raw archives to the report, run and rerun."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import xarray as xr
from doc_examples import examples, run_python
from reading import READ, unread
from workflow_runs import WHOLE, Run, environment, jobs

from airshed.graph.places import FORECASTS
from airshed.report.outline import FIGURES, SECTIONS

SUPPLEMENT_DATA = Path(__file__).resolve().parents[2] / "docs/examples/supplement_data.py"
SUPPLEMENTED = {
    "seeds": [0],
    "evaluation": {"save_forecasts": True},
    "stations": {"tables": ["supplement/stations.csv"]},
    "external": {"shifted": {"path": "supplement/forecast.nc"}},
    "episodes": {
        "haze": {
            "start": "2016-03-06",
            "end": "2016-03-07",
            "box": {"south": 20, "north": 45, "west": 90, "east": 120},
            "transect": {"start": [35, 92], "end": [35, 118], "points": 20},
        }
    },
}
SUPPLEMENTED_TABLES = ("stations", "external", "episodes", "scores")
# read by steps of studies that have them, or where several processes share the work
NOT_IN_THIS_STUDY = (
    *("stations", "external", "episodes", "preprocessing.", "loader.start_method"),
    "dataset.gridded.",
    *("variant_stanzas.*.backbone.", "variant_stanzas.*.bias."),
    *("variant_stanzas.*.regions.", "variant_stanzas.*.sectors"),
)
READ_ELSEWHERE = {
    "hourly": {
        "dataset.quality.constant_fields",
        "dataset.quality.implausible_values",
        "dataset.quality.limits",
        "dataset.quality.missing_cells",
        "dataset.quality.missing_hours",
    },
    "static": {"dataset.mask_rows"},  # of a bare array
    "comparison": {"study"},  # in a message
    "interventions_table": {"comparison.accept_single_seed", "splits.test.init_every_h"},
}
DATA = "results/data/tiny"
HOURLY = f"{DATA}/8x16/hourly.zarr"


def airshed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        ["airshed", *map(str, arguments)], env=environment(), capture_output=True, text=True
    )


def test_every_setting_that_a_step_declares_is_read_by_it(finished: Run) -> None:
    """That it reads no other one is an error of the step, so that the study would not be there."""
    found = unread(finished.folder.parent / READ)
    for product, settings in found.items():
        left = {name for name in settings if not name.startswith(NOT_IN_THIS_STUDY)}
        assert left == READ_ELSEWHERE.get(product, set()), product
    assert found.keys() >= {"raw", "hourly", "static", "training", "scores", "baseline", "cost"}


def test_every_result_is_there_and_complete(finished: Run) -> None:
    with finished.path("scores.csv").open() as stream:
        scores = list(csv.DictReader(stream))
    # (2 variants x 2 seeds + 5 baselines) x 6 pollutants x 2 horizons x (7 + 2 x 6 metrics)
    assert len(scores) == 9 * 6 * 2 * 19
    assert all(row["units"] for row in scores)
    pooled = ("rmse", "mae", "bias", "correlation", "skill_persistence", "skill_climatology")
    assert all(row["value"] for row in scores if row["metric"] in pooled)
    with finished.path("scores_by_stratum.csv").open() as stream:
        strata = {(row["stratum_kind"], row["variant"]) for row in csv.DictReader(stream)}
    assert len(strata) == 5 * 7
    with finished.path("comparisons.csv").open() as stream:
        comparisons = list(csv.DictReader(stream))
    assert [row["pollutant"] for row in comparisons].count("all") == 1
    assert len(comparisons) == 6 * 2 + 1
    for variant, seed in (("wind_baseline", 0), ("physics_mask", 1)):
        folder = finished.path(f"variants/{variant}/seed{seed}")
        record = json.loads((folder / "run.json").read_text())
        assert record["data_source"] == "simulated"
        assert len(record["val_loss"]) == 2
        assert ("blocks.0.alpha" in record["bias"]["parameters"]) == (variant == "physics_mask")
        header = (folder / "history.csv").read_text().splitlines()[0]
        assert header.startswith("step,epoch,train_loss,val_loss,lr")
        assert ("alpha_block0" in header) == (variant == "physics_mask")


def test_the_report_is_one_file_that_says_what_it_is(finished: Run) -> None:
    page = finished.path("report.html").read_text(encoding="utf-8")
    assert "simulated" in page
    assert "physics_mask" in page
    for outside in ('src="http', 'href="http', "<script src", "@import", "url("):
        assert outside not in page
    figures = list(finished.path("figures").glob("*.png"))
    assert len(figures) == page.count('src="data:image/png;base64,') > 10


def test_the_manifest_holds_the_checksums_of_what_is_there(finished: Run) -> None:
    manifest = json.loads(finished.path("manifest.json").read_text())
    for name, digest in (manifest["outputs"] | manifest["inputs"]).items():
        content = (finished.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
    for name in ("scores.csv", "report.html", "config.resolved.yaml"):
        assert f"results/tiny/{name}" in manifest["outputs"]
    assert any(name.endswith("CN-Reanalysis20160226.tar.gz") for name in manifest["inputs"])


def test_verify_finds_the_study_untouched_and_then_names_the_damaged_chunk(
    finished: Run, tmp_path: Path
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(finished.folder / "results", copied / "results")
    untouched = airshed("verify", copied / "results/tiny")
    assert untouched.returncode == 0, untouched.stderr
    chunk = next((copied / HOURLY).glob("pm25/c/*/0/0"))
    content = bytearray(chunk.read_bytes())
    content[7] ^= 1
    chunk.write_bytes(content)
    damaged = airshed("verify", copied / "results/tiny")
    assert damaged.returncode == 1
    assert f"changed  {chunk.resolve()}" in damaged.stderr
    assert "1 differences" in damaged.stderr
    same = airshed("verify", copied / "results/tiny", "--against", finished.path(""))
    assert same.returncode == 0, same.stderr


def test_an_exported_study_is_a_crate_that_tells_of_its_run(finished: Run, tmp_path: Path) -> None:
    zipped = tmp_path / "tiny.zip"
    done = airshed("export", finished.path(""), "--to", zipped)
    assert done.returncode == 0, done.stderr
    checked = airshed("verify", zipped)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.split()[-1] == done.stdout.split()[-1]  # the checksum of all
    with zipfile.ZipFile(zipped) as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
        names = set(archive.namelist())
    entities = {entity["@id"]: entity for entity in graph}
    root, run = entities["./"], entities["#run"]
    assert {part["@id"] for part in root["hasPart"]} == names - {
        "ro-crate-metadata.json",
        "ro-crate-preview.html",
    }
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in entities
    assert root["description"].endswith(
        "simulated data, which say nothing about the real atmosphere"
    )
    assert run["@type"] == "CreateAction"
    assert run["instrument"] == root["mainEntity"] == {"@id": "Snakefile"}
    assert run["object"] == {"@id": "results/tiny/config.resolved.yaml"}
    made = {entity["@id"] for entity in run["result"]}
    tables = {f"results/tiny/{name}" for name in ("scores.csv", "comparisons.csv", "report.html")}
    assert tables | {f"model-cards/{name}.md" for name in ("wind_baseline", "physics_mask")} <= made
    assert not any(name.endswith((".nc", ".ckpt")) for name in names)
    assert {"envs/constraints.txt", "results/tiny/manifest.json"} <= names


def test_a_folder_of_another_version_is_refused(finished: Run, tmp_path: Path) -> None:
    other = Run(tmp_path / "other")
    stamp = other.path("format.json")
    stamp.parent.mkdir(parents=True)
    stamp.write_text('{"format_version": 99}')
    done = other.planned()
    assert done.returncode != 0
    assert "a results folder of another format version" in done.stderr + done.stdout
    assert json.loads(finished.path("format.json").read_text()) == {"format_version": 1}


def test_a_second_run_has_nothing_to_do(finished: Run) -> None:
    done = finished()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr + done.stdout
    assert f"the report is {finished.path('report.html')}" in done.stderr


def test_a_changed_setting_repeats_what_depends_on_it_and_no_other(finished: Run) -> None:
    finished.configure(WHOLE | {"comparison": {"margin": 0.02}})
    repeated = {"compare", "interventions_table", "report", "manifest", "all", "total"}
    assert set(jobs(finished.planned().stdout)) == repeated
    finished.configure(WHOLE | {"train": {"epochs": 3}})
    planned = jobs(finished.planned().stdout)
    assert planned["train"] == planned["evaluate"] == 4
    assert not planned.keys() & {"simulate", "ingest", "statistics", "baseline"}
    finished.configure(WHOLE | {"jobs": {"mem_mb": 2000}})
    assert "Nothing to be done" in finished.planned().stdout
    finished.configure(WHOLE)


def test_snakemakes_own_report_has_the_figures(finished: Run) -> None:
    done = finished("--report", "workflow.html")
    assert done.returncode == 0, done.stderr[-2000:]
    page = (finished.folder / "workflow.html").read_text(encoding="utf-8")
    assert "change_heatmap-physics_mask.png" in page
    assert "report.html" in page
    for kind in ("change_heatmap", "learning_curves", "terrain_and_wind"):
        caption = FIGURES[kind].caption.split(".")[0].replace("\u00a0", " ")
        assert caption.split(" 95")[0] in page.replace("\u00a0", " ").replace("\\u00a0", " ")
        assert SECTIONS[FIGURES[kind].section] in page


def test_stations_other_forecasts_and_episodes_are_scored_without_training_again(
    finished: Run, tmp_path: Path, quickly: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    supplemented = Run(tmp_path / "supplemented", **quickly)
    for part in ("results", ".snakemake"):
        shutil.copytree(finished.folder / part, supplemented.folder / part, symlinks=True)
    config = supplemented.path("config.resolved.yaml")
    make = [sys.executable, SUPPLEMENT_DATA, config, HOURLY, "supplement"]
    subprocess.run(make, cwd=supplemented.folder, env=environment(), check=True)
    supplemented.configure(SUPPLEMENTED)
    assert not jobs(supplemented.planned().stdout).keys() & {"ingest", "train", "interpret"}
    kept = [f"{run}/{FORECASTS}" for run in ("wind_baseline/seed0", "physics_mask/seed0")]
    asked = [*(f"{name}.csv" for name in SUPPLEMENTED_TABLES), *(f"variants/{run}" for run in kept)]
    done = supplemented("--", *(f"results/tiny/{name}" for name in asked))
    assert done.returncode == 0, done.stderr

    tables = {}
    for name in SUPPLEMENTED_TABLES:
        with supplemented.path(f"{name}.csv").open() as stream:
            tables[name] = list(csv.DictReader(stream))
    everyone = {"wind_baseline", "physics_mask", "persistence", "climatology", "ridge", "shifted"}
    for name in ("stations", "external", "episodes"):
        assert everyone <= {row["name"] for row in tables[name]}, name
        assert all(float(row["rmse"]) > 0 for row in tables[name]), name
    assert {row["pollutant"] for row in tables["stations"]} == {"pm25", "o3"}
    # the made-believe forecast repeats the init hour on a coarse grid, so it comes near persistence
    rmse = {
        row["variant"]: float(row["value"])
        for row in tables["scores"]
        if (row["metric"], row["pollutant"], row["horizon_h"]) == ("rmse", "pm25", "24")
        and not row["seed"]
    }
    assert rmse["shifted"] == pytest.approx(rmse["persistence"], rel=0.3)
    for archived in kept:
        with xr.open_zarr(supplemented.path(f"variants/{archived}")) as archive:
            assert archive["pm25"].notnull().any()

    monkeypatch.chdir(supplemented.folder)
    shown_instead = {"results/supplement": "results/tiny", "north_plain": "haze"}
    for shown in examples("docs/supplement.md", "python"):
        run_python(shown, shown_instead)
