"""The status of studies as tables for a terminal or a log; drawn by rich, which typer brings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from airshed.cluster.status import State, TrainingStatus

COLOURS = {
    State.WAITING: "dim",
    State.QUEUED: "cyan",
    State.RUNNING: "blue",
    State.INTERRUPTED: "yellow",
    State.FAILED: "red",
    State.UNKNOWN: "magenta",
    State.DONE: "green",
}
SILENT = "SLURM does not answer: what its jobs do is not known until it does"
LOG_WIDTH = 160  # of tables that go to a file

Statuses = Mapping[str, list[TrainingStatus]]


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
    if any(row.facts.queue_silent for rows in statuses.values() for row in rows):
        parts.append(Text(SILENT, style=COLOURS[State.UNKNOWN]))
    for study, rows in statuses.items():
        parts.append(_table(study, rows))
        parts.extend(_to_do(row) for row in rows if row.advice)
        if verbose:
            parts.extend(_attention_paths(row) for row in rows)
    return Group(*parts)


def _table(study: str, rows: list[TrainingStatus]) -> Table:
    counts = Counter(row.state for row in rows)
    summary = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    table = Table(title=f"{study}: {summary}", title_justify="left", box=None, pad_edge=False)
    for name in ("variant", "seed", "state", "step", "epoch", "train loss", "val loss", "s/step"):
        table.add_column(name, justify="left" if name in ("variant", "state") else "right")
    for name in ("time left", "job", "scores"):
        table.add_column(name)
    for row in rows:
        told = row.facts.progress
        table.add_row(
            row.variant,
            str(row.seed),
            Text(_state(row), style=COLOURS[row.state]),
            _of(told.get("step"), told.get("steps")),
            _of(told.get("epoch"), told.get("epochs")),
            _number(told.get("train_loss"), 4),
            _number(told.get("val_loss"), 4),
            _number(told.get("seconds_per_step"), 3),
            _time_left(row.state, told),
            _job(row),
            "yes" if row.scored else "",
        )
    return table


def _state(row: TrainingStatus) -> str:
    return row.state if row.taken_over is None else f"{row.state} (in {row.taken_over})"


def _to_do(row: TrainingStatus) -> Text:
    told = f": {row.message}" if row.message else ""
    lines = [f"{row.variant}, seed {row.seed}, {row.state}{told}"]
    lines += [f"    {line}" for line in row.log]
    lines += [f"  log:  {row.log_path}", f"  next: {row.advice}"]
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


def _time_left(state: State, told: Mapping[str, Any]) -> str:
    left = told.get("eta_s")
    if state is not State.RUNNING or left is None:
        return ""
    return str(timedelta(seconds=round(left)))


def _job(row: TrainingStatus) -> str:
    job = row.facts.job
    if job is None:
        return ""
    reason = f" ({job.reason})" if job.pending and job.reason != "None" else ""
    return f"{job.job_id} {job.state.lower()}{reason}"
