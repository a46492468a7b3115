"""The status of studies as tables for a terminal or a log; drawn by rich, which typer brings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from airshed.cluster.status import State, TrainingStatus
from airshed.cluster.steps import Step

COLOURS = {
    State.WAITING: "dim",
    State.QUEUED: "cyan",
    State.RUNNING: "blue",
    State.INTERRUPTED: "yellow",
    State.FAILED: "red",
    State.UNKNOWN: "magenta",
    State.DONE: "green",
}
UNREACHABLE = "SLURM does not answer: what its jobs do is not known until it does"
LOG_WIDTH = 160  # of tables that go to a file


@dataclass(frozen=True)
class StudyStatus:
    """All that is known of a study.

    Attributes:
        trainings: Variants and seeds, in their order.
        scoring: The scoring of each, in the same order.
        steps: What comes before the trainings or is scored beside them.
    """

    trainings: list[TrainingStatus]
    scoring: list[Step]
    steps: list[Step]


Statuses = Mapping[str, StudyStatus]


def console() -> Console:
    """The terminal, or a file that is wide enough for a row."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=LOG_WIDTH)


def show(statuses: Statuses, verbose: bool = False) -> None:
    """Print the tables once."""
    console().print(render(statuses, verbose))


def watch(read: Callable[[], Statuses], every_s: float) -> None:
    """Print the tables and refresh them until they are no longer wanted."""
    with Live(render(read()), console=console(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(every_s)
                live.update(render(read()), refresh=True)
        except KeyboardInterrupt:
            return


def render(statuses: Statuses, verbose: bool = False) -> Group:
    """A table for each study, below it what is to be done and, if asked for, attention paths."""
    parts: list[Table | Text] = []
    for study, found in statuses.items():
        parts.append(_table(study, found))
        parts.extend(_steps(found.steps))
        parts.extend(_to_do(_title(row), row) for row in found.trainings if row.advice)
        parts.extend(_to_do(f"{step.name}, {step.state}", step) for step in _to_mend(found))
        if verbose:
            parts.extend(_attention_paths(row) for row in found.trainings)
    steps = [step for found in statuses.values() for step in (*found.scoring, *found.steps)]
    if any(step.queue_unreachable for step in steps):
        parts.insert(0, Text(UNREACHABLE, style=COLOURS[State.UNKNOWN]))
    return Group(*parts)


def _to_mend(found: StudyStatus) -> list[Step]:
    """The steps for which something is to be done; scoring only of what is trained."""
    trained = zip(found.trainings, found.scoring, strict=True)
    scoring = [step for row, step in trained if row.state is State.DONE]
    return [step for step in (*found.steps, *scoring) if step.advice]


def _steps(steps: list[Step]) -> list[Text]:
    """How many are done or wait, and a line for each that does something else."""
    counts = Counter(step.state for step in steps)
    summary = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    lines = [Text(f"other steps: {summary}")] if steps else []
    for step in steps:
        if step.state not in (State.DONE, State.WAITING):
            running = step.progress and step.state is State.RUNNING
            state = (step.state, COLOURS[step.state])
            more = f"  {step.progress}" if running else ""
            lines.append(Text.assemble(f"  {step.name}  ", state, more))
    return lines


def _table(study: str, found: StudyStatus) -> Table:
    counts = Counter(row.state for row in found.trainings)
    summary = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    table = Table(title=f"{study}: {summary}", title_justify="left", box=None, pad_edge=False)
    for name in ("variant", "seed", "state", "step", "epoch", "train loss", "val loss", "s/step"):
        table.add_column(name, justify="left" if name in ("variant", "state") else "right")
    for name in ("time left", "job", "scores"):
        table.add_column(name)
    for row, scoring in zip(found.trainings, found.scoring, strict=True):
        progress = row.facts.progress
        table.add_row(
            row.variant,
            str(row.seed),
            Text(_state(row), style=COLOURS[row.state]),
            _of(progress.get("step"), progress.get("steps")),
            _of(progress.get("epoch"), progress.get("epochs")),
            _number(progress.get("train_loss"), 4),
            _number(progress.get("val_loss"), 4),
            _number(progress.get("seconds_per_step"), 3),
            _time_left(row.state, progress),
            _job(row),
            _scores(row, scoring),
        )
    return table


def _state(row: TrainingStatus) -> str:
    return row.state if row.taken_over is None else f"{row.state} (in {row.taken_over})"


def _scores(row: TrainingStatus, scoring: Step) -> Text | str:
    """Whether a training is scored; of one that is trained, what its scoring does."""
    if row.scored:
        return "yes"
    if row.state is not State.DONE or scoring.state is State.WAITING:
        return ""
    return Text(scoring.state, style=COLOURS[scoring.state])


def _title(row: TrainingStatus) -> str:
    message = f": {row.message}" if row.message else ""
    return f"{row.variant}, seed {row.seed}, {row.state}{message}"


def _to_do(title: str, row: TrainingStatus | Step) -> Text:
    log = [f"    {line}" for line in row.log]
    lines = [title, *log, f"  log:  {row.log_path}", f"  next: {row.advice}"]
    return Text("\n" + "\n".join(lines))


def _attention_paths(row: TrainingStatus) -> Text:
    found = row.attention or ("no choice was measured: see attention_path in run.json",)
    title = f"{row.variant}, seed {row.seed}, attention"
    return Text("\n".join([title, *(f"  {line}" for line in found)]))


def _of(value: Any, total: Any) -> str:
    if value is None:
        return ""
    return str(value) if total is None else f"{value}/{total}"


def _number(value: Any, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _time_left(state: State, progress: Mapping[str, Any]) -> str:
    left = progress.get("eta_s")
    if state is not State.RUNNING or left is None:
        return ""
    return str(timedelta(seconds=round(left)))


def _job(row: TrainingStatus) -> str:
    job = row.facts.job
    if job is None:
        return ""
    reason = f" ({job.reason})" if job.pending and job.reason != "None" else ""
    return f"{job.job_id} {job.state.lower()}{reason}"
