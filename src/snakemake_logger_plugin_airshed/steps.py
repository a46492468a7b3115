"""Progress of a run and of its steps, from Snakemake's records and files of the steps."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from airshed.files import benchmark_seconds

LOGGED = re.compile(r": (\d+)/(\d+) in [\d:]+, ([\d:]+) left$", re.MULTILINE)  # airshed.progress
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Progress:
    """How far a step is.

    Attributes:
        share: Of its work, from 0 to 1; None if unknown.
        left_s: Seconds that it will still take; None if unknown.
    """

    share: float | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class Step:
    """A step that runs.

    Attributes:
        rule: Its rule.
        name: Its rule and wildcards, in words.
        log: Where it writes what it does.
        started: When it started, s since 1970.
    """

    rule: str
    name: str
    log: Path | None
    started: float = field(default_factory=time.time)

    @property
    def elapsed_s(self) -> float:
        """How long it has been running."""
        return time.time() - self.started

    def progress(self, median_s: float | None) -> Progress:
        """How far it is: as it reports itself, else by the time that such steps have taken.

        Args:
            median_s: Median seconds of earlier steps of its rule; None if there was none yet.
        """
        reported = self._reported() or self._logged()
        if reported is not None or not median_s:
            return reported or Progress()
        return Progress(min(0.99, self.elapsed_s / median_s), max(0.0, median_s - self.elapsed_s))

    def _reported(self) -> Progress | None:
        """Progress in ``progress.json`` of a training, above its folder of logs."""
        if self.log is None:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            path = self.log.parent.parent / "progress.json"
            if self.rule == "train" and path.stat().st_mtime >= self.started:
                now = json.loads(path.read_text(encoding="utf-8"))
                return Progress(now["step"] / now["steps"], now["eta_s"])
        return None

    def _logged(self) -> Progress | None:
        """Progress in the last such line of its log."""
        if self.log is None:
            return None
        with suppress(OSError, ZeroDivisionError):
            stat = self.log.stat()
            with self.log.open("rb") as stream:
                stream.seek(max(0, stat.st_size - TAIL_BYTES))
                lines = LOGGED.findall(stream.read().decode("utf-8", "replace"))
            if lines and stat.st_mtime >= self.started and lines[-1][0] != "0":
                done, total, left = lines[-1]
                left_s = sum(60**n * int(part) for n, part in enumerate(left.split(":")[::-1]))
                ago_s = time.time() - stat.st_mtime
                return Progress(int(done) / int(total), max(0.0, left_s - ago_s))
        return None


def _benchmarks(results: Path) -> Iterator[Path]:
    """Snakemake's benchmark files; there are none in stores, which may be being removed."""
    for where, folders, names in os.walk(results):
        folders[:] = [name for name in folders if not name.startswith(".") and ".zarr" not in name]
        if where.endswith("benchmarks"):
            yield from (Path(where, name) for name in names if name.endswith(".tsv"))


class Run:
    """All steps of a run.

    Args:
        results: Where earlier runs have noted what their steps took.

    Attributes:
        steps: How many there are of each rule.
        done: How many of each rule are done.
        running: Those that run, by Snakemake's number.
    """

    def __init__(self, results: Path) -> None:
        self.steps: Mapping[str, int] = {}
        self.done: Counter[str] = Counter()
        self.running: dict[int, Step] = {}
        self._results, self._at_once = results, 1
        self._earlier: dict[str, list[float]] = {}
        self._took: dict[str, list[float]] = {}

    def plan(self, steps: Mapping[str, int]) -> None:
        """Note which steps there are, and what such steps took in earlier runs."""
        self.steps = {rule: count for rule, count in steps.items() if rule not in ("all", "total")}
        for path in _benchmarks(self._results):
            rules = [rule for rule in self.steps if path.stem.startswith(rule)]
            if rules and (seconds := benchmark_seconds(path)) is not None:
                self._earlier.setdefault(max(rules, key=len), []).append(seconds)

    def begin(self, number: int, step: Step) -> None:
        """A step starts."""
        self.running[number] = step
        self._at_once = max(self._at_once, len(self.running))

    def finish(self, number: int) -> Step | None:
        """A step is done; None for a rule that does no work of its own."""
        step = self.running.pop(number, None)
        if step is not None:
            self.done[step.rule] += 1
            self._took.setdefault(step.rule, []).append(step.elapsed_s)
        return step

    def median_s(self, rule: str) -> float | None:
        """Median seconds of steps of a rule, in this run, else in earlier ones."""
        took = self._took.get(rule) or self._earlier.get(rule)
        return median(took) if took else None

    @property
    def counted(self) -> str:
        """How many steps are done, of how many."""
        return f"{self.done.total()} of {sum(self.steps.values())} steps"

    def left_s(self) -> float | None:
        """Seconds until the end, with as many steps at a time as so far; None if unknown."""
        left, longest, running = 0.0, 0.0, list(self.running.values())
        for rule, count in self.steps.items():
            waiting = count - self.done[rule] - sum(step.rule == rule for step in running)
            median_s = self.median_s(rule)
            if waiting and median_s is None:
                return None
            left += waiting * (median_s or 0.0)
        for step in running:
            own = step.progress(self.median_s(step.rule)).left_s
            if own is None:
                return None
            left, longest = left + own, max(longest, own)
        return max(longest, left / self._at_once)
