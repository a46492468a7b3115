"""Which steps run again after which change: params decide, not the whole configuration.

The study is finished by a stand-in for `airshed` that only makes files, since what counts here is
what Snakemake plans next.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_runs import jobs, planning_in, snakemake_in, with_stand_in

from airshed.config import read_yaml
from airshed.config.load import merge
from airshed.config.training import WITHOUT_INFLUENCE
from airshed.training import record

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
VARIANTS = ["wind_baseline", "physics_mask", "physics_finetune"]  # the last starts from the first
AFTER = {"compare": 1, "report": 1, "manifest": 1}
SCORED = {"score_tables": 1} | AFTER


class Finished:
    """A checkout in which the study is finished."""

    def __init__(self, folder: Path) -> None:
        self.folder = with_stand_in(folder)
        self._plan = planning_in(folder)
        self._write({})
        done = snakemake_in(folder)("--cores", "2", "--configfile", "study.yaml")
        assert done.returncode == 0, done.stderr[-3000:]

    def _write(self, changes: dict[str, Any]) -> None:
        values = merge(read_yaml(HELPERS / "tiny_study.yaml"), {"variants": VARIANTS})
        text = yaml.safe_dump(merge(values, changes))
        (self.folder / "study.yaml").write_text(text, encoding="utf-8")

    def planned(self, *arguments: str, changes: dict[str, Any] | None = None) -> dict[str, int]:
        """Rules and their jobs that a dry run plans."""
        self._write(changes or {})
        done = self._plan("-n", "--configfile", "study.yaml", *arguments)
        assert done.returncode == 0, done.stderr
        self.said = done.stdout
        found = jobs(done.stdout)
        return {rule: count for rule, count in found.items() if rule not in ("all", "total")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("rerun") / "checkout")


def stanza(variant: str, **keys: Any) -> dict[str, Any]:
    return {"variant_stanzas": {variant: keys}}


def trained(count: int, biased: int, **others: int) -> dict[str, int]:
    """What follows from so many trainings, of which some have a bias."""
    again = {"train": count, "evaluate": count, "interpret": biased}
    return {rule: jobs for rule, jobs in again.items() if jobs} | SCORED | others


CHANGES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "nothing": ({}, {}),
    "one variant's bias": (stanza("physics_mask", bias={"alpha_init": 0.3}), trained(2, 2, cost=1)),
    "one variant's learning rate": (stanza("physics_finetune", learning_rate=1e-4), trained(2, 2)),
    "one variant's precision": (
        stanza("physics_mask", precision="bf16-mixed"),
        trained(2, 2, cost=1),
    ),
    "a variant that another starts from": (
        stanza("wind_baseline", scan="raster"),
        trained(4, 2, cost=1),
    ),
    "a variant that this study does not have": (stanza("topoflow", bias={"alpha_init": 9.0}), {}),
    "a label": (stanza("physics_mask", label="Mask"), {"report": 1, "manifest": 1}),
    "a reference": (stanza("physics_finetune", reference="physics_mask"), AFTER | {"cost": 1}),
    "what jobs ask for": ({"jobs": {"mem_mb": 9, "nodes": 2, "variants": {"climax": {}}}}, {}),
    "what shapes no weight": ({"train": {"tensorboard": True, "workers": 3}}, {}),
    "epochs": ({"train": {"epochs": 7}}, trained(6, 4, cost=1)),
    "a third seed": ({"seeds": [0, 1, 2]}, trained(3, 2, cost=1)),
    "the margin": ({"comparison": {"margin": 0.02}}, AFTER),
    "classes of wind speed": (
        {"evaluation": {"wind_speed_edges_ms": [3]}},
        {"evaluate": 6, "baseline": 4, "wind_roses": 1} | SCORED,
    ),
    "how scores are made": (
        {"evaluation": {"batch_size": 3}},
        {"evaluate": 6, "baseline": 4} | SCORED,
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_repeats_what_depends_on_it_and_nothing_else(
    finished: Finished, case: str
) -> None:
    changes, expected = CHANGES[case]
    assert finished.planned(changes=changes) == expected


def test_the_report_alone(finished: Finished) -> None:
    assert finished.planned("--forcerun", "report") == {"report": 1, "manifest": 1}


def test_the_scores_of_one_run_alone(finished: Finished) -> None:
    scores = "results/tiny/variants/physics_mask/seed1/scores.nc"
    assert finished.planned("--forcerun", scores) == {"evaluate": 1} | SCORED
    assert finished.planned("--forcerun", scores, "--", scores) == {"evaluate": 1}
    assert "wind_baseline/seed" not in finished.said


def test_one_horizon_of_one_run_is_scored_by_itself(finished: Finished) -> None:
    scores = "results/tiny/variants/physics_mask/seed1/horizons/24h/scores.nc"
    assert finished.planned("--", scores) == {"evaluate_horizon": 1}
    assert "--horizon 24" in finished.said


@pytest.mark.parametrize(
    ("removed", "count", "biased"),
    [("physics_mask/seed1", 1, 1), ("physics_mask", 2, 2), ("wind_baseline/seed0", 2, 1)],
)
def test_a_removed_seed_or_variant_is_trained_anew(
    finished: Finished, removed: str, count: int, biased: int, tmp_path: Path
) -> None:
    """With a seed of wind_baseline goes that of physics_finetune, which starts from it."""
    folder = finished.folder / "results/tiny/variants" / removed
    shutil.move(folder, tmp_path / "kept")
    try:
        assert finished.planned() == trained(count, biased)
    finally:
        shutil.move(tmp_path / "kept", folder)


def test_the_workflow_and_the_training_agree_on_what_shapes_no_weight() -> None:
    assert set(WITHOUT_INFLUENCE) == record.WITHOUT_INFLUENCE["train"]
