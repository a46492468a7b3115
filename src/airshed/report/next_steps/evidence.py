"""What a study's results say about the questions of the table of decisions, in numbers."""

from __future__ import annotations

import math

import numpy as np

from airshed.comparison.verdict import in_short
from airshed.report import learned
from airshed.report.results import Results
from airshed.report.text import interval, percent

STILL_FALLING = 0.005  # of the validation loss, in the last epoch
DIVERGED = 0.05  # end above the lowest validation loss
GONE = 0.1  # final over initial value from which it counts as gone to zero


def comparison(results: Results, variant: str) -> str:
    """The overall change of a variant and its verdict."""
    row = results.overall(variant)
    return f"{variant}: {interval(row)}, {in_short(row)}"


def still_falling(results: Results, variant: str) -> tuple[bool | None, str]:
    """Whether the validation loss of most seeds fell in the last epoch; None if unknown."""
    losses = [run["val_loss"] for run in results.of_variant(variant)]
    if min(map(len, losses)) < 2:
        return None, f"{variant}: one epoch, so the validation loss shows no trend"
    changes = [loss[-1] / loss[-2] - 1 for loss in losses]
    falling = sum(change < -STILL_FALLING for change in changes)
    shown = ", ".join(percent(change) for change in changes)
    mostly = falling > len(changes) / 2
    answer = f"{'still' if mostly else 'hardly'} falling, while the learning rate went to zero"
    epochs = len(losses[0])
    return mostly, f"{variant}: validation loss in the last of {epochs} epochs {shown}: {answer}"


def diverging(results: Results, variant: str) -> str:
    """Whether losses rose or were lost."""
    found = []
    for run in results.of_variant(variant):
        history = results.histories[variant, run["seed"]]
        end, lowest = run["val_loss"][-1], min(run["val_loss"])
        if not np.isfinite(history["train_loss"]).all() or not math.isfinite(end):
            found.append(f"seed {run['seed']}: losses that are not finite")
        elif end > (1 + DIVERGED) * lowest:
            found.append(f"seed {run['seed']}: validation loss ends {percent(end / lowest - 1)}")
    if found:
        return f"{variant}: yes; {'; '.join(found)} above its lowest"
    ends = ", ".join(
        percent(run["val_loss"][-1] / min(run["val_loss"]) - 1)
        for run in results.of_variant(variant)
    )
    return f"{variant}: no; validation losses end {ends} above their lowest"


def gone(results: Results, variant: str) -> dict[str, str]:
    """Whether training took what the biases learn to 0, where a strength is off; by its name.

    That is not asked of what could not have moved so far.
    """
    answers = {}
    found = learned.numbers(results, variant)
    known = [number for number in found if number.initial and not number.stuck]
    for name in dict.fromkeys(number.name for number in known):
        ones = [number for number in known if number.name == name]
        gone = [abs(one.final) <= GONE * abs(one.initial or 0) for one in ones]
        answer = "yes" if all(gone) else "no" if not any(gone) else "in some of them"
        initial = ", ".join(dict.fromkeys(f"{one.initial:g}" for one in ones))
        shown = ", ".join(f"{one.final:.3f}" for one in ones)
        answers[name] = f"{variant}: {answer}; {initial} at the start, {shown} at the end"
    return answers


def interpreted(results: Results, variant: str) -> str | None:
    """What happens to the loss without the bias; None if no run was interpreted."""
    found = [
        results.interpretations[key]["relative_loss_change"]["bias_removed"]
        for key in results.runs
        if key[0] == variant and key in results.interpretations
    ]
    known = [change for change in found if change is not None]
    if not known:
        return None
    shown = ", ".join(percent(change) for change in known)
    return f"{variant}: loss without the bias {shown} (see the strength of the bias)"
