"""Figures of what variants cost: time per step, and that against what it buys."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from airshed.report.drawing import Drawing
from airshed.report.figures.style import legend, looks
from airshed.report.results import Results


def cost_benefit(results: Results) -> Drawing | None:
    """Overhead of a step against the overall change of RMSE; None if nothing is compared."""
    if not results.study.references():
        return None
    data = pd.DataFrame([_place(results, variant) for variant in results.study.references()])
    style = looks(results.study)
    figure, panel = plt.subplots(figsize=(7.5, 4.2))
    margin = 100 * results.study.comparison.margin
    panel.axhspan(-margin, margin, color="0.93", zorder=0)
    panel.axhline(0, color="0.3", linewidth=0.8)
    panel.axvline(0, color="0.3", linewidth=0.8)
    for row in data.to_dict("records"):
        look = style[str(row["variant"])]
        panel.errorbar(
            row["overhead_percent"],
            row["change_percent"],
            xerr=_bars(row, "overhead_percent", "overhead_p25_percent", "overhead_p75_percent"),
            yerr=_bars(row, "change_percent", "ci_low_percent", "ci_high_percent"),
            color=look.color,
            marker=look.marker,
            markersize=7,
            linestyle="none",
            capsize=2,
            label=row["variant"],
        )
    how = "measured in turns" if results.cost is not None else "wall clock of the trainings"
    panel.set_xlabel(f"extra time of a training step ({how}, %)\ncheap \u2190 \u2192 dear")
    panel.set_ylabel("change of RMSE (%)\nbetter \u2190 \u2192 worse")
    legend(figure)
    each = "; ".join(
        f"{row.variant} {row.overhead_percent:+.1f} % time, {row.change_percent:+.1f} % RMSE"
        for row in data.itertuples()
    ).replace("-", "\u2212")
    alt = f"One point a variant; lower left is cheap and good. {each}."
    return Drawing("cost_benefit", figure, data, alt)


def _place(results: Results, variant: str) -> dict[str, Any]:
    row, overhead = results.overall(variant), results.overhead(variant)
    found = {} if results.cost is None else results.cost["variants"][variant]["overhead"]
    values = {
        "overhead": np.nan if overhead is None else overhead,
        "overhead_p25": found.get("p25", np.nan),
        "overhead_p75": found.get("p75", np.nan),
        "change": row["relative_rmse_change"],
        "ci_low": row["ci_low"],
        "ci_high": row["ci_high"],
    }
    return {"variant": variant, "reference": row["reference"], "verdict": row["verdict"]} | {
        f"{name}_percent": 100 * float(value) for name, value in values.items()
    }


def _bars(row: dict[Any, Any], at: str, low: str, high: str) -> list[list[float]] | None:
    """Lengths of an error bar, or None where its ends are unknown."""
    lengths = [row[at] - row[low], row[high] - row[at]]
    return None if np.isnan(lengths).any() else [[max(length, 0.0)] for length in lengths]
