"""Figures of the trainings: losses, and what biases learn."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from airshed.report import learned
from airshed.report.drawing import Drawing
from airshed.report.figures.series import Panels, panels
from airshed.report.figures.style import legend, looks
from airshed.report.learned import STRENGTH
from airshed.report.results import Results

SMOOTHING_ROWS = 5
COLUMNS = 4  # of small panels side by side
LOSS = "loss (normalised\nmean squared error)"


def _over_steps(count: int, share_y: bool, label: str) -> Panels:
    """So many small panels over the optimiser steps; ``label`` is that of their values."""

    def size(columns: int, rows: int) -> tuple[float, float]:
        return max(4.5, 2.6 * columns + 0.8), 2.2 * rows + 0.7

    made = panels(count, size, COLUMNS, sharex=True, sharey=share_y)
    for panel in made.left:
        panel.set_ylabel(label, fontsize="small")
    for panel in made.bottom:
        panel.set_xlabel("optimiser step", fontsize="small")
    return made


def learning_curves(results: Results) -> Drawing:
    """Training loss (running mean) and validation loss against the step: a panel a variant."""
    variants = results.study.variants
    figure, drawn, *_ = _over_steps(len(variants), share_y=True, label=LOSS)
    parts = []
    for panel, (variant, look) in zip(drawn, looks(results.study).items(), strict=True):
        for (name, seed), history in results.histories.items():
            if name != variant:
                continue
            smooth = history["train_loss"].rolling(SMOOTHING_ROWS, min_periods=1, center=True)
            known = history.dropna(subset="val_loss")
            panel.plot(history["step"], smooth.mean(), color="0.6", linewidth=0.8, label="training")
            panel.plot(
                known["step"],
                known["val_loss"],
                color=look.color,
                marker="o",
                linewidth=1.2,
                label="validation (the variant's colour)",
            )
            parts.append(history.assign(variant=variant, seed=seed))
        panel.set_title(variant, fontsize="small")
    legend(figure)
    data = pd.concat(parts, ignore_index=True)
    return Drawing("learning_curves", figure, data, _falls(results))


def _falls(results: Results) -> str:
    """From where to where validation losses went, and which still fell at the end."""
    losses_in_words = []
    for variant in results.study.variants:
        losses = [run["val_loss"] for run in results.of_variant(variant)]
        first, last = (np.mean([loss[place] for loss in losses]) for place in (0, -1))
        losses_in_words.append(f"{variant} from {first:.3f} to {last:.3f}")
    return f"One panel a variant. Validation loss, mean of seeds: {'; '.join(losses_in_words)}."


def validation_loss(results: Results) -> Drawing:
    """Best validation loss of every training."""
    data = pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "best_val_loss": run["best_val_loss"]}
            for (variant, seed), run in results.runs.items()
        ]
    )
    variants = results.study.variants
    figure, panel = plt.subplots(figsize=(7, 0.32 * len(variants) + 1.3))
    means = data.groupby("variant")["best_val_loss"].mean()
    for place, (variant, look) in enumerate(looks(results.study).items()):
        losses = data.loc[data["variant"] == variant, "best_val_loss"]
        panel.plot(losses, [place] * len(losses), look.marker, color=look.color, markersize=6)
        label = "mean of seeds"
        panel.plot(means[variant], place, "|", color="black", markersize=15, label=label)
    panel.set_yticks(range(len(variants)), variants)
    panel.set_ylim(len(variants) - 0.5, -0.5)
    panel.set_xlabel("lowest validation loss (normalised mean squared error)")
    legend(figure)
    lowest = str(means.idxmin())
    alt = (
        f"A row of points for each variant. The lowest mean, {means.min():.4f}, has {lowest};"
        f" the highest is {means.max():.4f} ({means.idxmax()})."
    )
    return Drawing("validation_loss", figure, data, alt)


def alpha_curves(results: Results) -> Drawing | None:
    """What biases learn over the steps, a panel a variant and number; None if nothing is known."""
    data, names = _paths(results)
    if data.empty:
        return None
    shown = [
        (str(variant), name, rows.dropna(subset=name))
        for variant, rows in data.groupby("variant", sort=False)
        for name in names
        if rows[name].notna().any()
    ]
    alone = names == [STRENGTH]
    label = "alpha (no unit; 0: off)" if alone else "value"
    figure, drawn, *_ = _over_steps(len(shown), share_y=False, label=label)
    last_values = []
    for panel, (variant, name, rows) in zip(drawn, shown, strict=True):
        _draw_path(panel, rows, name)
        numbers = [one for one in learned.numbers(results, variant) if one.name == name]
        for initial in {one.initial for one in numbers if one.initial is not None}:
            panel.axhline(initial, color="0.3", linestyle=":", linewidth=1)
            if name == STRENGTH:
                _draw_reach(panel, results, variant, initial)
        panel.axhline(0, color="0.3", linewidth=0.8)
        panel.set_title(variant if name == STRENGTH else f"{variant}: {name}", fontsize="small")
        last = rows.loc[rows.groupby(["seed", "block"])["step"].idxmax(), name].mean()
        last_values.append(f"{variant} {learned.named(name, f'{last:.3f}')}")
    legend(figure, columns=6)
    what, of = ("Alpha", "a variant") if alone else ("What is learned", "a variant and number")
    ends = ", ".join(sorted(last_values))
    alt = f"One panel {of}, a line for each block. {what} at the end, mean: {ends}."
    return Drawing("alpha", figure, data, alt)


def _draw_reach(panel: Axes, results: Results, variant: str, initial: float) -> None:
    """How far training could have moved a strength by each step: the sum of its learning rates."""
    for (name, _), history in results.histories.items():
        if name == variant:
            steps = history["step"].diff().fillna(history["step"].iloc[0])
            reach = (history["lr"] * steps).cumsum()
            band: dict[str, Any] = {"color": "0.9", "zorder": 0, "label": "in reach"}
            panel.fill_between(history["step"], initial - reach, initial + reach, **band)
            return


def _draw_path(panel: Axes, rows: pd.DataFrame, name: str) -> None:
    """A number over the steps, a line for each block."""
    blocks = sorted(rows["block"].unique())
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.8, max(len(blocks), 1)))
    for block, shade in zip(blocks, shades, strict=True):
        seeds = rows[rows["block"] == block].groupby("step")[name]
        spread = seeds.agg(["mean", "min", "max"])
        panel.fill_between(spread.index, spread["min"], spread["max"], color=shade, alpha=0.25)
        panel.plot(spread.index, spread["mean"], color=shade, label=f"block {block}")


def _paths(results: Results) -> tuple[pd.DataFrame, list[str]]:
    """Numbers of every variant, seed, block and step, a column for each name; and the names."""
    parts, names = [], []
    for (variant, seed), history in results.histories.items():
        for column in history.columns:
            name, found, block = column.rpartition("_block")
            if found and block.isdigit():
                values = history[["step", column]].rename(columns={column: name})
                parts.append(values.assign(variant=variant, seed=seed, block=int(block)))
                names.append(name)
    data = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return data, list(dict.fromkeys(names))
