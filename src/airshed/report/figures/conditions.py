"""Errors by class of terrain, wind and season."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from airshed.evaluation.binning import joint_name
from airshed.report import text
from airshed.report.classes import class_changes, rugged_by_wind
from airshed.report.drawing import Drawing
from airshed.report.figures.series import by_place, dodged, from_zero, panels
from airshed.report.figures.style import legend, looks
from airshed.report.results import Results, shown_units

CHANGE = ("change_percent", "ci_low_percent", "ci_high_percent")
MEDIANS, SMALLEST = (
    3.0,
    0.5,
)  # half of the axis: median widths of intervals, at least so many percent
CLASSES = {
    "elevation": "elevation of the cell",
    "ruggedness": "ruggedness of the cell",
    "wind_speed": "wind at the init time",
    "season": "season of the valid time",
}


def classes_of(results: Results) -> dict[str, str]:
    """The kinds of classes that hold any pair: without wind there are none of it."""
    pairs = results.strata.groupby("stratum_kind")["samples"].sum()
    return {kind: label for kind, label in CLASSES.items() if pairs.get(kind, 0)}


def change_by_class(results: Results) -> Drawing | None:
    """Change of RMSE in each class, mean over pollutants and horizons; None without references."""
    if not results.study.references():
        return None
    data, kinds = class_changes(results), classes_of(results)
    figure, drawn, left, _ = panels(
        len(kinds), lambda columns, rows: (9.5, 2.8 * rows + 0.4 * (rows == 1)), sharey=True
    )
    for panel, (kind, label) in zip(drawn, kinds.items(), strict=True):
        rows = data[data["stratum_kind"] == kind]
        _changes(panel, results, rows, _class_axis(panel, results.strata, kind))
        panel.set_title(label)
    _finish(left, data)
    legend(figure)
    return Drawing("change_by_class", figure, data, _lowest_and_highest(data, len(kinds)))


def change_by_wind(results: Results) -> Drawing | None:
    """Change of RMSE by ruggedness of the cell, a panel for each class of its wind."""
    data, strata = rugged_by_wind(results), results.strata
    if data.empty:
        return None
    winds = strata.loc[strata["stratum_kind"] == "wind_speed", "stratum"].unique()
    figure, drawn, left, _ = panels(
        len(winds), lambda columns, rows: (9.5, 2.8 * rows + 0.4), sharey=True
    )
    for panel, wind in zip(drawn, winds, strict=True):
        names = _class_axis(panel, strata, "ruggedness")
        _changes(panel, results, data, [joint_name(name, wind) for name in names])
        panel.set_title(f"wind {shown_units(wind)}")
        panel.set_xlabel(CLASSES["ruggedness"])
    _finish(left, data)
    legend(figure)
    return Drawing("change_by_wind", figure, data, _lowest_and_highest(data, len(winds)))


def _changes(panel: Axes, results: Results, rows: pd.DataFrame, names: list[str]) -> None:
    """Points with their intervals, variants side by side."""
    panel.axhline(0, color="0.3", linewidth=0.8)
    style, compared = looks(results.study), list(results.study.references())
    for variant, shift in zip(compared, dodged(len(compared)), strict=True):
        found = rows[rows["variant"] == variant].set_index("stratum").reindex(names)
        mean, low, high = (found[key] for key in CHANGE)
        look = style[variant]
        panel.errorbar(
            np.arange(len(names)) + shift,
            mean,
            yerr=[mean - low, high - mean],
            color=look.color,
            marker=look.marker,
            linestyle="none",
            capsize=2,
            label=variant,
        )


def _finish(left: list[Axes], data: pd.DataFrame) -> None:
    """An axis with room for all points and most intervals; a few wide ones leave it."""
    change, low, high = (data[key].astype(float) for key in CHANGE)
    widths = pd.concat([high - change, change - low])
    wide = max(MEDIANS * float(widths.median()) if widths.notna().any() else 0.0, SMALLEST)
    reach = 1.1 * max(float(change.abs().max()), wide)
    if np.isfinite(reach):
        left[0].set_ylim(-reach, reach)
    for panel in left:
        panel.set_ylabel("change of RMSE (%)\nbetter \u2190 \u2192 worse")


def _class_axis(panel: Axes, strata: pd.DataFrame, kind: str) -> list[str]:
    """The classes of a kind along the axis; those without any pair say so."""
    rows = strata[strata["stratum_kind"] == kind]
    pairs = rows.groupby("stratum", sort=False)["samples"].sum()
    labels = [
        shown_units(str(name)) + ("" if count else "\n(no data)") for name, count in pairs.items()
    ]
    panel.set_xticks(range(len(labels)), [label.replace(" to ", "\nto ") for label in labels])
    panel.set_xlim(-0.5, len(labels) - 0.5)
    panel.grid(axis="x", visible=False)
    return [str(name) for name in pairs.index]


def _lowest_and_highest(data: pd.DataFrame, kinds: int) -> str:
    """Each variant's most and least favourable class."""
    ranges = []
    for variant, rows in data.groupby("variant", sort=False):
        ordered = rows.sort_values("change_percent")
        best, worst = ordered.iloc[0], ordered.iloc[-1]
        ranges.append(
            f"{variant} from {text.percent(best['change_percent'] / 100)} ({_class(best)})"
            f" to {text.percent(worst['change_percent'] / 100)} ({_class(worst)})"
        )
    return (
        f"{text.counted(kinds, 'panel').capitalize()} with points for each class. Lowest and"
        f" highest change: {'; '.join(ranges)}."
    )


def _class(row: pd.Series[Any]) -> str:
    return f"{str(row['stratum_kind']).replace('_', ' ')} {shown_units(str(row['stratum']))}"


def rmse_by_class(results: Results) -> Drawing:
    """RMSE in each class, of variants and of reference forecasts without a network."""
    strata = results.strata
    rmse = strata[(strata["metric"] == "rmse") & strata["stratum_kind"].isin(CLASSES)]
    keys = ["variant", "seed", "pollutant", "stratum_kind", "stratum"]
    over_horizons = rmse.assign(value=rmse["value"] ** 2).groupby(keys, sort=False)["value"].mean()
    data = (over_horizons**0.5).reset_index()
    targets, kinds = results.study.targets, classes_of(results)
    figure, axes = plt.subplots(
        len(targets),
        len(kinds),
        figsize=(11.5, 11 * (len(targets) + 1) / 7),
        sharex="col",
        sharey="row",
        squeeze=False,
    )
    for row, pollutant in zip(axes, targets, strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            names = _class_axis(panel, results.strata, kind)
            places = {name: index for index, name in enumerate(names)}
            shown = data[(data["pollutant"] == pollutant) & (data["stratum_kind"] == kind)]
            shown = shown.assign(place=shown["stratum"].map(places))
            by_place(panel, shown, "place", range(len(names)), results.study)
        from_zero(row[0])
        row[0].set_ylabel(f"{results.label(pollutant)}\nRMSE ({results.units_of(pollutant)})")
    for panel, label in zip(axes[0], kinds.values(), strict=True):
        panel.set_title(label)
    for panel in axes[-1]:
        panel.tick_params(axis="x", labelsize="x-small")
    legend(figure)
    alt = (
        f"Panels in {text.counted(len(targets), 'row')}, one a pollutant, and a column each for"
        f" {text.listed([kind.replace('_', ' ') for kind in kinds])}."
        f" {_steepest(results, data)}"
    )
    title = "RMSE of every pollutant by class"
    return Drawing("rmse_by_class", figure, data, alt, folded=title)


def _steepest(results: Results, data: pd.DataFrame) -> str:
    """By how much errors differ between the lowest and the highest ground."""
    rows = data[
        (data["stratum_kind"] == "elevation") & data["variant"].isin(results.study.variants)
    ]
    rows = rows.dropna(subset="value")
    ratios = []
    for pollutant, part in rows.groupby("pollutant", sort=False):
        means = part.groupby("stratum", sort=False)["value"].mean()
        ratio = means.iloc[-1] / means.iloc[0]
        ratios.append(f"{results.label(str(pollutant))} {ratio:.2f}")
    return f"RMSE on the highest ground over that on the lowest, all variants: {', '.join(ratios)}."
