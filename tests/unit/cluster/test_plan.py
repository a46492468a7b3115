"""Counts follow from the study; times only from runs that did the same work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airshed.cluster.batch_size import batch_advice
from airshed.cluster.dryrun import PlannedJob, parse
from airshed.cluster.measured import Measured, measured
from airshed.cluster.plan import plan_study, training_steps
from airshed.cluster.plan_table import show
from airshed.config import Study, load_study, validate_study
from airshed.config.data import Split
from airshed.data.samples import sample_index
from airshed.integrity.formats import COST, RUN, VERSION

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
    assert study.splits.train.samples(study.horizons_h) == 34968 * 4
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
    assert split.samples([12, 48]) == len(found)


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


def leave_cost(results: Path, study: Study, *speeds: dict[int, float | None]) -> None:
    """Costs on a GPU: of each variant samples a second by size, and 1000 MB for each at once."""
    variants = {
        name: {
            "seconds_per_step": {"median": 0.5},
            "peak_memory_mb": 1000.0 * study.train.batch_size,
            "micro_batches": [
                {
                    "batch_size": size,
                    "samples_per_second": speed,
                    "peak_memory_mb": None if speed is None else 1000.0 * size,
                }
                for size, speed in by_size.items()
            ],
        }
        for name, by_size in zip(study.variants, speeds, strict=True)
    }
    cost = {
        "environment": {"device": "a card", "cpu": "a CPU"},
        "config": study.model_dump(mode="json"),
        "variants": variants,
    }
    (results / "measured").mkdir()
    (results / "measured/cost.json").write_text(json.dumps({VERSION: COST.version} | cost))


def test_a_cost_tells_of_every_size_that_it_measured(
    tiny_values: dict[str, Any], tiny_study: Study, tmp_path: Path
) -> None:
    """Global batches of 8: a second at 8 samples a second, however they are split."""
    leave_cost(tmp_path, tiny_study, {2: 8.0, 4: 16.0, 16: None}, {2: 4.0, 4: 16.0, 16: None})

    def found(size: int, variant: str = "wind_baseline") -> Measured:
        study = changed(tiny_values, "train", batch_size=size)
        return measured(study, variant, study.jobs.request(variant), tmp_path)

    assert (found(4).seconds_per_step, found(4).device_memory_mb) == (0.5, 4000.0)
    assert (found(2).seconds_per_step, found(2).device_memory_mb) == (1.0, 2000.0)
    assert found(2, "physics_mask").seconds_per_step == 2.0
    assert found(2).memory_mb is None
    assert found(2).source == "measured/cost.json (a card)"
    assert found(16) == found(8) == Measured()


@pytest.mark.parametrize(
    ("now", "devices", "speeds", "size", "gain"),
    [
        # 1/10 + 1/5 s for a sample of each at size 2; 1/20 + 1/10 at 8, twice as fast
        (2, 1, ({2: 10, 4: 12, 8: 20, 16: 40}, {2: 5, 4: 6, 8: 10, 16: 20}), 8, 1.0),
        (2, 4, ({2: 10, 4: 12, 8: 20}, {2: 5, 4: 6, 8: 10}), 2, 0.0),  # a device's share is 2
        (2, 1, ({2: 10, 4: 12, 8: 20}, {2: 5, 4: 6, 8: None}), 4, 0.2),  # 8 does not fit with one
        (8, 1, ({2: 10, 4: 12, 8: None}, {2: 5, 4: 6, 8: None}), 4, None),
        (4, 1, ({2: 10, 4: 12, 8: 12.1}, {2: 5, 4: 6, 8: 6.05}), 4, 0.1 / 12),  # within the noise
    ],
)
def test_the_fastest_size_that_fits_is_recommended(
    tiny_values: dict[str, Any],
    tmp_path: Path,
    now: int,
    devices: int,
    speeds: Any,
    size: int,
    gain: float | None,
) -> None:
    measured_with = changed(tiny_values, "train", batch_size=2)
    leave_cost(tmp_path, measured_with, *speeds)
    values = tiny_values | {"train": tiny_values["train"] | {"batch_size": now}}
    advice = batch_advice(changed(values, "jobs", devices=devices), tmp_path)
    assert advice is not None
    assert (advice.size, advice.now, advice.peak_mb) == (size, now, 1000.0 * size)
    assert advice.gain == (None if gain is None else pytest.approx(gain))
    assert ("Recommended" in str(advice)) is (size != now)


def test_nothing_is_recommended_where_nothing_was_measured(
    tiny_values: dict[str, Any], tiny_study: Study, tmp_path: Path
) -> None:
    assert batch_advice(tiny_study, tmp_path) is None
    leave_cost(tmp_path, tiny_study, {}, {})  # as on a CPU
    assert batch_advice(tiny_study, tmp_path) is None
    other = changed(tiny_values, "model", dim=32)
    assert batch_advice(other, tmp_path) is None


def test_the_plan_sums_what_is_to_be_done_and_invents_nothing(
    tiny_study: Study,
    tiny_values: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
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
    splits = tiny_values["splits"]
    fewer = splits | {"test": splits["test"] | {"init_every_h": 6}}  # instead of 3
    (scored_less, _) = plan_study(changed(tiny_values, "splits", **fewer), jobs, tmp_path).variants
    assert scored_less.scoring_hours == pytest.approx(0.025)
    made = {"apply": ["no_wind", "no_elevation", "alpha_zero"], "init_every_h": 12}
    study = validate_study(tiny_values | {"interventions": made}, "tiny")
    jobs += [PlannedJob("intervene", {"variant": "wind_baseline", "seed": "1"}, asked)] * 2
    (baseline, _) = plan_study(study, jobs, tmp_path).variants
    assert baseline.interventions == 2 * 2 * 3 / 12  # without a bias the third is not made
    assert baseline.scoring_hours == pytest.approx((2 + 1) * 90 / 3600)
    show(plan_study(study, jobs, tmp_path))
    assert "2 + 1 " in capsys.readouterr().out
    show(plan)
    said = capsys.readouterr().out
    assert "Not measured: physics_mask" in said
    assert "at most" in said
    assert plan.advice is None
    leave_cost(tmp_path, tiny_study, {4: 8.0, 8: 16.0}, {4: 8.0, 8: 16.0})
    show(plan_study(tiny_study, jobs, tmp_path))
    said = " ".join(capsys.readouterr().out.split())
    assert "train.batch_size 8 in place of 4, 100% faster, with 8,000 MB" in said
    assert "4,000 on the device" in said
