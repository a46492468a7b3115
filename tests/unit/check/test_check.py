"""What ``airshed check`` finds on this machine, and on one that is broken in each way."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from checked_by_two import check_in_two_processes
from torch import Tensor
from typer.testing import CliRunner

from airshed.check import files, machine, run
from airshed.check import step as step_check
from airshed.check.attention import attention
from airshed.check.chosen import checked_variant
from airshed.check.files import disk, locks, renames
from airshed.check.finding import Finding, Verdict, attempted, broken, fine, slow
from airshed.check.machine import compiler, devices, precision
from airshed.check.run import CHECKS, findings
from airshed.check.slurm import slurm
from airshed.check.step import step
from airshed.check.training import CheckedTraining
from airshed.cli import app, options
from airshed.config import Study, dump_study
from airshed.config.jobs import JobsConfig
from airshed.model.attention import BiasedAttention, DenseAttention, TiledAttention
from airshed.training.fabric import launch_fabric
from airshed.training.processes import Processes

VARIANT = "physics_mask"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no site is known, and no cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def training_of(study: Study, results: Path, **train: Any) -> CheckedTraining:
    """A training in one process, with other settings."""
    study = study.model_copy(update={"train": study.train.model_copy(update=train)})
    return CheckedTraining(
        study, VARIANT, Processes(), launch_fabric(study.train, Processes()), results
    )


@pytest.fixture
def training(study: Study, tmp_path: Path) -> CheckedTraining:
    return training_of(study, tmp_path)


def test_everything_is_checked_and_works_here(study: Study, tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = dict(findings(study, VARIANT, Processes(), results))
    assert list(found) == list(CHECKS)
    assert {name for name, each in found.items() if each.verdict is Verdict.BROKEN} == set()
    assert "with Barrier dense" in found["attention"].summary  # 32 patches
    assert list(results.iterdir()) == []


def test_what_is_broken_in_one_of_two_processes_is_told_by_both(
    study: Study, tmp_path: Path
) -> None:
    check_in_two_processes(study, VARIANT, tmp_path)
    said = [(tmp_path / f"{rank}.txt").read_text(encoding="utf-8") for rank in range(2)]
    assert said[0] == said[1]
    lines = {line.split()[1]: line for line in said[0].splitlines()}
    assert lines["precision"].startswith("broken")
    assert "process 1: 32-true" in lines["precision"]
    assert "2 processes sum 0.0" in lines["exchange"]  # MB
    assert lines["locks"].startswith(
        "broken  locks      RuntimeError: PermissionError: no locks at"
    )
    assert list(lines) == list(CHECKS)
    for name in ("exchange", "renames"):
        assert lines[name].startswith("fine"), lines[name]


@pytest.mark.parametrize(("rows", "path"), [(8, DenseAttention), (32, TiledAttention)])
def test_a_path_that_computes_something_else_is_broken(
    study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    path: type[BiasedAttention],
) -> None:
    """Few patches are attended to by the dense path, many by tiles."""
    grid = study.dataset.grid.model_copy(update={"rows": rows, "columns": 2 * rows})
    dataset = study.dataset.model_copy(update={"grid": grid})
    training = training_of(study.model_copy(update={"dataset": dataset}), tmp_path)
    right = attention(training)
    assert (right.verdict, path.path in right.summary) == (Verdict.FINE, True)
    attend = path.attend

    def scaled(self: BiasedAttention, q: Tensor, *others: Tensor) -> Tensor:
        return attend(self, 1.01 * q, *others)

    monkeypatch.setattr(path, "attend", scaled)
    wrong = attention(training)
    assert (wrong.verdict, "train.attention" in wrong.todo) == (Verdict.BROKEN, True)


def test_products_of_reduced_precision_are_noticed(
    training: CheckedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF32 keeps ten bits of a factor; cutting off the others errs by up to 2^-10."""
    assert precision(training).verdict is Verdict.FINE
    product = torch.Tensor.__matmul__

    def cut(part: Tensor) -> Tensor:
        kept = part.dtype != torch.float32
        return part if kept else (part.view(torch.int32) & ~0x1FFF).view(torch.float32)

    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda one, two: product(cut(one), cut(two)))
    found = precision(training)
    assert found.verdict is Verdict.BROKEN
    assert 1e-4 < float(found.summary.split()[4].rstrip(",")) < 2**-10


def test_devices_that_torch_does_not_use_and_cores_that_are_missing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cores = len(os.sched_getaffinity(0))
    assert devices(training_of(study, tmp_path)).verdict is Verdict.FINE
    assert devices(training_of(study, tmp_path, threads=cores + 1)).verdict is Verdict.SLOW
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices(training_of(study, tmp_path)).verdict is Verdict.FINE  # on a CPU, as is wanted
    found = devices(training_of(study, tmp_path, accelerator="auto"))
    assert (found.verdict, "none of the 2 GPUs" in found.summary) == (Verdict.BROKEN, True)


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [("never", Verdict.FINE), ("auto", Verdict.SLOW), ("always", Verdict.BROKEN)],
)
def test_a_lacking_compiler_counts_where_it_is_wanted(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, verdict: Verdict
) -> None:
    monkeypatch.setattr(machine, "lacking_compiler", lambda device: "no g++")
    assert compiler(training_of(study, tmp_path, compile="auto")).verdict is Verdict.FINE  # small
    monkeypatch.setattr(machine, "CPU_TOKENS", 32)
    assert compiler(training_of(study, tmp_path, compile=mode)).verdict is verdict
    monkeypatch.setattr(machine, "lacking_compiler", lambda device: None)
    assert compiler(training_of(study, tmp_path, compile=mode)).verdict is Verdict.FINE


def test_a_step_beside_the_limits_of_its_job(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A micro-batch of 4 takes 100 s: a step of 8 samples 200 s. An epoch is of 16 init times by 2
    horizons: 4 steps; two epochs take 1,600 s, or 27 minutes."""
    monkeypatch.setattr(step_check, "median_seconds", lambda work: work() or 100.0)

    def found(**jobs: int) -> Finding:
        asked = JobsConfig(**jobs)
        return step(training_of(study.model_copy(update={"jobs": asked}), tmp_path))

    enough = found(runtime_min=27, mem_mb=10**6)
    assert enough.verdict is Verdict.FINE
    assert enough.summary.startswith("200 s and ")
    assert "0.444 h for a training" in enough.summary
    assert "jobs.runtime_min" in found(runtime_min=26, mem_mb=10**6).todo
    assert found(runtime_min=27, mem_mb=100).todo == "raise jobs.mem_mb"


def test_memory_that_does_not_suffice_says_which_settings_help(
    training: CheckedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(step_check, "batch_of", exhausted)
    found = attempted(lambda: step(training), "")
    assert (found.verdict, "a smaller train.batch_size" in found.todo) == (Verdict.BROKEN, True)


def test_locks_that_hold_nobody_back_are_broken(
    training: CheckedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locks(training).verdict is Verdict.FINE
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # mounted with local locks alone
    assert (locks(training).verdict, "Lustre" in locks(training).todo) == (Verdict.BROKEN, True)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    found = attempted(lambda: locks(training), "")
    assert "a file cannot be locked: OSError: [Errno 37] No locks available" in found.summary
    assert "Lustre" in found.todo


def test_a_new_name_that_is_late_is_slow_and_one_that_never_comes_is_broken(
    training: CheckedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert renames(training).verdict is Verdict.FINE
    assert not training.probes.exists()
    write = files.write_text
    monkeypatch.setattr(files, "write_text", lambda path, text: write(path, files.OLD))
    monkeypatch.setattr(files, "LATENCY_S", 0.2)
    assert renames(training).verdict is Verdict.BROKEN
    monkeypatch.setattr(files, "_seconds_until_seen", lambda path: 0.15)
    monkeypatch.setattr(files, "SLOW_TO_SEE_S", 0.1)
    assert renames(training).verdict is Verdict.SLOW


def test_room_for_all_checkpoints_and_the_hourly_fields(
    training: CheckedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four trainings of best weights and two states of weights and two moments, 4 bytes a number;
    12 days of hours on 8 x 16 cells."""
    numbers = sum(parameter.numel() for parameter in training.network.parameters())
    dataset = training.study.dataset
    needed = 4 * 7 * 4 * numbers + 12 * 24 * 8 * 16 * len(dataset.hourly) * 4
    usage = shutil.disk_usage(training.results)
    for free, verdict in ((needed, Verdict.FINE), (needed - 1, Verdict.BROKEN)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert disk(training).verdict is verdict


SBATCH = """\
#!/bin/sh
echo "$@" >> "$0.said"
case "$*" in *--partition=full*) echo "sbatch: error: invalid partition: full" >&2; exit 1;; esac
"""


def test_every_kind_of_job_is_shown_to_sbatch(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "bin/sbatch"
    command.parent.mkdir()
    command.write_text(SBATCH)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    assert "not asked" in slurm(study).summary  # it may be there without a cluster
    jobs = {"mem_mb": 9, "runtime_min": 7, "variants": {VARIANT: {"nodes": 2, "devices": 4}}}
    train = study.train.model_copy(update={"accelerator": "gpu", "threads": 3})
    study = study.model_copy(update={"jobs": JobsConfig(**jobs), "train": train})
    site = "account: me\ntrain_partition: big\nslurm_extra: --nice=5\nqos: long\n"
    Path("site.yaml").write_text(site)
    assert slurm(study).verdict is Verdict.FINE
    said = Path(f"{command}.said").read_text().splitlines()
    test, mine = "--test-only --account=me", "--qos=long"
    limits, end = "--mem=9 --time=7 --nice=5", "--wrap=true"
    tables = "--nodes=1 --ntasks=1 --cpus-per-task=1 --mem=2000 --time=240 --nice=5"
    one = f"{mine} --gres=gpu:1 --nodes=1 --ntasks=1 --cpus-per-task=3 {limits} {end}"
    eight = f"{mine} --gres=gpu:4 --nodes=2 --ntasks=8 --cpus-per-task=3 {limits} {end}"
    assert said == [
        f"{test} {mine} {tables} {end}",
        f"{test} --partition=big {one}",
        f"{test} --partition=big {eight}",
        f"{test} --partition=big {one}",
    ]
    Path("site.yaml").write_text(f"{site}evaluate_partition: full\n")
    found = slurm(study)
    assert found.verdict is Verdict.BROKEN
    assert found.summary == "scores are refused: sbatch: error: invalid partition: full"


def test_the_training_that_asks_for_the_most_is_checked(study: Study) -> None:
    def checked(**variants: dict[str, int]) -> str:
        jobs = JobsConfig.model_validate({"variants": variants})
        return checked_variant(study.model_copy(update={"jobs": jobs}))

    assert checked() == VARIANT  # which has a bias
    assert checked(wind_baseline={"mem_mb": 10**5}) == "wind_baseline"
    assert checked(wind_baseline={"mem_mb": 10**5}, physics_mask={"nodes": 2}) == VARIANT


def test_the_command_ends_with_1_if_anything_is_broken(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("study.yaml").write_text(dump_study(study))
    monkeypatch.setattr(options, "DEFAULTS", ())
    asked = ["check", "--study", "study.yaml"]
    found = [("disk", fine("room")), ("locks", slow("late", "wait"))]
    monkeypatch.setattr(run, "findings", lambda *_: iter(found))
    done = CliRunner().invoke(app, asked)
    lines = ["fine    disk       room", "slow    locks      late; wait"]
    assert (done.exit_code, done.output.splitlines()) == (0, lines)
    found.append(("slurm", broken("refused", "correct site.yaml")))
    assert CliRunner().invoke(app, asked).exit_code == 1
    unknown = CliRunner().invoke(app, [*asked, "--variant", "phisics"])
    assert "wind_baseline, physics_mask" in str(unknown.exception)
