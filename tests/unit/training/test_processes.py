"""Several processes train what one does; what goes wrong in one of them ends all, with a reason."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import numpy as np
import pytest
import torch
from made_once import MadeOnce
from tiny_runs import (
    SEED,
    VARIANT,
    Disturbance,
    assert_same_run,
    final_weights,
    finish,
    progress,
    said,
    start,
    tiny_study,
)
from torch.utils.data import default_collate

from airshed.assembly import build_network
from airshed.config import Study, dump_study
from airshed.config.jobs import JobsConfig
from airshed.config.training import TrainConfig
from airshed.config.variants import Variant
from airshed.data.dataset import ForecastDataset
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.training.batches import Plan
from airshed.training.fabric import launch_fabric
from airshed.training.optimisation import warmup_cosine
from airshed.training.processes import Processes
from airshed.training.stopping import EXIT_INTERRUPTED
from airshed.variables import TARGETS

ODD = {  # numbers of samples that two processes cannot share equally: 11 and 7
    "train": {"start": "2016-02-26", "end": "2016-03-01", "init_every_h": 9},
    "validation": {"start": "2016-03-02", "end": "2016-03-04", "init_every_h": 7},
}

UNUSED = {
    "arch",
    "dask",
    "matplotlib",
    "netCDF4",
    "pytorch_lightning",
    "rasterio",
    "scipy",
    "seaborn",
    "sklearn",
    "snakemake",
    "statsmodels",
    "tensorboard",
    "torchdiffeq",
    "torchmetrics",
}

OTHER_BACKBONES: dict[str, dict[str, Any]] = {
    "swin": {"kind": "swin", "window": 2},
    "wind_graph": {"kind": "wind_graph", "blocks": "all"},
    "advection_diffusion": {"kind": "advection_diffusion", "steps": 4},
}


def undropped(**train: Any) -> Study:
    """Four samples a step, and no dropout, whose draws differ by process."""
    model = {"dropout": 0.0, "drop_path": 0.0}
    train = {"global_batch_size": 4, "batch_size": 2} | train
    return tiny_study(model=model, train=train, splits=ODD, horizons_h=[24])


@pytest.fixture(scope="module")
def alone(prepared: Prepared, made_once: MadeOnce) -> Path:
    """One process, four samples a step in micro-batches of two."""
    return made_once("alone", lambda folder: finish(undropped(), prepared, folder))


@pytest.fixture(scope="module")
def together(prepared: Prepared, made_once: MadeOnce) -> Path:
    """Two processes, the same four samples a step, one at a time each."""
    study = undropped(batch_size=1)
    return made_once("together", lambda folder: finish(study, prepared, folder, count=2))


def training_samples(study: Study, prepared: Prepared) -> ForecastDataset:
    return ForecastDataset.of(study, prepared, study.splits.train)


def test_one_process_trains_as_a_plain_loop_over_whole_batches(
    prepared: Prepared, alone: Path
) -> None:
    """Plain torch: the whole global batch at once, the mean over all its known cells."""
    study = undropped()
    settings, samples = study.train, training_samples(study, prepared)
    network = build_network(study, VARIANT, prepared, SEED).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    plan = Plan(len(samples), 4, 4, SEED)
    step = 0
    for epoch in range(settings.epochs):
        for micro_batches in plan.epoch(epoch):
            batch = default_collate([samples[i] for i in micro_batches[0].indices])
            factor = warmup_cosine(step, settings.warmup_steps, settings.epochs * plan.steps)
            optimizer.param_groups[0]["lr"] = settings.learning_rate * factor
            optimizer.zero_grad()
            error = network(batch.x, batch.lead_hours, TARGETS) - batch.y
            error[error.isfinite()].square().mean().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimizer.step()
            step += 1
    assert_close(final_weights(alone), network.state_dict())


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """To float tolerance: Adam divides small gradients by themselves, which magnifies rounding."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=2e-6, msg=name)


def test_two_processes_train_as_one_with_the_batch_of_both(alone: Path, together: Path) -> None:
    assert_close(final_weights(together), final_weights(alone))
    losses = [json.loads((it / "run.json").read_text())["val_loss"] for it in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_sharded_weights_are_trained_to_the_same(
    prepared: Prepared, alone: Path, tmp_path: Path
) -> None:
    """Interrupted on the way, and continued with whole weights instead."""
    sharded = undropped(strategy="fsdp", batch_size=1)
    assert start(sharded, prepared, tmp_path / "a", 2) == [0, 0]
    assert_close(final_weights(tmp_path / "a"), final_weights(alone))
    halfway = Disturbance(9, (SIGTERM,), rank=1)
    assert start(sharded, prepared, tmp_path / "b", 2, halfway) == [EXIT_INTERRUPTED] * 2
    assert start(sharded, prepared, tmp_path / "b", 2) == [0, 0]
    assert_same_run(tmp_path / "b", tmp_path / "a")
    assert start(sharded, prepared, tmp_path / "c", 2, halfway) == [EXIT_INTERRUPTED] * 2
    assert start(undropped(batch_size=1), prepared, tmp_path / "c") == [0]
    assert_close(final_weights(tmp_path / "c"), final_weights(alone))


@pytest.mark.parametrize("kind", OTHER_BACKBONES)
def test_other_backbones_are_trained_to_the_same_in_shards(
    prepared: Prepared, tmp_path: Path, kind: str
) -> None:
    stanza = Variant.model_validate(
        {"label": kind, "scan": "wind", "backbone": OTHER_BACKBONES[kind]}
    )

    def trained(folder: Path, count: int, **train: Any) -> dict[str, torch.Tensor]:
        study = undropped(epochs=1, **train)
        stanzas = study.variant_stanzas | {VARIANT: stanza}
        study = study.model_copy(update={"variant_stanzas": stanzas})
        assert start(study, prepared, folder, count) == [0] * count, said(folder)
        return final_weights(folder)

    sharded = trained(tmp_path / "sharded", 2, strategy="fsdp", batch_size=1)
    assert_close(sharded, trained(tmp_path / "alone", 1))


def test_the_data_of_this_test_make_processes_count_different_numbers_of_cells(
    prepared: Prepared,
) -> None:
    study = undropped()
    samples = training_samples(study, prepared)
    known = np.array([int(samples[i].y.isfinite().sum()) for i in range(len(samples))])
    assert len(set(known)) > 1
    assert len(samples) == 11  # dealt one at a time, the last one leaves a process without any


def test_the_record_says_what_trained(alone: Path, together: Path) -> None:
    for folder, devices in ((alone, 1), (together, 2)):
        record = json.loads((folder / "run.json").read_text())
        assert (record["nodes"], record["devices"]) == (1, devices)
        assert record["processes"] == [devices]
        told = progress(folder)
        assert (told["state"], told["nodes"], told["devices"]) == ("done", 1, devices)
        assert told["step"] == told["steps"] == record["optimizer_steps"]


def test_only_the_first_process_writes(together: Path) -> None:
    found = sorted(str(path.relative_to(together)) for path in together.rglob("*.*"))
    states = ("best.ckpt", "finished.json", "last.ckpt", "previous.ckpt")
    assert found == [
        *(f"checkpoints/{name}" for name in ("attempts.json", *states)),
        *("history.csv", "made/run.json.json", "progress.json"),
        *("run.json", "said0.txt", "said1.txt"),
    ]
    assert "optimiser steps" not in (together / "said1.txt").read_text()


def test_a_run_continues_on_another_number_of_devices(
    prepared: Prepared, alone: Path, tmp_path: Path
) -> None:
    jobs = JobsConfig(checkpoint_every_min=1e-9, keep_states=True)
    study = undropped().model_copy(update={"jobs": jobs})
    assert start(study, prepared, tmp_path, 1, Disturbance(8, (SIGKILL,))) == [-SIGKILL]
    assert start(study, prepared, tmp_path, 2) == [0, 0]
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["processes"] == [1, 2]
    assert_close(final_weights(tmp_path), final_weights(alone))


def test_a_stalled_process_ends_all_and_is_named_with_its_step(
    prepared: Prepared, tmp_path: Path
) -> None:
    study = undropped(timeout_min=0.2)
    assert start(study, prepared, tmp_path, 2, Disturbance(4, rank=1)) == [1, 1]
    assert "process 1 of 2" in said(tmp_path)
    assert re.search(r"no progress for 1[2-9] s at step 3, computing", said(tmp_path))
    assert "_squares" in (tmp_path / "said1.txt").read_text()  # the line where it stood
    assert progress(tmp_path)["state"] == "failed"


def test_a_lost_process_ends_the_others_with_a_reason(prepared: Prepared, tmp_path: Path) -> None:
    codes = start(undropped(), prepared, tmp_path, 2, Disturbance(4, (SIGKILL,), rank=1))
    assert codes == [1, -SIGKILL]
    assert "another process of the training is gone" in said(tmp_path)
    assert progress(tmp_path)["state"] == "failed"


def test_a_global_batch_that_does_not_fit_the_devices_stops_all(
    prepared: Prepared, tmp_path: Path
) -> None:
    assert start(undropped(global_batch_size=9), prepared, tmp_path, 2) == [1, 1]
    assert "use 1, 3, 9 devices in all" in (tmp_path / "said0.txt").read_text()
    assert "use 1, 3, 9 devices in all" in progress(tmp_path)["message"]


def test_dropout_differs_by_process_and_is_repeatable(prepared: Prepared, tmp_path: Path) -> None:
    study = tiny_study(train={"epochs": 1})
    for name in ("first", "second"):
        assert start(study, prepared, tmp_path / name, 2) == [0, 0]
    first, second = (final_weights(tmp_path / name) for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert start(study, prepared, tmp_path / "alone") == [0]
    alone = final_weights(tmp_path / "alone")
    assert not torch.equal(first["head.0.weight"], alone["head.0.weight"])


def command(study: Path, prepared: Prepared, folder: Path) -> list[str]:
    """``airshed train``, as a rule of the workflow calls it."""
    paths = {"config": study, **vars(prepared), "run": folder / "run.json"}
    paths["history"] = folder / "history.csv"
    options = [f"--{name.replace('_', '-')}={path}" for name, path in paths.items() if path]
    program = [sys.executable, "-m", "airshed.cli", "train"]
    return [*program, f"--variant={VARIANT}", "--seed=1", *options]


def test_the_command_starts_one_process_per_device(
    prepared: Prepared, together: Path, tmp_path: Path
) -> None:
    """They start with what they train with; not with matplotlib, which makes a cache of fonts."""
    config = tmp_path / "study.yaml"
    config.write_text(dump_study(undropped(batch_size=1)))
    arguments = [*command(config, prepared, tmp_path), "--devices=2"]
    told = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(arguments, env=told, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-4000:]
    until_it_starts, _, _ = done.stderr.partition(" airshed.training.run\n")
    imported = set(re.findall(r"\| +([\w.]+)$", until_it_starts, re.MULTILINE))
    assert "lightning_fabric" in imported
    assert not UNUSED & imported
    found, expected = final_weights(tmp_path), final_weights(together)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert json.loads((tmp_path / "run.json").read_text())["devices"] == 2


def test_srun_decides_who_starts_the_processes() -> None:
    srun = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4"}
    four = Processes(nodes=2, devices=2)
    assert four.started_by_slurm(srun)
    assert not four.to_be_started_here(srun)
    inside_one_task = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}
    assert Processes(devices=4).to_be_started_here(inside_one_task)
    assert Processes(devices=4).to_be_started_here({})
    assert not Processes(devices=4).to_be_started_here({"LOCAL_RANK": "1"})
    for environment in ({}, inside_one_task):
        assert not Processes().started_by_slurm(environment)
        assert not Processes().to_be_started_here(environment)
    with pytest.raises(AirshedError, match="srun --nodes=2 --ntasks=4 --ntasks-per-node=2"):
        four.started_by_slurm({})
    with pytest.raises(AirshedError, match="1 tasks, 1 on each node"):
        Processes().started_by_slurm(srun)


def test_processes_that_srun_has_started_on_two_nodes_find_each_other(
    prepared: Prepared, together: Path, tmp_path: Path
) -> None:
    """In the environment that srun makes."""
    study = undropped(batch_size=1)
    assert start(study, prepared, tmp_path, 2, by_srun=True) == [0, 0]
    assert_same_run(tmp_path, together)
    told = progress(tmp_path)
    assert (told["nodes"], told["devices"], told["slurm_job_id"]) == (2, 1, "4711")


def test_one_process_sets_up_nothing_distributed_inside_a_slurm_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_STEP_NUM_TASKS": "1"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert launch_fabric(TrainConfig(accelerator="cpu"), Processes()).world_size == 1
    assert not torch.distributed.is_initialized()
    assert "MASTER_ADDR" not in os.environ
