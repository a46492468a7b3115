"""Counts follow from the study; times only from runs that did the same work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airshed.cluster.dryrun import PlannedJob, parse
from airshed.cluster.measured import Measured, measured
from airshed.cluster.plan import complete_samples, plan_study, training_steps
from airshed.cluster.plan_table import show
from airshed.config import Study, load_study, validate_study
from airshed.config.data import Split
from airshed.data.samples import sample_index
from airshed.integrity.formats import RUN, VERSION

CONFIG = Path(__file__).resolve().parents[3] / "config"
SAID = """\
rule train:
    input: a, b
    output: results/tiny/variants/physics_mask/seed1/run.json
    jobid: 10
    reason: Missing output files: x; Input files updated by another job: y
    wildcards: variant=physics_mask, seed=1
    resources: tmpdir=/tmp, nodes=2, devices=8, runtime=30, mem_mb=3000, mem=3 GB, gres=gpu:8
Shell command: airshed train --seed 1

rule compare:
    resources: tmpdir=/tmp, mem_mb=2000, runtime=60
localrule all:
    input: z
    resources: tmpdir=/tmp
"""


def test_a_dry_run_is_understood() -> None:
    train, compare = parse(SAID)
    assert (train.rule, train.wildcards) == ("train", {"variant": "physics_mask", "seed": "1"})
    assert train.resources == {"nodes": 2, "devices": 8, "runtime": 30, "mem_mb": 3000}
    assert compare == PlannedJob("compare", {}, {"mem_mb": 2000, "runtime": 60})


def test_the_founding_study_has_the_steps_that_were_counted_by_hand() -> None:
    """Four years without a missing hour: (35064 - 96) x 4 samples in batches of 8."""
    study = load_study(
        [CONFIG / "config.yaml", CONFIG / "variants.yaml", CONFIG / "studies/physics_mask.yaml"]
    )
    assert complete_samples(study.splits.train, study.horizons_h) == 34968 * 4
    assert training_steps(study) == 17484


@pytest.mark.parametrize("every", [1, 5, 7])
def test_samples_without_gaps_are_those_of_the_dataset(every: int) -> None:
    import numpy as np
    import pandas as pd

    split = Split.model_validate(
        {"start": "2016-01-01", "end": "2016-01-09", "init_every_h": every}
    )
    times = pd.date_range("2016-01-01", periods=9 * 24, freq="h")
    found = sample_index(times, np.ones(len(times), bool), split, [12, 48])
    assert complete_samples(split, [12, 48]) == len(found)


def leave_run(results: Path, study: Study, variant: str, **changes: Any) -> Path:
    """A finished run as a training leaves it, with 3 s a step and 1 MB of files."""
    folder = results / study.study / "variants" / variant / "seed0"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best.ckpt").write_bytes(bytes(1_000_000))
    record = {
        "variant": variant,
        "seconds_per_step": {"median": 3.0},
        "peak_memory_mb": 512.0,
        "device": "CPU (x86_64)",
        "config": study.model_dump(mode="json"),
    }
    (folder / "run.json").write_text(json.dumps({VERSION: RUN.version} | record | changes))
    return folder


def changed(values: dict[str, Any], section: str, **keys: Any) -> Study:
    return validate_study(values | {section: values.get(section, {}) | keys}, "changed")


def test_a_run_of_the_same_work_is_taken_and_named(
    tiny_values: dict[str, Any], tiny_study: Study, tmp_path: Path
) -> None:
    leave_run(tmp_path, tiny_study, "wind_baseline")
    longer = changed(tiny_values, "train", epochs=9, learning_rate=0.1)  # no other work per step
    found = measured(longer, "wind_baseline", longer.jobs.request("wind_baseline"), tmp_path)
    assert (found.seconds_per_step, found.memory_mb) == (3.0, 512.0)
    assert found.disk_mb == pytest.approx(1.0, abs=0.02)
    assert "tiny/variants/wind_baseline/seed0" in found.source
    assert "CPU" in found.source


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("model", {"dim": 32}),
        ("train", {"global_batch_size": 16}),
        ("train", {"precision": "bf16-mixed"}),
        ("train", {"accelerator": "gpu"}),
        ("jobs", {"devices": 2}),
        ("jobs", {"nodes": 2}),
    ],
)
def test_a_run_of_other_work_says_nothing(
    tiny_values: dict[str, Any], tiny_study: Study, tmp_path: Path, section: str, keys: Any
) -> None:
    leave_run(tmp_path, tiny_study, "wind_baseline")
    other = changed(tiny_values, section, **keys)
    found = measured(other, "wind_baseline", other.jobs.request("wind_baseline"), tmp_path)
    assert found == Measured()
    assert found.source == "not measured"


def test_another_variant_says_nothing(tiny_study: Study, tmp_path: Path) -> None:
    leave_run(tmp_path, tiny_study, "wind_baseline")
    request = tiny_study.jobs.request("physics_mask")
    assert measured(tiny_study, "physics_mask", request, tmp_path) == Measured()


def test_a_benchmark_counts_at_its_own_size_and_machine_only(tmp_path: Path) -> None:
    files = [CONFIG / "config.yaml", CONFIG / "variants.yaml", CONFIG / "studies/physics_mask.yaml"]
    study = load_study(files)
    on_cpu = {"accelerator": "cpu", "precision": "32-true", "threads": 2, "recompute_blocks": False}
    same = study.model_copy(update={"train": study.train.model_copy(update=on_cpu)})
    found = {
        "environment": {"device": "a CPU", "cpu": "a CPU", "threads": 2},
        "seconds": {"step_physics_mask": {"median": 20.0}},
        "facts": {"batch": 1},
    }
    (tmp_path / "benchmarks.json").write_text(json.dumps(found))
    request = same.jobs.request("physics_mask")
    step = measured(same, "physics_mask", request, tmp_path)
    assert step.seconds_per_step == 8 * 20.0  # a global batch of 8
    assert "8 x 20 s (a CPU)" in step.source
    assert measured(study, "physics_mask", request, tmp_path) == Measured()  # planned on a GPU
    assert measured(same, "wind_baseline", request, tmp_path) == Measured()


def test_the_plan_sums_what_is_to_be_done_and_invents_nothing(
    tiny_study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = leave_run(tmp_path, tiny_study, "wind_baseline")
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks/evaluate.tsv").write_text("s\th:m:s\n90.0\t0:01:30\n")
    asked = {"nodes": 1, "devices": 1, "runtime": 30, "mem_mb": 4000}
    jobs = [
        PlannedJob("train", {"variant": variant, "seed": "1"}, asked)
        for variant in ("wind_baseline", "physics_mask", "physics_mask")
    ]
    jobs += [PlannedJob("evaluate", {"variant": "wind_baseline", "seed": "1"}, asked)] * 2
    jobs += [PlannedJob("compare", {}, {"runtime": 60, "mem_mb": 2000})]
    plan = plan_study(tiny_study, jobs, tmp_path)
    assert [(rule.rule, rule.jobs, rule.asked_h) for rule in plan.rules] == [
        ("compare", 1, 1.0),
        ("evaluate", 2, 1.0),
        ("train", 3, 1.5),
    ]
    steps = training_steps(tiny_study)
    assert plan.device_hours == pytest.approx(steps * 3.0 / 3600)
    assert [row.scoring_hours for row in plan.variants] == [pytest.approx(0.05), None]
    assert plan.unmeasured == ["physics_mask"]
    show(plan)
    said = capsys.readouterr().out
    assert "Not measured: physics_mask" in said
    assert "at most" in said
