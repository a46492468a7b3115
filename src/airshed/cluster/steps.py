"""How far the data steps of a study and the scoring of its forecasts are.

Each is known by its output, by the end of its log, which has a line of progress a minute, and by
its job in the queue. Nothing is written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airshed.cluster.squeue import Queue
from airshed.cluster.status import STALE_S, State, ending, tail
from airshed.config import Study
from airshed.errors import split_hint
from airshed.evaluation.baselines import BASELINES
from airshed.graph.places import Places
from airshed.graph.products import PRODUCTS

NEXT = {
    State.FAILED: "mend the cause, then run snakemake again",
    State.INTERRUPTED: "run snakemake again, unless it runs",
}
PROGRESS = re.compile(r".+: \d+/\d+ in .+ left")
"""A line of :mod:`airshed.progress` in a log."""


@dataclass(frozen=True)
class Step:
    """A step of a study.

    Attributes:
        name: What it makes, for tables.
        state: What it is doing.
        progress: The last line of progress in its log.
        log: Last lines of its log.
        log_path: Where the log is.
        hint: What to do next, as the log says.
        queue_unreachable: Whether there is a queue that does not answer.
    """

    name: str
    state: State
    progress: str
    log: tuple[str, ...]
    log_path: Path
    hint: str | None
    queue_unreachable: bool

    @property
    def advice(self) -> str | None:
        """What to do next, if something is to be done; the step's own hint goes first."""
        return (self.hint or NEXT[self.state]) if self.state in NEXT else None


def step_status(
    name: str, output: Path, log_path: Path, queue: Queue, rule: str, *wildcards: str
) -> Step:
    """The status of one step.

    Args:
        name: What it is called.
        output: The file or folder that is there when it is done.
        log_path: Its log.
        queue: The queue.
        rule: Its rule.
        wildcards: Values of the rule's wildcards.
    """
    lines = list(tail(log_path))
    job = queue.job(rule, wildcards, Path.cwd())
    if output.exists():
        state = State.DONE
    elif job is not None:
        state = State.QUEUED if job.pending else State.RUNNING
    elif not log_path.is_file():
        state = State.UNKNOWN if queue.unreachable else State.WAITING
    elif (ended := ending(lines)) is not None:
        state = ended
    else:
        age_s = time.time() - log_path.stat().st_mtime
        state = State.RUNNING if age_s < STALE_S else State.INTERRUPTED
    progress = next((line for line in reversed(lines) if PROGRESS.fullmatch(line)), "")
    text, hint = split_hint("\n".join(lines))
    shown = tuple(text.splitlines())
    return Step(name, state, progress, shown, log_path, hint, queue.unreachable)


def scoring_steps(study: Study, results: Path, queue: Queue) -> list[Step]:
    """How far the scoring of every variant and seed is, in the order of the trainings."""
    return [
        step_status(
            f"scores of {variant}, seed {seed}",
            folder / "scores.nc",
            folder / "logs/evaluate.log",
            queue,
            "evaluate",
            variant,
            str(seed),
        )
        for variant in study.variants
        for seed in study.seeds
        for folder in (results / "variants" / variant / f"seed{seed}",)
    ]


def data_steps(study: Study, results: Path, queue: Queue) -> list[Step]:
    """The steps before the trainings, and the scoring of baselines and external forecasts."""
    return [
        step_status(name, output, log, queue, rule, *wildcards)
        for name, output, log, rule, wildcards in _steps(study, results)
    ]


def _steps(study: Study, results: Path) -> Iterator[tuple[str, Path, Path, str, tuple[str, ...]]]:
    """Name, output, log, rule and wildcards of each."""
    places = Places(study, results.parent)
    if study.dataset.source == "simulator":
        raw = places.dataset / "raw"
        yield "simulate", raw, places.dataset / "logs/simulate.log", PRODUCTS["raw"].rule, ()
    yield "ingest", places.hourly, places.data / "logs/ingest.log", PRODUCTS["hourly"].rule, ()
    for product in ("static", "patch_elevation", "statistics", "climatology", "damping"):
        path: Path = getattr(places, product)
        rule = PRODUCTS[product].rule
        yield rule, path, places.data / f"logs/{path.stem}.log", rule, ()
    for path in dict.fromkeys(map(places.scan_tables, study.variants)):
        rule = PRODUCTS["scan_tables"].rule
        yield rule, path, places.data / f"logs/{path.stem}.log", rule, (path.stem,)
    if study.stations is not None:
        rule = PRODUCTS["observations"].rule
        yield rule, results / "stations/observations.nc", results / f"logs/{rule}.log", rule, ()
    for rule, names in (("baseline", [*BASELINES]), ("external", [*study.external])):
        for name in names:
            folder = results / ("baselines" if rule == "baseline" else "external") / name
            yield (
                f"scores of {name}",
                folder / "scores.nc",
                folder / f"logs/{rule}.log",
                rule,
                (name,),
            )
