"""How far every training of a study is, from the files that it leaves and from SLURM's queue.

Everything is read and nothing is written, so that watching a training never disturbs it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from airshed.attention_paths import lines
from airshed.cluster.squeue import LOGS, Job, Queue
from airshed.config import Study
from airshed.errors import split_hint
from airshed.integrity.formats import PROGRESS, RUN, read_or_nothing
from airshed.training.stopping import CONTINUES

STALE_S = 300.0  # without a queue or a process to ask, a run without news for so long has ended
STALE_STEPS = 10  # or for so many steps, if they take longer
LOG_LINES = 6
LOG_TAIL_BYTES = 8192
OURS = "airshed: "
ERROR_MARKS = (OURS, "Traceback ")


class State(StrEnum):
    """What a training is doing."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DONE = "done"


ENDED = ("interrupted", "failed")
NEXT = {
    State.INTERRUPTED: "run snakemake again: it continues from its last checkpoint"
    " (a snakemake that still runs does this by itself)",
    State.FAILED: "mend the cause, then run snakemake again: it continues from its last checkpoint",
}


@dataclass(frozen=True)
class Facts:
    """What is known of one training.

    Attributes:
        finished: ``run.json`` is there.
        progress: Content of ``progress.json``; empty if there is none.
        job: Its job in the queue.
        queue_known: Whether the queue answered.
        queue_unreachable: Whether there is one that does not answer.
        process_alive: Whether its process runs on this machine; None if it ran on another one.
        update_age_s: Seconds since ``progress.json`` was written.
        log_ends: ``failed`` or ``interrupted``, if the end of its log says so.
    """

    finished: bool = False
    progress: Mapping[str, Any] = field(default_factory=dict)
    job: Job | None = None
    queue_known: bool = False
    queue_unreachable: bool = False
    process_alive: bool | None = None
    update_age_s: float = 0.0
    log_ends: State | None = None


def decide(facts: Facts) -> State:
    """The state of a training. The queue takes precedence over the training's own last report."""
    reported = facts.progress.get("state")
    if facts.finished:
        return State.DONE
    if facts.job is not None:
        if facts.job.pending:
            return State.QUEUED
        ending = str(facts.progress.get("slurm_job_id")) == facts.job.job_id
        return State(reported) if ending and reported in ENDED else State.RUNNING
    if facts.queue_unreachable and (not facts.progress or facts.progress.get("slurm_job_id")):
        return State.UNKNOWN  # its job may wait, run, or have ended
    if reported == "running":
        return State.RUNNING if _still_runs(facts) else State.INTERRUPTED
    if facts.log_ends is State.INTERRUPTED:  # before it could report
        return State.INTERRUPTED
    if reported in ENDED:
        return State(reported)
    return facts.log_ends or State.WAITING


def _still_runs(facts: Facts) -> bool:
    """Whether a training that reported to run, and has no job in the queue, still runs."""
    if facts.progress.get("slurm_job_id") is not None and facts.queue_known:
        return False
    if facts.process_alive is not None:
        return facts.process_alive
    pace_s = facts.progress.get("seconds_per_step") or 0.0
    return facts.update_age_s < max(STALE_S, STALE_STEPS * pace_s)


@dataclass(frozen=True)
class TrainingStatus:
    """One row of the table.

    Attributes:
        scored: Whether ``scores.nc`` is there.
        message: The end that it reported.
        log: Last lines of its log that the message lacks, where it failed or was interrupted.
        log_path: Where the log is.
        attention: Measurements of attention paths, where one was chosen by them.
        hint: What to do next, as message or log say.
        taken_over: The study that trained it, if it was taken over.
    """

    variant: str
    seed: int
    state: State
    facts: Facts
    scored: bool
    message: str
    log: tuple[str, ...]
    log_path: Path
    hint: str | None
    attention: tuple[str, ...] = ()
    taken_over: str | None = None

    @property
    def advice(self) -> str | None:
        """What to do next, if something is to be done; the run's own hint goes first."""
        return (self.hint or NEXT[self.state]) if self.state in NEXT else None


def study_status(study: Study, results: Path, queue: Queue) -> list[TrainingStatus]:
    """The status of every variant and seed of a study; the workflow runs in this folder."""
    return [
        training_status(results / "variants" / variant / f"seed{seed}", variant, seed, queue)
        for variant in study.variants
        for seed in study.seeds
    ]


def training_status(folder: Path, variant: str, seed: int, queue: Queue) -> TrainingStatus:
    """The status of one training, whose folder it is."""
    progress = read_or_nothing(folder / "progress.json", PROGRESS)
    log_path = folder / "logs/train.log"
    log = list(tail(log_path))
    facts = Facts(
        finished=(folder / "run.json").exists(),
        progress=progress,
        job=queue.job("train", (variant, str(seed)), Path.cwd(), progress.get("slurm_job_id")),
        queue_known=queue.known,
        queue_unreachable=queue.unreachable,
        process_alive=_process_alive(progress),
        update_age_s=_update_age_s(progress),
        log_ends=ending(log),
    )
    state, scored = decide(facts), (folder / "scores.nc").exists()
    reported = progress.get("message") if progress.get("state") == state else None
    message, hint = split_hint(reported or "")
    end, hint_in_log = split_hint("\n".join(log))
    shown = [line for line in end.splitlines() if line.removeprefix(OURS) not in message]
    words = (*shown, *_slurm_words(variant, seed, progress)) if state in NEXT else ()
    measured = read_or_nothing(folder / "checkpoints/attention.json").get("found", {})
    advice, paths = hint or hint_in_log, tuple(lines(measured))
    origin = read_or_nothing(folder / "run.json", RUN).get("taken_over", {}).get("study")
    return TrainingStatus(
        variant, seed, state, facts, scored, message, words, log_path, advice, paths, origin
    )


def ending(log: list[str]) -> State | None:
    """The end of a step, from the last lines of its log."""
    if any(line.endswith(CONTINUES) for line in log):
        return State.INTERRUPTED
    return State.FAILED if any(line.startswith(ERROR_MARKS) for line in log) else None


def _process_alive(progress: Mapping[str, Any]) -> bool | None:
    """Whether the process of a training runs; None if it runs on another machine."""
    pid = progress.get("pid")
    if progress.get("host") != platform.node() or not isinstance(pid, int):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return _signal_arrives(pid) if not Path("/proc").is_dir() else False
    return b"train" in command  # else the number is another process's by now


def _signal_arrives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _update_age_s(progress: Mapping[str, Any]) -> float:
    try:
        updated = datetime.fromisoformat(str(progress.get("updated")))
    except ValueError:
        return float("inf")
    if updated.tzinfo is None:
        updated = updated.replace(tzinfo=UTC)
    return (datetime.now(UTC) - updated).total_seconds()


def tail(path: Path) -> Iterator[str]:
    """The last lines of a log that is not read as a whole."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return
    yield from [line for line in text.splitlines() if line.strip()][-LOG_LINES:]


def _slurm_words(variant: str, seed: int, progress: Mapping[str, Any]) -> list[str]:
    """What SLURM wrote when it ended a job: time limit, memory, cancelled by whom."""
    job = progress.get("slurm_job_id")
    log = LOGS / "rule_train" / f"{variant}_{seed}" / f"{job}.log"
    return [line for line in tail(log) if "slurmstepd: error" in line]
