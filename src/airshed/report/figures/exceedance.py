"""How well hours above a limit are forecast."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from airshed.comparison.other_scores import MIN_EVENTS
from airshed.evaluation.metrics.exceedance import LIMITS, RATIOS
from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.series import over_horizons, say
from airshed.report.figures.style import legend
from airshed.report.results import Results

FREQUENCY_BIAS = "frequency_bias"
NAMES = {
    "hit_rate": "hit rate",
    "false_alarm_ratio": "false alarm ratio",
    "critical_success_index": "critical success index",
    FREQUENCY_BIAS: "frequency bias",
}
MOST_BIAS = 2.5  # where its axis ends


def limited(results: Results) -> list[str]:
    """The targets that have a limit at all."""
    known = {name for values in LIMITS.values() for name in values}
    return [name for name in results.study.targets if name in known]


def events(results: Results, limit: str) -> pd.Series[int]:
    """Pairs observed above a limit, over all horizons, by pollutant that has this limit."""
    variant = results.study.variants[0]
    rows = results.scores[results.scores["variant"] == variant]
    rows = rows[rows["seed"] == rows["seed"].min()]
    happened = rows[rows["metric"].isin([f"hits_{limit}", f"misses_{limit}"])]
    counts = happened.groupby("pollutant")["value"].sum()
    names = [name for name in limited(results) if name in LIMITS[limit]]
    return counts.reindex(names, fill_value=0).astype(int)


def sentences(results: Results) -> list[str]:
    """For each set of limits, how many pairs were observed above them, and which are too few."""
    found = []
    for limit in LIMITS:
        counts = {results.label(str(name)): count for name, count in events(results, limit).items()}
        few = [name for name, count in counts.items() if count < MIN_EVENTS]
        left_out = f" Fewer than {MIN_EVENTS} are not drawn: {text.listed(few)}." if few else ""
        shown = [f"{name} {count:,}" for name, count in counts.items()]
        if shown:
            found.append(
                f"Forecast-observation pairs above the limits for {limit} means, all horizons"
                f" together: {text.listed(shown)}.{left_out}"
            )
    return found


def exceedance(results: Results, limit: str) -> Drawing | None:
    """Scores of exceedances of one set of limits: a row a score, a column a pollutant.

    None if no pollutant has enough pairs above its limit.
    """
    happened = events(results, limit)
    happened = happened[happened >= MIN_EVENTS]
    targets = [str(name) for name in happened.index]
    if not targets:
        return None
    data = _scores(results, limit)
    horizons = sorted(results.study.horizons_h)
    figure, axes = plt.subplots(
        len(NAMES),
        len(targets),
        figsize=(max(5, 2.3 * len(targets) + 0.8), 7.2),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for column, pollutant in zip(axes.T, targets, strict=True):
        value = f"{LIMITS[limit][pollutant]:g} {results.units_of(pollutant)}"
        column[0].set_title(f"{results.label(pollutant)}\n> {value}")
        for panel, metric in zip(column, NAMES, strict=True):
            shown = data[(data["metric"] == metric) & (data["pollutant"] == pollutant)]
            if shown["value"].notna().any():
                over_horizons(panel, shown, horizons, results.study)
                panel.set_xticks(horizons)
                _undefined(panel, shown, results.study.variants)
            else:
                say(panel, "undefined:\nnone forecast")
        column[-1].set_xlabel("horizon (h)")
    for panel, name in zip(axes[:, 0], NAMES.values(), strict=True):
        panel.set_ylabel(f"{name}\n(share)", fontsize="small")
        panel.set(ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
    axes[-1, 0].set(ylim=(-0.08, MOST_BIAS), yticks=[0, 1, 2])
    axes[-1, 0].set_ylabel("frequency bias\n(forecast / observed)", fontsize="small")
    for panel in axes[-1]:
        panel.axhline(1, color="0.3", linewidth=0.8)
    legend(figure)
    counts = ", ".join(f"{results.label(str(name))} {count:,}" for name, count in happened.items())
    alt = (
        f"{text.counted(len(NAMES), 'row').capitalize()} of panels, one a score, and"
        f" {text.counted(len(targets), 'column')}, one a pollutant. Forecast-observation pairs"
        f" observed above the limit, all horizons together: {counts}."
    )
    title = None if limit == "daily" else f"Limits for {limit} means"
    return Drawing("exceedance", figure, data, alt, of=limit, folded=title)


def _scores(results: Results, limit: str) -> pd.DataFrame:
    """The scores of a set of limits by their names; the frequency bias follows from counts."""
    names = {f"{name}_{limit}": name for name in RATIOS}
    scores = results.scores
    ratios = scores[scores["metric"].isin(list(names))]
    ratios = ratios.assign(metric=ratios["metric"].map(names))
    keys = ["variant", "seed", "pollutant", "horizon_h"]
    counts = scores.pivot_table("value", keys, "metric", dropna=True)
    hits, misses, false_alarms = (
        counts[f"{name}_{limit}"] for name in ("hits", "misses", "false_alarms")
    )
    bias = ((hits + false_alarms) / (hits + misses).where(hits + misses > 0)).rename("value")
    found = bias.dropna().reset_index().assign(metric=FREQUENCY_BIAS, units="1")
    return pd.concat([ratios, found], ignore_index=True)


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
