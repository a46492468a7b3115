"""How well hours above a limit are forecast."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from airshed.evaluation.metrics.exceedance import LIMITS, RATIOS
from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.series import by_place, say
from airshed.report.figures.style import legend
from airshed.report.results import Results

NAMES = {
    "hit_rate": "hit rate",
    "false_alarm_ratio": "false alarm ratio",
    "critical_success_index": "critical success index",
}


def limited(results: Results) -> list[str]:
    """The targets that have a limit at all."""
    known = {name for values in LIMITS.values() for name in values}
    return [name for name in results.study.targets if name in known]


def events(results: Results, limit: str) -> pd.Series[int]:
    """Hours and cells above a limit in the truth, over all horizons, by pollutant."""
    variant = results.study.variants[0]
    rows = results.scores[results.scores["variant"] == variant]
    rows = rows[rows["seed"] == rows["seed"].min()]
    happened = rows[rows["metric"].isin([f"hits_{limit}", f"misses_{limit}"])]
    counts = happened.groupby("pollutant")["value"].sum()
    return counts.reindex(limited(results), fill_value=0).astype(int)


def exceedance(results: Results, limit: str) -> Drawing:
    """Scores of exceedances of one set of limits: a row a score, a column a pollutant."""
    wanted = [f"{name}_{limit}" for name in RATIOS]
    data = results.scores[results.scores["metric"].isin(wanted)]
    horizons, happened = sorted(results.study.horizons_h), events(results, limit)
    targets = limited(results)
    size = (max(5, 2 * len(targets)), 5.6)
    figure, axes = plt.subplots(
        3, len(targets), figsize=size, sharex="col", sharey=True, squeeze=False
    )
    for column, pollutant in zip(axes.T, targets, strict=True):
        column[0].set_title(_limit(results, pollutant, limit))
        for panel, metric in zip(column, wanted, strict=True):
            shown = data[(data["metric"] == metric) & (data["pollutant"] == pollutant)]
            if shown["value"].notna().any():
                by_place(panel, shown, "horizon_h", horizons, results.study.variants)
                panel.set_xticks(horizons)
                _undefined(panel, shown, results.study.variants)
            else:
                say(panel, _why(pollutant, limit, int(happened[pollutant])))
            panel.set_ylim(-0.03, 1.03)
        column[-1].set_xlabel("horizon (h)")
    for panel, name in zip(axes[:, 0], RATIOS, strict=True):
        panel.set_ylabel(f"{NAMES[name]}\n(share)", fontsize="small")
        panel.set_yticks([0, 0.5, 1])
    legend(figure)
    told = ", ".join(f"{results.label(str(name))} {count:,}" for name, count in happened.items())
    alt = (
        f"Three rows of panels, one a score, and {text.counted(len(targets), 'column')}, one a"
        " pollutant. Hours and cells above"
        f" the limit in the truth, all horizons together: {told}."
    )
    title = None if limit == "daily" else f"Limits for {limit} means"
    return Drawing("exceedance", figure, data, alt, of=limit, folded=title)


def _undefined(panel: Axes, shown: pd.DataFrame, variants: list[str]) -> None:
    """Say of how many variants a score is undefined at every horizon."""
    known = shown.dropna(subset="value")["variant"].unique()
    count = sum(name not in known for name in variants)
    if count:
        panel.text(
            0.5,
            0.5,
            f"undefined for {count} of\n{len(variants)} variants:\nnone forecast",
            transform=panel.transAxes,
            ha="center",
            va="center",
            fontsize="x-small",
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"},
        )


def _limit(results: Results, pollutant: str, limit: str) -> str:
    value = LIMITS[limit].get(pollutant)
    shown = "no limit" if value is None else f"> {value:g} {results.units_of(pollutant)}"
    return f"{results.label(pollutant)}\n{shown}"


def _why(pollutant: str, limit: str, happened: int) -> str:
    if pollutant not in LIMITS[limit]:
        return "the standard\nhas no such limit"
    return "undefined:\nno such hour" if not happened else "undefined:\nnone forecast"
