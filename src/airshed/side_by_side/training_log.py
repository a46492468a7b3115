"""What the log of a training tells: losses, speed, restarts. Memory does not grow with the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from airshed.errors import AirshedError
from airshed.side_by_side.log_lines import log_lines
from airshed.side_by_side.progress_bars import Bar, bars_in, is_validation

TRAIN_LOSSES = ("train_loss", "train_loss_step", "train/loss", "train/loss_step", "loss")
VAL_LOSSES = ("val_loss", "val_loss_epoch", "val/loss", "validation_loss")
FIRST_STEPS = 10  # of every start: reading begins, kernels are chosen, code is compiled
WINDOW_S, WINDOW_STEPS = 30, 10  # at least: the bar shows whole seconds, an error of up to 1 s
MOST_POINTS = 4000
RICH_BAR = "\u2501"

Point = TypeVar("Point")


class Thinned(Generic[Point]):
    """A sequence of any length in bounded memory: when it is full, every second entry goes."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._every, self._seen = 1, 0

    def add(self, point: Point) -> None:
        """Add an entry, or leave it out for being one of too many."""
        if self._seen % self._every == 0:
            self.points.append(point)
        self._seen += 1
        if len(self.points) == MOST_POINTS:
            self.points = self.points[::2]
            self._every *= 2


@dataclass(frozen=True)
class Loss:
    """A loss after some epochs, which may be broken; ``start`` counts the starts from 0."""

    epochs: float
    value: float
    start: int


@dataclass
class TrainingLog:
    """What was found in a log.

    Attributes:
        path: The log.
        train: Training losses.
        val: Validation losses, each once, in the order in which they were reached.
        final_train: The last training loss.
        best_val: The lowest of all validation losses, the first if several are as low.
        final_val: The last one.
        seconds_per_step: Pace in stretches of half a minute or more, first steps left out.
        pace: Seconds of a batch: 10th percentile, median and 90th; None if there is no stretch.
        batches: How many were trained on, starts that went back aside; None if no bar has a total.
        starts: How often the training began or was continued.
        bars: How many bars of epochs were found.
        last: The last bar.
        lost: Training and validation losses that were not finite.
        rich: Whether bars in the form of Lightning's RichProgressBar were seen.
        names: Names of the training and the validation loss behind the bars.
    """

    path: Path
    train: Thinned[Loss] = field(default_factory=Thinned)
    val: Thinned[Loss] = field(default_factory=Thinned)
    final_train: Loss | None = None
    best_val: Loss | None = None
    final_val: Loss | None = None
    seconds_per_step: Thinned[float] = field(default_factory=Thinned)
    pace: tuple[float, float, float] | None = None
    batches: int | None = None
    starts: int = 0
    bars: int = 0
    last: Bar | None = None
    lost: dict[str, int] = field(default_factory=lambda: {"training": 0, "validation": 0})
    rich: bool = False
    names: dict[str, str] = field(default_factory=dict)


def read_log(path: Path) -> TrainingLog:
    """Read the log of a training.

    Raises:
        AirshedError: It cannot be read, is empty or binary, or holds no progress of a training.
    """
    reader = _Reader(TrainingLog(path))
    for line in log_lines(path):
        reader.add(line)
    reader.finish()
    log = reader.log
    if not log.bars:
        raise AirshedError(
            "a log holds no progress of a training",
            where=path,
            expected="Lightning's progress bar as text:"
            " 'Epoch 0:  45%|####5     | 450/1000 [2:30:15<3:03:20, ..., val_loss=0.234]'",
            found="bars of Lightning's RichProgressBar, whose form is not read"
            if log.rich
            else None,
            hint="train with callbacks=[TQDMProgressBar()], Lightning's default without rich"
            if log.rich
            else "was it written to another file, such as the one of srun's --error?",
        )
    if not log.val.points and not log.train.points:
        raise AirshedError(
            "a log has no loss in its progress bars",
            where=path,
            expected=f"one of {', '.join((*TRAIN_LOSSES, *VAL_LOSSES))}",
            found=", ".join(log.last.metrics) if log.last and log.last.metrics else "no number",
            hint="log them with prog_bar=True",
        )
    return log


class _Reader:
    """Takes a log line by line."""

    def __init__(self, log: TrainingLog) -> None:
        self.log = log
        self._window: Bar | None = None  # where the window of the pace began
        self._steps = 0  # since the start at hand
        self._moving = False  # whether the numbers behind the bar change within an epoch
        self._unsure: list[float] = []  # paces since the numbers last changed

    def add(self, line: str) -> None:
        if is_validation(line):
            self._window = None
        self.log.rich = self.log.rich or (RICH_BAR in line and "Epoch " in line)
        for bar in bars_in(line):
            self.log.bars += 1
            self._bar(bar)

    def finish(self) -> None:
        self._train_loss()
        log = self.log
        if log.seconds_per_step.points:
            low, median, high = np.percentile(log.seconds_per_step.points, [10, 50, 90])
            log.pace = (float(low), float(median), float(high))
        if log.last is not None and log.last.total:
            log.batches = log.last.epoch * log.last.total + log.last.step

    def _bar(self, bar: Bar) -> None:
        last = self.log.last
        if last is not None and _empties(bar, last):
            self._window = None
            return
        if last is None or _starts_again(bar, last):
            self.log.starts += 1
            self._steps, self._window = 0, None
            self._unsure.clear()
        elif bar.epoch > last.epoch:
            self._steps, self._window = self._steps + bar.step, None
            self._unsure.clear()
        else:
            self._steps += bar.step - last.step
        if last is not None and (bar.epoch, bar.step) != (last.epoch, last.step):
            self._train_loss()
        self.log.last = bar
        still = last is not None and bar.metrics == last.metrics
        if last is not None and not still:
            self._settle(bar, last)
        self._pace(bar, still and self._moving)
        self._val_loss(bar)

    def _settle(self, bar: Bar, last: Bar) -> None:
        """Decide on paces that may be those of a validation, when a number behind the bar changes.

        Lightning 1.x moves the bar of the epoch on by the batches of a validation, too; the numbers
        stand still meanwhile, and one of the validation's changes when it ends.
        """
        if _validated(bar, last):
            self._window = None
        else:
            self._moving = self._moving or bar.epoch == last.epoch
            for pace in self._unsure:
                self.log.seconds_per_step.add(pace)
        self._unsure.clear()

    def _pace(self, bar: Bar, unsure: bool) -> None:
        if self._steps < FIRST_STEPS:
            return
        if self._window is None:
            self._window = bar
            return
        seconds, steps = bar.elapsed_s - self._window.elapsed_s, bar.step - self._window.step
        if seconds >= WINDOW_S and steps >= WINDOW_STEPS:
            if unsure:
                self._unsure.append(seconds / steps)
            else:
                self.log.seconds_per_step.add(seconds / steps)
            self._window = bar

    def _train_loss(self) -> None:
        """Note the loss of the step that is over; a bar shows it after the one before."""
        bar = self.log.last
        if bar is None or not bar.step:
            return
        value = self._named("training", TRAIN_LOSSES, bar.metrics)
        if value is not None:
            self.log.final_train = self._loss("training", bar, value)
            self.log.train.add(self.log.final_train)

    def _val_loss(self, bar: Bar) -> None:
        """Note a validation loss when it is new; a bar carries it until the next validation."""
        value, log = self._named("validation", VAL_LOSSES, bar.metrics), self.log
        old = log.final_val
        if value is None or (old is not None and _alike(value, old.value)):
            return
        log.final_val = self._loss("validation", bar, value)
        log.val.add(log.final_val)
        if log.best_val is None or value < log.best_val.value or math.isnan(log.best_val.value):
            log.best_val = log.final_val

    def _loss(self, which: str, bar: Bar, value: float) -> Loss:
        if not math.isfinite(value):
            self.log.lost[which] += 1
        epochs = bar.epoch + (bar.step / bar.total if bar.total else 0)
        return Loss(epochs, value, self.log.starts - 1)

    def _named(
        self, which: str, names: tuple[str, ...], metrics: Mapping[str, float]
    ) -> float | None:
        """The loss under the first name that the log has."""
        if which not in self.log.names:
            known = next((name for name in names if name in metrics), None)
            if known is None:
                return None
            self.log.names[which] = known
        return metrics.get(self.log.names[which])


def _validated(bar: Bar, last: Bar) -> bool:
    """Whether a validation ended between two bars: a number that it gives has changed."""
    names = [name for name in bar.metrics if name.startswith("val")]
    before = last.metrics
    return any(n not in before or not _alike(bar.metrics[n], before[n]) for n in names)


def _empties(bar: Bar, last: Bar) -> bool:
    """Whether a finished bar stands at 0 once more, as Lightning leaves it before the next one."""
    return bar.epoch == last.epoch and bar.step == 0 and last.step == last.total


def _starts_again(bar: Bar, last: Bar) -> bool:
    """Whether a training was continued: its bar went back, or its clock within an epoch did."""
    same_epoch = bar.epoch == last.epoch
    return (bar.epoch, bar.step) < (last.epoch, last.step) or (
        same_epoch and bar.elapsed_s < last.elapsed_s
    )


def _alike(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
