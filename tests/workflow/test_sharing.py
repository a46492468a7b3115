"""Studies share data and trainings, and nothing that another one depends on is replaced.

The results are those of a finished small study; only plans are made of them here.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from planning import plan
from snakemake.exceptions import WorkflowError
from workflow_runs import ROOT, STUDY, WHOLE, Run

from airshed.config import Study, dump_study, read_yaml, validate_study
from airshed.config.load import merge
from airshed.graph.products import PRODUCTS
from airshed.integrity.provenance import sha256

RUN = "variants/physics_mask/seed0"


def tiny_study(**changes: Any) -> Study:
    """The small study over the defaults, as its checkout has it."""
    values: dict[str, Any] = changes
    for path in (STUDY, ROOT / "config/variants.yaml", ROOT / "config/config.yaml"):
        values = merge(read_yaml(path), values)
    return validate_study(values, "tiny")


@pytest.fixture
def there(finished: Run, tmp_path: Path) -> Iterator[Study]:
    """The tests are in a copy of the small study's checkout."""
    before = Path.cwd()
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    os.chdir(tmp_path / "copy")
    try:
        yield tiny_study(**WHOLE)
    finally:
        os.chdir(before)


def another(**changes: Any) -> Study:
    variants = ["wind_baseline", "physics_mask", "elevation_only"]
    return tiny_study(**{"study": "another", "variants": variants} | changes)


def test_another_study_makes_no_data_and_takes_trainings_and_scores_over(there: Study) -> None:
    found = plan(another())
    assert not found.rules & {"simulate", "ingest", "static_fields", "statistics", "climatology"}
    assert found.counts("take_over", "train") == [4, 2]
    assert found.counts("take_over_scores", "evaluate") == [4, 2]
    assert not plan(there).jobs
    assert plan(another(jobs={"take_over": False})).counts("train", "take_over") == [6, 0]
    kept = plan(another(evaluation={"save_forecasts": True}))
    assert kept.counts("take_over", "take_over_scores", "evaluate") == [4, 0, 6]
    other_scores = plan(another(evaluation={"wind_speed_edges_ms": [3]}))
    assert other_scores.counts("take_over", "take_over_scores") == [4, 0]
    assert plan(another(train={"epochs": 3})).counts("take_over") == [0]
    assert plan(another(normalisation={"log": {"pm25": 9.0}})).counts("take_over") == [0]


def test_what_is_taken_over_is_linked_says_so_and_outlives_the_other_study(there: Study) -> None:
    study = another(variants=["wind_baseline", "physics_mask"], seeds=[0])
    targets = {f"results/another/{RUN}/run.json", f"results/another/{RUN}/scores.nc"}
    assert plan(study, "local", targets=targets).counts("train", "evaluate") == [0, 0]
    run, source = Path("results/another", RUN), Path("results/tiny", RUN)
    record, origin = (json.loads((one / "run.json").read_text()) for one in (run, source))
    assert record["taken_over"]["study"] == "tiny"
    assert record["taken_over"]["commit"] == origin["commit"]
    assert record["identity"] == origin["identity"]
    assert (run / "checkpoints/best.ckpt").samefile(source / "checkpoints/best.ckpt")
    assert sha256(run / "scores.nc") == sha256(source / "scores.nc")
    assert not plan(study, targets=targets).jobs
    assert not plan(there).jobs
    shutil.rmtree("results/tiny")
    assert not plan(study, targets=targets).jobs
    shutil.rmtree(run)
    assert plan(study, targets=targets).counts("train", "evaluate") == [1, 1]


def test_data_that_another_study_stands_on_are_not_replaced(there: Study) -> None:
    changed = {"simulator": {"seed": 7}, "quality": {"missing_hours": "refuse"}}
    with pytest.raises(WorkflowError) as raised:
        plan(another(dataset=changed))
    said = str(raised.value)
    for part in ("'another'", "'tiny'", "dataset.simulator.seed (0 -> 7)", "dataset.name"):
        assert part in said
    assert Path("results/data/tiny/raw").is_dir()
    # the study itself may, until another one depends on its data
    found = plan(tiny_study(dataset=changed))
    assert found.counts("simulate", "ingest", "train") == [1, 1, 4]
    path = Path("results/another/config.resolved.yaml")
    path.parent.mkdir()
    path.write_text(dump_study(another()))
    with pytest.raises(WorkflowError, match="'another' depends on"):
        plan(tiny_study(dataset=changed))


def test_what_a_change_repeats_is_said_in_a_line(there: Study) -> None:
    assert (
        "train.epochs (2 -> 3) repeats 4 trainings (took"
        in plan(tiny_study(train={"epochs": 3}, **WHOLE)).said
    )
    said = plan(tiny_study(dataset={"quality": {"missing_hours": "refuse"}})).said
    assert 'dataset.quality.missing_hours ("mask" -> "refuse") repeats the ingest (took' in said
    assert " repeats " not in plan(tiny_study(comparison={"margin": 0.02}, **WHOLE)).said


def test_without_snakemakes_records_nothing_stale_is_used(there: Study) -> None:
    shutil.rmtree(".snakemake")
    assert not plan(there).jobs
    with pytest.raises(WorkflowError, match="--forcerun train"):
        plan(tiny_study(train={"epochs": 3}, **WHOLE))
    with pytest.raises(WorkflowError, match="--forcerun compare"):
        plan(tiny_study(comparison={"margin": 0.02}, **WHOLE))


def test_results_of_before_notes_are_made_again_which_is_said_once(there: Study) -> None:
    """Their steps had other params, and another study takes nothing of them over."""
    for notes in [*Path("results").rglob("made")]:
        shutil.rmtree(notes)
    for record in Path(".snakemake/metadata").iterdir():
        noted = json.loads(record.read_text())
        record.write_text(json.dumps(noted | {"params": ["'results/tiny/config.resolved.yaml'"]}))
    found = plan(there)
    (line,) = (line for line in found.said.splitlines() if "earlier version of Airshed" in line)
    assert line.endswith("; they are made again")
    told = line.removeprefix("airshed: ").partition(": made by")[0].split(", ")
    rules = {product.words: product.rule for product in PRODUCTS.values()}
    assert {rules[words] for words in told} <= found.rules
    assert {"simulated raw data", "the ingest", "trainings", "scores of trainings"} <= {*told}
    assert not plan(another()).rules & {"take_over", "take_over_scores"}
    shutil.rmtree(".snakemake")
    with pytest.raises(WorkflowError, match=r"unknown settings(.|\n)*--forcerun simulate ingest"):
        plan(there)
