"""What a training is doing, decided from every kind of trace that it can leave."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from airshed.cli import app
from airshed.cluster.squeue import Job, Queue, parse, read_queue
from airshed.cluster.status import Facts, State, decide, study_status
from airshed.cluster.steps import Step, data_steps, scoring_steps
from airshed.cluster.table import Statuses, StudyStatus, console, render, watch
from airshed.config import Study, dump_study
from airshed.errors import AirshedError
from airshed.graph.places import Places
from airshed.integrity.formats import PROGRESS, VERSION

COMMENT = "rule_train_wildcards_wind_baseline_0"
FOLDER = Path("/data/study")
PENDING = Job("7", "PENDING", "Priority", COMMENT, str(FOLDER))
RUNNING = Job("7", "RUNNING", "None", COMMENT, str(FOLDER))
IN_JOB = {"state": "running", "slurm_job_id": "7"}
BY_HAND = {"state": "running", "slurm_job_id": None}

CASES: dict[str, tuple[Facts, State]] = {
    "nothing is there": (Facts(), State.WAITING),
    "the log ends with an error": (Facts(log_ends=State.FAILED), State.FAILED),
    "interrupted before it told anything": (
        Facts(log_ends=State.INTERRUPTED),
        State.INTERRUPTED,
    ),
    "failed once, then interrupted before it told anything": (
        Facts(progress={"state": "failed"}, log_ends=State.INTERRUPTED),
        State.INTERRUPTED,
    ),
    "in the queue": (Facts(job=PENDING, queue_known=True), State.QUEUED),
    "started, told nothing yet": (Facts(job=RUNNING, queue_known=True), State.RUNNING),
    "runs in its job": (Facts(progress=IN_JOB, job=RUNNING, queue_known=True), State.RUNNING),
    "says it runs, its job is gone": (Facts(progress=IN_JOB, queue_known=True), State.INTERRUPTED),
    "the queue cannot be asked, it spoke just now": (Facts(progress=IN_JOB), State.RUNNING),
    "the queue cannot be asked, it is silent": (
        Facts(progress=IN_JOB, update_age_s=3600),
        State.INTERRUPTED,
    ),
    "SLURM does not answer, nothing was told": (Facts(queue_unreachable=True), State.UNKNOWN),
    "SLURM does not answer, its job was interrupted": (
        Facts(progress={"state": "interrupted", "slurm_job_id": "7"}, queue_unreachable=True),
        State.UNKNOWN,
    ),
    "SLURM does not answer, it runs by hand": (
        Facts(progress=BY_HAND, process_alive=True, queue_unreachable=True),
        State.RUNNING,
    ),
    "silent, but its steps take long": (
        Facts(progress=IN_JOB | {"seconds_per_step": 500.0}, update_age_s=3600),
        State.RUNNING,
    ),
    "its process runs": (Facts(progress=BY_HAND, process_alive=True), State.RUNNING),
    "its process runs, silently": (
        Facts(progress=BY_HAND, process_alive=True, update_age_s=1e6),
        State.RUNNING,
    ),
    "its process is gone": (Facts(progress=BY_HAND, process_alive=False), State.INTERRUPTED),
    "runs by hand, whatever the queue": (
        Facts(progress=BY_HAND, process_alive=True, queue_known=True),
        State.RUNNING,
    ),
    "interrupted": (Facts(progress={"state": "interrupted"}), State.INTERRUPTED),
    "interrupted, sent again": (
        Facts(progress={"state": "interrupted", "slurm_job_id": "6"}, job=PENDING),
        State.QUEUED,
    ),
    "failed in an earlier job, runs again": (
        Facts(progress={"state": "failed", "slurm_job_id": "6"}, job=RUNNING),
        State.RUNNING,
    ),
    "failed in the job that is ending": (
        Facts(progress={"state": "failed", "slurm_job_id": "7"}, job=RUNNING),
        State.FAILED,
    ),
    "failed": (Facts(progress={"state": "failed"}), State.FAILED),
    "done once, its result was removed": (Facts(progress={"state": "done"}), State.WAITING),
    "done": (Facts(finished=True, progress={"state": "done"}), State.DONE),
    "done, with an old word of running": (Facts(finished=True, progress=IN_JOB), State.DONE),
}


@pytest.mark.parametrize("case", CASES)
def test_state(case: str) -> None:
    facts, expected = CASES[case]
    assert decide(facts) is expected


LISTING = """\
12|RUNNING|None|rule_train_wildcards_wind_baseline_1|/data/study
13|PENDING|Priority|rule_train_wildcards_wind_baseline_0|/data/study
14|RUNNING|None|rule_train_wildcards_wind_baseline_0|/data/other
15|PENDING|Resources|(null)|/data/study
slurm_load_jobs error
"""


def test_jobs_of_this_folder_are_found_by_variant_and_seed() -> None:
    queue = Queue(parse(LISTING))
    first = queue.job("train", ("wind_baseline", "0"), FOLDER, None)
    second = queue.job("train", ("wind_baseline", "1"), FOLDER, None)
    assert first is not None
    assert second is not None
    assert (first.job_id, first.pending, first.reason) == ("13", True, "Priority")
    assert (second.job_id, second.pending) == ("12", False)
    assert queue.job("train", ("physics_mask", "0"), FOLDER, None) is None


def test_a_training_in_a_job_of_another_name_is_found_by_its_number() -> None:
    """Run by hand in an allocation, say."""
    by_hand = Job("99", "RUNNING", "None", "(null)", "/home/me")
    assert Queue([by_hand]).job("train", ("climax", "0"), FOLDER, "99") == by_hand


def test_a_job_that_runs_goes_before_one_that_waits() -> None:
    assert Queue([PENDING, RUNNING]).job("train", ("wind_baseline", "0"), FOLDER, None) == RUNNING


def fake_squeue(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = folder / "squeue"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("script", ["exit 1", "sleep 5"])
def test_a_queue_that_does_not_answer_is_not_known(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_squeue(tmp_path, script, monkeypatch)
    monkeypatch.setattr("airshed.cluster.squeue.TIMEOUT_S", 0.2)
    monkeypatch.chdir(tmp_path)
    queue = read_queue()
    assert not queue.known
    assert not queue.unreachable  # no job was ever sent from here
    (tmp_path / ".snakemake/slurm_logs").mkdir(parents=True)
    assert read_queue().unreachable


def test_a_queue_that_answers_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"3|PENDING|Priority|rule_train_wildcards_climax_2|{tmp_path}"
    fake_squeue(tmp_path, f"echo '{line}'", monkeypatch)
    queue = read_queue()
    assert queue.known
    assert queue.job("train", ("climax", "2"), tmp_path, None) == Job(*line.split("|"))


def leave(results: Path, variant: str, seed: int, **told: Any) -> Path:
    """Traces of a training: ``progress.json`` and an empty log folder."""
    folder = results / "variants" / variant / f"seed{seed}"
    (folder / "logs").mkdir(parents=True)
    now = datetime.now(UTC) - timedelta(seconds=1)
    progress = {"host": platform.node(), "pid": os.getpid(), "updated": now.isoformat()} | told
    (folder / "progress.json").write_text(json.dumps({VERSION: PROGRESS.version} | progress))
    return folder


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_study_is_read_and_shown_without_touching_it(tiny_study: Study, tmp_path: Path) -> None:
    done = leave(tmp_path, "wind_baseline", 0, state="done")
    (done / "run.json").write_text("{}")
    (done / "scores.nc").write_text("")
    killed = leave(tmp_path, "wind_baseline", 1, state="running", pid=ended_process(), step=7)
    (killed / "logs/train.log").write_text("".join(f"line {n}\n" for n in range(40)))
    error = AirshedError("the loss is not finite", where="epoch 0", hint="lower the rate")
    failed = leave(tmp_path, "physics_mask", 0, state="failed", message=str(error), step=3)
    (failed / "logs/train.log").write_text(f"airshed: {error}\n")
    (tmp_path / "variants/physics_mask/seed1").mkdir()
    before = contents(tmp_path)
    rows = study_status(tiny_study, tmp_path, Queue(None))
    scoring = scoring_steps(tiny_study, tmp_path, Queue(None))
    assert contents(tmp_path) == before
    states = {(row.variant, row.seed): row.state for row in rows}
    assert states == {
        ("wind_baseline", 0): State.DONE,
        ("wind_baseline", 1): State.INTERRUPTED,
        ("physics_mask", 0): State.FAILED,
        ("physics_mask", 1): State.WAITING,
    }
    assert [row.scored for row in rows] == [True, False, False, False]
    shown = console()
    with shown.capture() as captured:
        shown.print(render({"tiny": StudyStatus(rows, scoring, [])}))
    said = captured.get()
    assert "1 waiting, 1 interrupted, 1 failed, 1 done" in said
    for part in ("the loss is not finite", "run snakemake again", "line 39", str(failed / "logs")):
        assert part in said
    assert "line 20" not in said
    assert said.count("the loss is not finite") == 1
    assert re.findall("next: +(.*?) *$", said, re.MULTILINE)[1:] == ["lower the rate"]
    assert said.count("next:") == 2  # one for each training that needs something


def test_measured_attention_paths_are_shown_where_they_are_asked_for(
    tiny_study: Study, tmp_path: Path
) -> None:
    checkpoints = leave(tmp_path, "physics_mask", 0, state="running") / "checkpoints"
    checkpoints.mkdir()
    candidates = {"kernel": {"ms": 4.071, "error": 2e-3}, "fused": {"lacking": "no compiler"}}
    found = {"found": {"biased": {"path": "kernel", "found": candidates}}}
    (checkpoints / "attention.json").write_text(json.dumps(found))
    rows = study_status(tiny_study, tmp_path, Queue(None))
    scoring = scoring_steps(tiny_study, tmp_path, Queue(None))
    for verbose in (False, True):
        shown = console()
        with shown.capture() as captured:
            shown.print(render({"tiny": StudyStatus(rows, scoring, [])}, verbose))
        line = "blocks with a bias: kernel (kernel 4.07 ms, error 2e-03; fused: no compiler)"
        assert (line in captured.get()) is verbose


def test_data_steps_and_scoring_are_shown(tiny_study: Study, tmp_path: Path) -> None:
    """An ingest that runs, static fields that failed, a scoring that failed, one that is done."""
    results, data = tmp_path / "tiny", tmp_path / "data" / tiny_study.dataset.name
    logs = data / str(tiny_study.dataset.grid) / "logs"
    logs.mkdir(parents=True)
    (data / "raw").mkdir()
    (logs / "ingest.log").write_text("days ingested: 3/10 in 00:07, 00:16 left\n")
    error = AirshedError("the file with elevation is missing", where="dem.tif", hint="fetch it")
    static = Places(tiny_study, tmp_path).static
    (logs / f"{static.stem}.log").write_text(f"airshed: {error}\n")
    for number, variant in enumerate(("wind_baseline", "physics_mask")):
        folder = leave(results, variant, 0, state="done")
        (folder / "run.json").write_text("{}")
        (folder / ("scores.nc" if number else "logs/evaluate.log")).write_text("Traceback (most\n")
    old = logs / "simulate.log"
    old.touch()
    before = contents(tmp_path)
    queue = Queue([Job("8", "PENDING", "Priority", "rule_climatology", str(Path.cwd()))])
    found = StudyStatus(
        study_status(tiny_study, results, queue),
        scoring_steps(tiny_study, results, queue),
        data_steps(tiny_study, results, queue),
    )
    assert contents(tmp_path) == before
    states = {step.name: step.state for step in found.steps}
    assert states["simulate"] == State.DONE
    assert states["ingest"] == State.RUNNING
    assert states["static_fields"] == State.FAILED
    assert states["climatology"] == State.QUEUED
    assert states["scores of persistence"] == State.WAITING
    shown = console()
    with shown.capture() as captured:
        shown.print(render({"tiny": found}))
    said = captured.get()
    assert re.search(r"ingest +running +days ingested: 3/10 in 00:07, 00:16 left", said)
    assert re.search(r"wind_baseline +0 +done.* failed", said)
    assert re.search(r"physics_mask +0 +done.* yes", said)
    assert "scores of wind_baseline, seed 0, failed" in said
    assert re.findall("next: +(.*?) *$", said, re.MULTILINE) == [
        "fetch it",
        "mend the cause, then run snakemake again",
    ]


def test_a_step_that_is_silent_without_a_job_was_interrupted(
    tiny_study: Study, tmp_path: Path
) -> None:
    log = tmp_path / "data" / tiny_study.dataset.name / "logs/simulate.log"
    log.parent.mkdir(parents=True)
    log.touch()
    os.utime(log, (0, 0))
    first: Step = data_steps(tiny_study, tmp_path / "tiny", Queue([]))[0]
    assert (first.name, first.state) == ("simulate", State.INTERRUPTED)
    assert first.advice == "run snakemake again, unless it runs"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format_version": 99, "state": "failed"}'])
def test_a_progress_file_that_says_nothing_is_no_error(
    tiny_study: Study, tmp_path: Path, content: str
) -> None:
    folder = leave(tmp_path, "wind_baseline", 0)
    (folder / "progress.json").write_text(content)
    rows = study_status(tiny_study, tmp_path, Queue([]))
    assert {row.state for row in rows} == {State.WAITING}


def test_watching_reads_again_until_it_is_stopped(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    def read() -> Statuses:
        nonlocal reads
        reads += 1
        if reads == 3:
            raise KeyboardInterrupt
        return {"tiny": StudyStatus([], [], [])}

    waited: list[float] = []
    monkeypatch.setattr("airshed.cluster.table.time.sleep", waited.append)
    watch(read, every_s=7)
    assert waited == [7, 7]


def test_the_command_shows_a_results_folder_and_says_if_there_is_none(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = CliRunner().invoke(app, ["status"])
    assert isinstance(nothing.exception, AirshedError)
    assert "--study" in str(nothing.exception)
    folder = tmp_path / "results/tiny"
    folder.mkdir(parents=True)
    (folder / "config.resolved.yaml").write_text(dump_study(tiny_study))
    for arguments in (["status"], ["status", "results/tiny"]):
        shown = CliRunner().invoke(app, arguments)
        assert shown.exit_code == 0, shown.output
        assert "tiny: 4 waiting" in shown.output
