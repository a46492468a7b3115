"""What a study that is not finished is reported from, without drawing the page."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from init_scores import scores, weather

from airshed.cluster.squeue import Job, Queue
from airshed.cluster.status import study_status
from airshed.config import Study
from airshed.errors import AirshedError
from airshed.evaluation.scores import write_scores
from airshed.integrity.formats import PROGRESS, RUN, VERSION
from airshed.report import partial, unfinished
from airshed.report.partial import available_study, build_partial_report
from airshed.report.results import Results
from airshed.side_by_side.runs import NEEDED

NO_QUEUE = Queue(None)


@dataclass
class Pages:
    """What the page was made from, in place of a page."""

    results: list[Results]

    def __call__(self, found: Results, html: Path, *others: Path) -> None:
        self.results.append(found)
        html.write_text("page")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Keeps what would be drawn; what needs more than scores is left out."""
    kept = Pages([])
    monkeypatch.setattr(partial, "write_report", kept)
    monkeypatch.setattr(partial, "write_stratum_table", lambda files, output: None)
    monkeypatch.setattr(partial, "_provide_wind_roses", lambda *arguments: None)

    def load(
        study: Study, results: Path, data: Path, runs: list[tuple[str, int]], tables: Path
    ) -> Results:
        needed = [field.name for field in fields(Results) if field.default is MISSING]
        records = {
            (name, seed): json.loads(
                (results / "variants" / name / f"seed{seed}" / "run.json").read_text()
            )
            for name, seed in runs
        }
        tables_of = [pd.read_csv(tables / f"{name}.csv") for name in ("scores", "comparisons")]
        tables_of.append(pd.read_csv(tables / "comparisons_by_score.csv"))
        nothing: dict[str, Any] = dict.fromkeys(needed[5:])
        return Results(study, *tables_of, records, **nothing)

    monkeypatch.setattr(partial, "load_results", load)
    return kept


@pytest.fixture
def results(tmp_path: Path, tiny_study: Study) -> Path:
    """A study with all runs but the last one of physics_mask."""
    folder = tmp_path / "results/tiny"
    for variant, seed in (("wind_baseline", 0), ("wind_baseline", 1), ("physics_mask", 0)):
        write_run(folder, tiny_study, variant, seed)
    write_scores(
        scores("persistence", -1, 2 * weather()), folder / "baselines/persistence/scores.nc"
    )
    return folder


def write_run(folder: Path, study: Study, variant: str, seed: int) -> Path:
    run = folder / "variants" / variant / f"seed{seed}"
    noise = np.random.default_rng(seed).normal(size=weather().shape)
    factor = 0.8 if variant == "physics_mask" else 1.0
    write_scores(
        scores(variant, seed, weather() * factor * np.exp(0.05 * noise)), run / "scores.nc"
    )
    record = dict.fromkeys(NEEDED) | {
        VERSION: RUN.version,
        "study": "tiny",
        "variant": variant,
        "seed": seed,
        "commit": "a" * 40,
        "dirty": False,
        "earlier_commits": [],
        "config": study.model_dump(mode="json"),
    }
    (run / "run.json").write_text(json.dumps(record))
    return run


def build(study: Study, results: Path, queue: Queue = NO_QUEUE) -> Path:
    return build_partial_report(study, results, results.parent / "data", queue)


def test_what_is_there_is_compared_with_unequal_numbers_of_seeds(
    pages: Pages, results: Path, tiny_study: Study
) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert build(tiny_study, results) == results / "partial/report.html"
    (found,) = pages.results
    row = found.overall("physics_mask")
    assert (row["variant_seeds"], row["reference_seeds"]) == (1, 2)
    assert row["verdict"] == "helps"
    assert set(found.scores["variant"]) == {"wind_baseline", "physics_mask", "persistence"}
    assert unfinished.table(found).rows == [["physics_mask", "1", "not started", "run snakemake"]]
    assert unfinished.sentence(found).startswith("This report is partial: 3 of 4 trainings")
    after = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    new = after.keys() - before.keys()
    assert all(path.is_relative_to(results / "partial") for path in new)
    assert all(after[path] == content for path, content in before.items())


STATES: dict[str, tuple[dict[str, Any], str]] = {
    "running": (
        {"state": "running", "epoch": 2, "epochs": 5, "step": 30, "steps": 80},
        "interrupted in epoch 2 of 5, step 30 of 80",
    ),
    "failed": ({"state": "failed", "message": "loss is not finite"}, "failed: loss is not finite"),
    "told nothing yet": ({"state": "running", "epoch": None, "step": None}, "interrupted"),
}


@pytest.mark.parametrize("case", STATES)
def test_an_unfinished_training_is_listed_with_its_state(
    case: str, pages: Pages, results: Path, tiny_study: Study
) -> None:
    told, expected = STATES[case]
    folder = results / "variants/physics_mask/seed1"
    folder.mkdir()
    told = {VERSION: PROGRESS.version, "updated": "2020-01-01T00:00:00"} | told
    (folder / "progress.json").write_text(json.dumps(told))
    build(tiny_study, results)
    (entry,) = pages.results[0].unfinished
    assert entry.state == expected
    assert "snakemake" in entry.next


def test_a_training_in_the_queue_is_queued(pages: Pages, results: Path, tiny_study: Study) -> None:
    comment = "rule_train_wildcards_physics_mask_1"
    queue = Queue([Job("7", "PENDING", "Priority", comment, str(Path.cwd()))])
    build(tiny_study, results, queue)
    assert pages.results[0].unfinished[0].state == "queued"


def test_a_run_that_is_not_scored_is_left_out(
    pages: Pages, results: Path, tiny_study: Study
) -> None:
    (results / "variants/wind_baseline/seed1/scores.nc").unlink()
    build(tiny_study, results)
    states = {(one.variant, one.seed): one.state for one in pages.results[0].unfinished}
    assert states["wind_baseline", 1] == "trained, not scored"
    assert len(states) == 2


def test_a_run_with_other_settings_is_left_out(
    pages: Pages, results: Path, tiny_study: Study
) -> None:
    """Workers shape no weights; epochs do."""
    path = results / "variants/wind_baseline/seed1/run.json"
    record = json.loads(path.read_text())
    record["config"]["train"] |= {"epochs": 9, "workers": 3}
    path.write_text(json.dumps(record))
    build(tiny_study, results)
    first = pages.results[0].unfinished[0]
    assert (first.variant, first.seed) == ("wind_baseline", 1)
    assert first.state == "trained with other settings: train.epochs"


def test_without_its_reference_a_variant_is_not_compared(
    pages: Pages, results: Path, tiny_study: Study
) -> None:
    for seed in (0, 1):
        (results / f"variants/wind_baseline/seed{seed}/run.json").unlink()
    build(tiny_study, results)
    (found,) = pages.results
    assert found.study.variants == ["physics_mask"]
    assert found.study.references() == {}
    assert len(found.comparisons) == 0


def test_the_reduced_study_is_valid(tiny_study: Study) -> None:
    reduced = available_study(tiny_study, [("physics_mask", 1)])
    again = Study.model_validate(reduced.model_dump(mode="json"))
    assert (again.variants, again.seeds) == (["physics_mask"], [1])


def test_nothing_to_report_and_nothing_missing_are_said(results: Path, tiny_study: Study) -> None:
    write_run(results, tiny_study, "physics_mask", 1)
    with pytest.raises(AirshedError, match="every training of the study is finished"):
        build(tiny_study, results)
    for path in results.glob("variants/*/*/scores.nc"):
        path.unlink()
    with pytest.raises(AirshedError, match="trained, not scored"):
        build(tiny_study, results)
    assert not (results / "partial").exists()
    assert len(study_status(tiny_study, results, NO_QUEUE)) == 4
