"""Figures of forecast errors: changes against the reference, and errors against horizon."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from airshed.report.figures.style import (
    BASELINE_DASHES,
    BASELINE_GREYS,
    BETTER_WORSE,
    colours,
)
from airshed.report.results import BASELINES, POLLUTANT_LABELS, Results, units_of
from airshed.variables import TARGETS

MARKS = {"helps": "helps", "hurts": "hurts", "equivalent": "\u2248", "inconclusive": "?"}
SMALLEST_SCALE = 1.0  # percent; noise below this does not fill the colour scale


def change_heatmap(results: Results, variant: str) -> tuple[Figure, pd.DataFrame]:
    """Relative change of RMSE by pollutant and horizon, with interval and verdict."""
    cells = results.cells(variant)
    labelled = cells.assign(label=[_label(row) for row in cells.to_dict("records")])
    change = _square(cells, "relative_rmse_change").astype(float) * 100
    labels = _square(labelled, "label")
    limit = max(SMALLEST_SCALE, float(np.nanmax(np.abs(change.to_numpy()))))
    figure, axes = plt.subplots(figsize=(1.6 * change.shape[1] + 2, 0.55 * len(change) + 1.2))
    sns.heatmap(
        change,
        annot=labels,
        fmt="",
        cmap=BETTER_WORSE,
        center=0,
        vmin=-limit,
        vmax=limit,
        linewidths=1,
        cbar_kws={"label": "change of RMSE (%)"},
        ax=axes,
    )
    axes.set(xlabel="horizon (h)", ylabel="")
    axes.set_title(f"{variant} against {cells['reference'].iloc[0]}: negative is better")
    axes.tick_params(axis="y", rotation=0)
    return figure, cells


def _label(cell: dict[Hashable, Any]) -> str:
    change, low, high = (100 * cell[key] for key in ("relative_rmse_change", "ci_low", "ci_high"))
    text = f"{change:+.2f} {MARKS[cell['verdict']]}\n[{low:+.2f}, {high:+.2f}]"
    return text.replace("-", "\u2212")


def _square(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    table = cells.pivot(index="pollutant", columns="horizon_h", values=column)
    return table.loc[list(TARGETS)].rename(index=POLLUTANT_LABELS)


def rmse_by_horizon(results: Results) -> tuple[Figure, pd.DataFrame]:
    """RMSE against horizon for each pollutant: variants (range of seeds) and baselines."""
    rmse = results.scores[results.scores["metric"] == "rmse"]
    palette = colours(results.study.variants)
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex=True)
    for panel, pollutant in zip(axes.flat, TARGETS, strict=True):
        shown = rmse[rmse["pollutant"] == pollutant]
        for baseline in BASELINES:
            line = shown[shown["variant"] == baseline].sort_values("horizon_h")
            panel.plot(
                line["horizon_h"],
                line["value"],
                color=BASELINE_GREYS[baseline],
                linestyle=BASELINE_DASHES[baseline],
                label=baseline,
            )
        for variant, colour in palette.items():
            seeds = shown[shown["variant"] == variant].groupby("horizon_h")["value"]
            mean = seeds.mean()
            panel.fill_between(mean.index, seeds.min(), seeds.max(), color=colour, alpha=0.25)
            panel.plot(mean.index, mean, color=colour, marker="o", markersize=3, label=variant)
        panel.set(title=POLLUTANT_LABELS[pollutant], ylabel=f"RMSE ({units_of(pollutant)})")
        panel.set_xticks(results.study.horizons_h)
        panel.set_ylim(bottom=0)
    for panel in axes[-1]:
        panel.set_xlabel("horizon (h)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure, rmse
