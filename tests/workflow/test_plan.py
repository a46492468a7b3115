"""What Snakemake plans to do, and how it refuses what it cannot do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_examples import examples
from workflow_runs import Snakemake, checkout, environment, jobs, planning_in

RULES = {
    "simulate",
    "ingest",
    "static_fields",
    "patch_elevation",
    "statistics",
    "scan_tables",
    "climatology",
    "damping",
    "train",
    "evaluate",
    "baseline",
    "score_tables",
    "wind_roses",
    "cost",
    "interpret",
    "compare",
    "report",
}


def override(folder: Path, values: dict[str, Any]) -> str:
    path = folder / "override.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def trained_from(said: str) -> list[str]:
    """What each training of a dry run reads; only the demo's networks depart from anything."""
    found = re.findall(r"rule train:\n    input: (.*)\n", said)
    assert found
    return found


def test_dry_run_plans_every_step_once_per_variant_and_seed(snakemake: Snakemake) -> None:
    done = snakemake("-n")
    assert done.returncode == 0, done.stderr
    planned = jobs(done.stdout)
    assert set(planned) >= RULES
    assert planned["train"] == planned["evaluate"] == 4
    assert planned["baseline"] == 5
    assert all("damping_" in read and "climatology_" in read for read in trained_from(done.stdout))


def test_one_ablation_needs_its_own_training_and_no_other(snakemake: Snakemake) -> None:
    done = snakemake("-n", "results/demo/variants/physics_mask/seed0/scores.nc")
    assert done.returncode == 0, done.stderr
    planned = jobs(done.stdout)
    assert planned["train"] == planned["evaluate"] == 1
    assert not planned.keys() & {"baseline", "compare", "report"}
    assert "wind_baseline/seed" not in done.stdout


def test_another_workflow_takes_the_rules_over_as_the_page_shows(tmp_path: Path) -> None:
    checkout(tmp_path / "airshed")
    (shown,) = examples("config/README.md", "snakemake")
    (tmp_path / "Snakefile").write_text(shown.text, encoding="utf-8")
    (tmp_path / "my_study.yaml").write_text("study: mine\n", encoding="utf-8")
    done = planning_in(tmp_path)("-n")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 4
    assert "results/mine/variants/physics_mask/seed1/run.json" in done.stdout


def test_the_ablation_plans_every_variant_with_five_seeds(snakemake: Snakemake) -> None:
    done = snakemake("-n", "--configfile", "config/studies/ablation.yaml")
    assert done.returncode == 0, done.stderr
    stanzas = yaml.safe_load(Path("config/variants.yaml").read_text())["variant_stanzas"]
    assert len(stanzas) >= 23
    assert jobs(done.stdout)["train"] == 5 * len(stanzas)


def test_a_large_study_is_planned_in_bounded_memory(tmp_path: Path) -> None:
    """Every variant with five seeds at four horizons, in less than 400 MB of data."""
    checkout(tmp_path)
    limited = ["sh", "-c", 'ulimit -d 400000 && exec snakemake "$@"', "sh"]
    given = ["-n", "--configfile", "config/studies/ablation.yaml"]
    done = subprocess.run(
        [*limited, *given], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    planned = jobs(done.stdout)
    assert planned["train"] == planned["evaluate"] == 23 * 5
    assert planned["interpret"] == 5 * len(biased())
    assert planned["total"] == sum(planned.values()) - planned["total"]


def biased() -> list[str]:
    """Variants of the ablation that have a bias."""
    stanzas = yaml.safe_load(Path("config/variants.yaml").read_text())["variant_stanzas"]
    return [name for name in stanzas if stanzas[name].get("bias", {}).get("kind", "none") != "none"]


def test_the_same_model_is_trained_twice_with_two_sets_of_seeds(snakemake: Snakemake) -> None:
    done = snakemake("-n", "--configfile", "config/studies/aa.yaml")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 6
    assert "results/aa/variants/wind_baseline_again/seed2/run.json" in done.stdout
    assert not any("damping_" in read or "climat" in read for read in trained_from(done.stdout))


def test_truth_recovery_plans_a_world_of_its_own_for_each_blocking(snakemake: Snakemake) -> None:
    files = ["config/studies/recovery.yaml", "config/studies/recovery_flat.yaml"]
    for number, world in enumerate(("blocked", "flat"), start=1):
        done = snakemake("-n", "--configfile", *files[:number])
        assert done.returncode == 0, done.stderr
        assert jobs(done.stdout)["train"] == 15
        assert f"results/data/simulated_{world}/raw" in done.stdout


def test_stations_externals_and_episodes_are_steps_of_their_own(
    snakemake: Snakemake, tmp_path: Path
) -> None:
    study = ("-n", "--configfile", "config/studies/supplement.yaml")
    missing = snakemake(*study)
    assert missing.returncode == 0, missing.stderr
    assert "not there yet: " in missing.stderr + missing.stdout
    assert "stations.tables: data/supplement/stations.csv" in missing.stderr + missing.stdout
    (tmp_path / "data/supplement/forecast.nc").mkdir(parents=True)  # a folder, and an empty one
    wrong = snakemake(*study)
    told = "external.*.path: data/supplement/forecast.nc (holds no file that is read)"
    assert told in wrong.stderr + wrong.stdout
    (tmp_path / "data/supplement/forecast.nc").rmdir()
    for name in ("stations.csv", "forecast.nc"):
        (tmp_path / "data/supplement" / name).touch()
    planned = jobs(snakemake(*study).stdout)
    assert planned["stations"] == planned["external"] == planned["cost"] == 1
    assert planned["stations_summary"] == planned["episodes_table"] == 1
    assert planned["external_table"] == 1
    assert planned["interpret"] == 2  # one biased variant, two seeds


def test_finetuning_waits_for_the_baseline_of_its_own_seed(snakemake: Snakemake) -> None:
    target = "results/ablation/variants/physics_finetune/seed3/run.json"
    done = snakemake("-n", "--configfile", "config/studies/ablation.yaml", "--", target)
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 2
    assert "results/ablation/variants/wind_baseline/seed3/run.json" in done.stdout


def test_slurm_profile_resolves_in_a_fresh_checkout(snakemake: Snakemake) -> None:
    done = snakemake("--profile", "slurm", "-n")
    assert done.returncode == 0, done.stderr
    assert jobs(done.stdout)["train"] == 4
    assert "slurm" in done.stderr  # the profile that is used is named


@pytest.mark.parametrize("graph", ["--dag", "--rulegraph"])
def test_graphs_are_printed(snakemake: Snakemake, graph: str) -> None:
    done = snakemake(graph)
    assert done.returncode == 0, done.stderr
    assert done.stdout.lstrip().startswith("digraph")
    for rule in RULES:
        assert rule in done.stdout
    if graph == "--rulegraph":
        drawn = re.findall(r"<text[^>]*>(\w+)</text>", Path("docs/rulegraph.svg").read_text())
        assert sorted(drawn) == sorted(re.findall(r'label = "(\w+)"', done.stdout)), (
            "snakemake --rulegraph | dot -Tsvg > docs/rulegraph.svg draws it anew"
        )


def test_a_study_is_planned_before_its_data_are_there(snakemake: Snakemake, tmp_path: Path) -> None:
    study = ("--configfile", "config/studies/physics_mask.yaml")
    planned = snakemake("-n", *study)
    assert planned.returncode == 0, planned.stderr
    said = planned.stderr + planned.stdout
    (line,) = (line for line in said.splitlines() if line.startswith("airshed: not there"))
    assert "dataset.path: data/caqra" in line
    assert "dataset.elevation_file: " in line
    assert jobs(planned.stdout)["train"] == 6
    assert "simulate" not in jobs(planned.stdout)
    run = snakemake("--cores", "1", *study)
    assert run.returncode != 0
    assert line.removeprefix("airshed: ") in run.stderr + run.stdout
    assert "Traceback" not in run.stderr + run.stdout
    assert "rule ingest" not in run.stderr + run.stdout
    assert not (tmp_path / "results/data").exists()


BROKEN: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "typo": ({"trian": {"epochs": 2}}, ("trian", "did you mean 'train'")),
    "nested typo": ({"train": {"epoch": 2}}, ("train", "did you mean 'epochs'")),
    "type": ({"train": {"epochs": "many"}}, ("train.epochs", "integer", "many")),
    "variant": ({"variants": ["phisics_mask"]}, ("phisics_mask", "did you mean 'physics_mask'")),
    "reference": ({"variants": ["physics_mask"]}, ("wind_baseline", "reference")),
    "grid": ({"dataset": {"grid": {"rows": 33}}}, ("dataset.grid.rows", "33", "model.patch")),
    "regions": ({"model": {"regions": {"rows": 5}}}, ("model.regions.rows", "does not divide")),
    "splits": (
        {"splits": {"test": {"start": "2015-03-15"}}},
        ("splits", "overlap", "validation", "test"),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_config_ends_in_one_message_without_traceback(
    snakemake: Snakemake, tmp_path: Path, case: str
) -> None:
    values, expected = BROKEN[case]
    done = snakemake("-n", "--configfile", override(tmp_path, values))
    said = done.stderr + done.stdout
    assert done.returncode != 0
    assert "Traceback" not in said
    for part in expected:
        assert part in said
    assert not (tmp_path / "results").exists()


def test_another_folder_says_where_to_run(tmp_path: Path) -> None:
    snakefile = checkout(tmp_path / "clone") / "Snakefile"
    (tmp_path / "away").mkdir()
    snakemake = planning_in(tmp_path / "away")
    refused = snakemake("-n", "-s", str(snakefile))
    assert refused.returncode == 1
    assert f"or say --directory {snakefile.parent}" in refused.stderr + refused.stdout
    done = snakemake("-n", "-s", str(snakefile), "--directory", str(snakefile.parent))
    assert done.returncode == 0, done.stderr


def test_what_another_run_makes_is_said_and_stops_only_what_needs_it(
    snakemake: Snakemake, tmp_path: Path
) -> None:
    """Snakemake's own locks: of another study, and of the data of this one."""
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    for made, code in (("another/report.html", 0), ("data/simulated_china/raw", 1)):
        lock.parent.mkdir(parents=True, exist_ok=True)  # a run that ends removes it
        lock.write_text(f"results/{made}\n")
        done = snakemake("--cores", "1", "--touch", "--", "results/data/simulated_china/raw")
        assert done.returncode == code, done.stderr
        assert f"it makes files in results/{Path(made).parent}." in done.stderr + done.stdout
