"""The logs of two trainings beside each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from airshed.errors import AirshedError
from airshed.report.tables import MISSING, Table
from airshed.report.text import percent
from airshed.side_by_side.document import Document, Drawing, Section, sparkline
from airshed.side_by_side.own_training import own_training
from airshed.side_by_side.training_log import (
    FIRST_STEPS,
    WINDOW_S,
    WINDOW_STEPS,
    Loss,
    TrainingLog,
    read_log,
)

ROLES = ("baseline", "physics")
COLOURS = ("0.35", "C0")
ROUNDING = 0.005  # of a number with three significant digits, at most
LIMITS = (
    "One training each: how much another seed would change the losses is unknown, and such changes"
    " are often as large as those between variants.",
    "A validation loss is no test: the lowest of many was chosen for being low.",
    "The losses are normalised and pooled over pollutants and horizons; they say nothing in"
    " \u00b5g\u00a0m\u207b\u00b3, and compare only if both runs used the same data, split,"
    " normalisation, targets and mask. The logs do not tell.",
    "The bar shows three significant digits, so that losses within 0.5\u00a0% may be equal.",
    "Which settings, seed and checkpoint belong to which log is not in it.",
    "How many samples a batch holds, and how many batches make an optimiser step, a log does not"
    " tell; batches are compared with batches.",
    "Seconds per batch are wall clock, with whatever else ran on the machines, and hold for the"
    " hardware that each run happened to have.",
)
RUN_BOTH = (
    "For a verdict: train both as variants of one study with several seeds (docs/comparing.md)."
)


def compare_logs(baseline: Path, physics: Path) -> Document:
    """Compare what two logs tell, or the folder of a run of Airshed's own in place of a log.

    Raises:
        AirshedError: A log cannot be read or tells nothing of a training, or both are one file.
    """
    if baseline.resolve() == physics.resolve():
        raise AirshedError("the two logs are one and the same file", where=baseline)
    logs = _read(baseline), _read(physics)
    return Document(
        title=f"{physics.name} against {baseline.name}",
        simulated=False,
        answers=[_answer(*logs), _speed_answer(*logs)],
        sections=[
            Section("Losses and speed", _caption(logs), _numbers(logs)),
            Section(
                "Validation losses", "Each from its first to its last validation.", _curves(logs)
            ),
        ],
        limits=[*_warnings(logs), *LIMITS, RUN_BOTH],
        drawings=[
            Drawing(
                "loss_curves",
                "Loss against epochs. Dots: validation; pale lines: training. A line breaks where"
                " a training was continued from an earlier epoch.",
                f"Lines of the losses of {baseline.name} and {physics.name}. {_answer(*logs)}",
                lambda: _draw(logs),
            )
        ],
        data={},
    )


def _read(path: Path) -> TrainingLog:
    return own_training(path) if path.is_dir() else read_log(path)


def common_best(logs: tuple[TrainingLog, TrainingLog]) -> tuple[float, list[Loss | None]]:
    """The epochs that both trainings reached, and each one's lowest validation loss up to there."""
    reached = min(_reached(log) for log in logs)
    lowest = [
        min(
            (loss for loss in log.val.points if loss.epochs <= reached and _finite(loss)),
            key=lambda loss: loss.value,
            default=None,
        )
        for log in logs
    ]
    return reached, lowest


def overhead(baseline: TrainingLog, physics: TrainingLog) -> float | None:
    """Extra time of a batch, from the medians; None where a log is too short to tell."""
    if baseline.pace is None or physics.pace is None:
        return None
    return physics.pace[1] / baseline.pace[1] - 1


def _answer(baseline: TrainingLog, physics: TrainingLog) -> str:
    reached, (one, other) = common_best((baseline, physics))
    change = _relative(one, other)
    if one is None or other is None or change is None:
        return "At least one log tells no finite validation loss: nothing can be compared."
    where = f"Over the {reached:.3g} epochs that both reached"
    losses = f"{other.value:.4g} against {one.value:.4g}"
    if abs(change) <= ROUNDING:
        return f"{where}, the lowest validation losses are equal within rounding ({losses})."
    direction = "lower" if change < 0 else "higher"
    return (
        f"{where}, the lowest validation loss of {physics.path.name} is"
        f" {percent(abs(change), signed=False)} {direction} than that of {baseline.path.name}"
        f" ({losses}); from one training each, this is no verdict."
    )


def _speed_answer(baseline: TrainingLog, physics: TrainingLog) -> str:
    extra = overhead(baseline, physics)
    if extra is None:
        return (
            f"At least one log has no stretch of {WINDOW_S} s and {WINDOW_STEPS} steps: no speed."
        )
    return (
        f"A batch took {percent(abs(extra), signed=False)}"
        f" {'longer' if extra >= 0 else 'less time'} (wall clock of two separate jobs)."
    )


def _numbers(logs: tuple[TrainingLog, TrainingLog]) -> Table:
    reached, lowest = common_best(logs)
    rows: list[list[str]] = [
        ["log", *(str(log.path) for log in logs), ""],
        ["epochs reached", *(f"{_reached(log):.3g}" for log in logs), ""],
        ["batches", *(MISSING if log.batches is None else f"{log.batches:,}" for log in logs), ""],
        ["validations", *(str(len(log.val.points)) for log in logs), ""],
        _compared("final validation loss", [log.final_val for log in logs]),
        _compared("lowest validation loss", [log.best_val for log in logs]),
        _compared(f"lowest within {reached:.3g} epochs", lowest),
        _compared("final training loss", [log.final_train for log in logs]),
        ["seconds per batch", *map(_pace, logs), _change(overhead(*logs))],
        ["starts", *(str(log.starts) for log in logs), ""],
        ["losses not finite", *(str(sum(log.lost.values())) for log in logs), ""],
    ]
    return Table(["", *ROLES, "change"], rows)


def _compared(name: str, losses: list[Loss | None]) -> list[str]:
    shown = [
        MISSING if loss is None else f"{loss.value:.4g} (epoch {loss.epochs:.3g})"
        for loss in losses
    ]
    one, other = losses
    return [name, *shown, _change(_relative(one, other))]


def _relative(one: Loss | None, other: Loss | None) -> float | None:
    """By how much the second loss differs from the first; None where that is undefined."""
    if one is None or other is None or not one.value:
        return None
    change = other.value / one.value - 1
    return change if math.isfinite(change) else None


def _change(value: float | None) -> str:
    return MISSING if value is None else percent(value)


def _pace(log: TrainingLog) -> str:
    if log.pace is None:
        return "too short to tell"
    low, median, high = log.pace
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def _caption(logs: tuple[TrainingLog, TrainingLog]) -> str:
    names = " and ".join(dict.fromkeys(name for log in logs for name in log.names.values()))
    return (
        f"Losses behind the progress bars: {names}. Batches: as the bar counts them. Seconds per"
        " batch: median, and 10th to 90th percentile, in logs of stretches of at least"
        f" {WINDOW_S} s and {WINDOW_STEPS} batches, without"
        f" validations and the first {FIRST_STEPS} steps of every start. Epoch 2.5: half of the"
        " third."
    )


def _curves(logs: tuple[TrainingLog, TrainingLog]) -> Table:
    rows = []
    for role, log in zip(ROLES, logs, strict=True):
        known = [loss.value for loss in log.val.points if _finite(loss)]
        if known:
            rows.append([role, sparkline(known), f"{known[0]:.4g}", f"{known[-1]:.4g}"])
    return Table(["", "lowest \u2581 to highest \u2588", "first", "last"], rows)


def _warnings(logs: tuple[TrainingLog, TrainingLog]) -> list[str]:
    found = []
    for log in logs:
        name = log.path.name
        if log.starts > 1:
            found.append(
                f"{name} holds {log.starts} starts: whether each continued the one before, and from"
                " which checkpoint, it does not tell."
            )
        found += [
            f"{name} holds {count} {which} losses that are not finite: it diverged at least for a"
            " while."
            for which, count in log.lost.items()
            if count
        ]
    ends = sorted(_reached(log) for log in logs)
    if ends[0] < 0.99 * ends[1]:
        found.append(
            f"One training reached {ends[1]:.3g} epochs, the other {ends[0]:.3g}: final losses do"
            " not compare."
        )
    return found


def _draw(logs: tuple[TrainingLog, TrainingLog]) -> tuple[Figure, pd.DataFrame]:
    figure, axes = plt.subplots(figsize=(7, 3.6))
    parts = []
    for role, log, colour in zip(ROLES, logs, COLOURS, strict=True):
        for which, losses in (("training", log.train.points), ("validation", log.val.points)):
            table = pd.DataFrame(losses, columns=["epochs", "value", "start"])
            parts.append(table.assign(run=role, log=str(log.path), loss=which))
            for start, rows in table.groupby("start"):
                label = f"{role}, {which}" if start == table["start"].min() else None
                axes.plot(rows["epochs"], rows["value"], label=label, color=colour, **_style(which))
    values = pd.concat(parts, ignore_index=True)
    finite = values["value"][np.isfinite(values["value"]) & (values["value"] > 0)]
    if len(finite) and finite.max() > 10 * finite.min():
        axes.set_yscale("log")
    axes.set(xlabel="epochs", ylabel="loss as logged (normalised)")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, values


def _style(which: str) -> dict[str, Any]:
    if which == "training":
        return {"linewidth": 0.8, "alpha": 0.4}
    return {"marker": "o", "markersize": 4, "linewidth": 1.4}


def _reached(log: TrainingLog) -> float:
    seen = [loss.epochs for loss in (*log.train.points, *log.val.points)]
    last = log.last
    if last is not None and last.total:
        seen.append(last.epoch + last.step / last.total)
    return max(seen, default=0.0)


def _finite(loss: Loss) -> bool:
    return math.isfinite(loss.value)
