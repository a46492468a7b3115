"""What several figures draw alike: points with the spread of seeds, baselines, empty panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from airshed.config import Study
from airshed.evaluation.baselines import BASELINES
from airshed.report.figures.style import BASELINE_LINES, looks

DODGE, MOST_DODGE = 0.15, 0.6  # from variant to variant, and in all; of the distance of places


class Panels(NamedTuple):
    """Panels of a figure, row by row, and those that stand at its left and lower edge."""

    figure: Figure
    all: list[Axes]
    left: list[Axes]
    bottom: list[Axes]


def panels(
    count: int, size: Callable[[int, int], tuple[float, float]], across: int = 3, **shared: Any
) -> Panels:
    """So many panels of one size, at most ``across`` side by side.

    Args:
        count: How many.
        size: Width and height of the figure, inches, from the numbers of columns and rows.
        across: Columns at most.
        shared: What panels share, as for ``plt.subplots``.
    """
    columns = 2 if (count, across) == (4, 3) else min(across, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=size(columns, rows), squeeze=False, **shared)
    everywhere = list(axes.flat)
    for panel in everywhere[count:]:
        panel.set_visible(False)
    used = everywhere[:count]
    bottom = used[-columns:]
    for panel in bottom:
        panel.tick_params(axis="x", labelbottom=True)
    return Panels(figure, used, used[::columns], bottom)


def by_place(
    panel: Axes,
    table: pd.DataFrame,
    column: str,
    places: Sequence[float],
    study: Study,
) -> None:
    """Values over places: baselines as lines, variants as points with the range of their seeds.

    Args:
        panel: Where to draw.
        table: Columns ``variant``, ``seed``, ``value`` and the column of places.
        column: Names the places.
        places: Numbers along the axis, rising; ``table[column]`` holds them.
        study: Its variants are drawn.
    """
    at = np.asarray(places)
    _baselines(panel, table, column, at)
    steps = np.diff(at)
    shifts = dodged(len(study.variants)) * (steps.min() if len(steps) else 1.0)
    for (name, look), shift in zip(looks(study).items(), shifts, strict=True):
        seeds = table[table["variant"] == name].groupby(column)["value"]
        spread = seeds.agg(["mean", "min", "max"]).reindex(at)
        panel.errorbar(
            at + shift,
            spread["mean"],
            yerr=[spread["mean"] - spread["min"], spread["max"] - spread["mean"]],
            color=look.color,
            marker=look.marker,
            linestyle=look.linestyle,
            linewidth=1,
            elinewidth=1.2,
            capsize=1.5,
            label=name,
        )


def over_horizons(panel: Axes, table: pd.DataFrame, horizons: Sequence[int], study: Study) -> None:
    """Values over horizons: baselines as grey lines, variants as lines in a band of their seeds.

    Args:
        panel: Where to draw.
        table: Columns ``variant``, ``seed``, ``horizon_h`` and ``value``.
        horizons: Hours, rising.
        study: Its variants are drawn.
    """
    at = np.asarray(horizons)
    _baselines(panel, table, "horizon_h", at)
    for name, look in looks(study).items():
        seeds = table[table["variant"] == name].groupby("horizon_h")["value"]
        spread = seeds.agg(["mean", "min", "max"]).reindex(at)
        style = {"color": look.color, "marker": look.marker, "linestyle": look.linestyle}
        panel.plot(at, spread["mean"], linewidth=1.2, label=name, **style)
        panel.fill_between(at, spread["min"], spread["max"], color=look.color, alpha=0.2)


def _baselines(panel: Axes, table: pd.DataFrame, column: str, at: npt.NDArray[Any]) -> None:
    for name, (grey, dashes, marker) in zip(BASELINES, cycle(BASELINE_LINES)):
        line = table[table["variant"] == name].groupby(column)["value"].mean()
        if line.notna().any():
            style = {"color": grey, "linestyle": dashes, "marker": marker}
            panel.plot(at, line.reindex(at), label=name, **style)


def dodged(count: int) -> npt.NDArray[np.floating[Any]]:
    """Shifts that keep so many points apart, in distances between neighbouring places."""
    half = min(MOST_DODGE, DODGE * (count - 1)) / 2
    return np.linspace(-half, half, count)


def from_zero(panel: Axes) -> None:
    """Let the axis of values begin at zero, with room above the highest."""
    panel.relim()
    panel.autoscale(axis="y")
    panel.set_ylim(0, panel.get_ylim()[1])


def say(panel: Axes, reason: str) -> None:
    """Write into an empty panel why it is empty."""
    panel.text(
        0.5,
        0.5,
        reason,
        transform=panel.transAxes,
        ha="center",
        va="center",
        color="0.35",
        fontsize="small",
    )
    panel.set(xticks=[], yticks=[])
    panel.grid(False)
