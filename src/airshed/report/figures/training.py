"""Figures of the trainings: losses, strength of the bias, time per step."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from airshed.report.figures.style import colours
from airshed.report.results import Results

SMOOTHING_ROWS = 5
SEED_STYLES = ("-", "--", "-.", ":")


def learning_curves(results: Results) -> tuple[Figure, pd.DataFrame]:
    """Training loss (running mean) and validation loss against the optimiser step."""
    palette = colours(results.study.variants)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    parts = []
    for (variant, seed), history in results.histories.items():
        style = SEED_STYLES[results.study.seeds.index(seed) % len(SEED_STYLES)]
        label = f"{variant}, seed {seed}"
        smooth = history["train_loss"].rolling(SMOOTHING_ROWS, min_periods=1, center=True).mean()
        left.plot(history["step"], smooth, color=palette[variant], linestyle=style, label=label)
        known = history.dropna(subset="val_loss")
        right.plot(
            known["step"],
            known["val_loss"],
            color=palette[variant],
            linestyle=style,
            marker="o",
            markersize=4,
        )
        parts.append(history.assign(variant=variant, seed=seed))
    left.set(title=f"training (mean of {SMOOTHING_ROWS} rows)", xlabel="optimiser step")
    left.set_ylabel("loss (normalised mean squared error)")
    right.set(title="validation", xlabel="optimiser step")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, pd.concat(parts, ignore_index=True)


def validation_loss(results: Results) -> tuple[Figure, pd.DataFrame]:
    """Best validation loss of every training."""
    data = pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "best_val_loss": run["best_val_loss"]}
            for (variant, seed), run in results.runs.items()
        ]
    )
    figure, axes = plt.subplots(figsize=(6, 0.4 * len(results.study.variants) + 1.4))
    sns.stripplot(
        data,
        x="best_val_loss",
        y="variant",
        hue="variant",
        order=results.study.variants,
        hue_order=results.study.variants,
        palette=colours(results.study.variants),
        size=7,
        jitter=False,
        legend=False,
        ax=axes,
    )
    axes.plot(
        data.groupby("variant")["best_val_loss"].mean().loc[results.study.variants],
        range(len(results.study.variants)),
        "|",
        color="black",
        markersize=16,
        label="mean of seeds",
    )
    axes.set(xlabel="best validation loss (normalised mean squared error)", ylabel="")
    figure.legend(loc="outside lower center")
    return figure, data


def alpha_curves(results: Results) -> tuple[Figure, pd.DataFrame] | None:
    """Strength of the bias over the steps; None if no variant has one."""
    palette = colours(results.study.variants)
    figure, axes = plt.subplots(figsize=(6, 3.2))
    parts = []
    for (variant, seed), history in results.histories.items():
        style = SEED_STYLES[results.study.seeds.index(seed) % len(SEED_STYLES)]
        for column in [name for name in history.columns if name.startswith("alpha_block")]:
            block = int(column.removeprefix("alpha_block"))
            label = f"{variant}, seed {seed}, block {block}"
            colour = palette[variant]
            axes.plot(history["step"], history[column], color=colour, linestyle=style, label=label)
            values = history[["step", column]].rename(columns={column: "alpha"})
            parts.append(values.assign(variant=variant, seed=seed, block=block))
    if not parts:
        plt.close(figure)
        return None
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set(xlabel="optimiser step", ylabel="alpha (0: switched off)")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, pd.concat(parts, ignore_index=True)


def step_time(results: Results) -> tuple[Figure, pd.DataFrame]:
    """Seconds per optimiser step: median with 10th and 90th percentile, of every training."""
    data = pd.DataFrame(
        [
            {"variant": variant, "seed": seed, **run["seconds_per_step"]}
            for (variant, seed), run in results.runs.items()
        ]
    )
    palette = colours(results.study.variants)
    figure, axes = plt.subplots(figsize=(6, 0.35 * len(data) + 1))
    labels = [f"{row.variant}, seed {row.seed}" for row in data.itertuples()]
    axes.barh(labels, data["median"], color=[palette[name] for name in data["variant"]], height=0.6)
    axes.errorbar(
        data["median"],
        range(len(data)),
        xerr=[data["median"] - data["p10"], data["p90"] - data["median"]],
        fmt="none",
        ecolor="black",
        capsize=3,
    )
    axes.invert_yaxis()
    axes.set(xlabel="seconds per optimiser step\n(bar: median, line: 10th to 90th percentile)")
    return figure, data
