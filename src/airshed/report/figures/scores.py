"""Figures of forecast errors: changes against the reference, and errors against horizon."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from airshed.arrays import Floats
from airshed.comparison.table import ALL
from airshed.comparison.verdict import Verdict, in_short, limited
from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.series import over_horizons, panels
from airshed.report.figures.style import BETTER_WORSE, MISSING, legend
from airshed.report.results import Results

MARKS = {"equivalent": "\u2248", "inconclusive": "?"}
SMALLEST_SCALE = 1.0  # percent; noise below this does not fill the colour scale
PALE = 0.3  # of the colour of a cell that is undecided
VERDICT_LOOKS = {
    "helps": ("#2166ac", "<"),
    "hurts": ("#b2182b", ">"),
    "small": ("0.25", "D"),
    "equivalent": ("0.25", "s"),
    "inconclusive": ("0.5", "o"),
}
CHANGE = ["relative_rmse_change", "ci_low", "ci_high"]


def changes(results: Results) -> Drawing | None:
    """Overall change of every variant with its interval; markers and words give the verdict."""
    variants = list(results.study.references())
    if not variants:
        return None
    rows = pd.DataFrame([results.overall(variant) for variant in variants])
    figure, panel = plt.subplots(figsize=(8.5, 0.38 * len(rows) + 1.1))
    margin = 100 * results.study.comparison.margin
    panel.axvspan(-margin, margin, color="0.92", zorder=0)
    panel.axvline(0, color="0.3", linewidth=0.8)
    for place, row in enumerate(rows.to_dict("records")):
        _interval(panel, place, row)
    names = [f"{row.variant} (against {row.reference})" for row in rows.itertuples()]
    panel.set_yticks(range(len(rows)), names)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlabel("change of RMSE (%), with 95 % interval")
    panel.grid(axis="y", visible=False)
    each = "; ".join(
        f"{row['variant']} {text.percent(float(row['relative_rmse_change']))}, {in_short(row)}"
        for row in rows.to_dict("records")
    )
    alt = f"One line a variant, with a point for the change and a bar for its interval: {each}."
    return Drawing("changes", figure, rows, alt)


def _interval(panel: Axes, place: int, row: dict[Hashable, Any]) -> None:
    change, low, high = (100 * float(row[key]) for key in CHANGE)
    beside: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    verdict = str(row["verdict"])
    if np.isnan(change):
        panel.annotate("missing: could not be compared", (0, place), color="0.35", **beside)
        return
    colour, marker = VERDICT_LOOKS[verdict]
    filled = colour if verdict in text.DECIDED else "white"
    bars = None if np.isnan([low, high]).any() else [[change - low], [high - change]]
    panel.errorbar(
        [change], [place], xerr=bars, fmt=marker, color=colour, mfc=filled, capsize=3, markersize=7
    )
    end = change if bars is None else high
    panel.annotate(in_short(row) + limited(row), (end, place), color=colour, **beside)


def change_heatmap(results: Results, variant: str, folded: bool) -> Drawing:
    """Relative change of RMSE by pollutant and horizon, with interval and verdict.

    All variants share a scale; what is undecided is pale.
    """
    cells = results.cells(variant)
    reference, rows = str(cells["reference"].iloc[0]), results.comparisons
    horizons, targets = sorted(cells["horizon_h"].unique()), results.study.targets
    found = {(row["pollutant"], row["horizon_h"]): row for row in cells.to_dict("records")}
    figure, panel = coloured(found, targets, horizons, common_scale(rows[rows["pollutant"] != ALL]))
    panel.set_xticks(range(len(horizons)), [str(hour) for hour in horizons])
    panel.set_yticks(range(len(targets)), [results.label(name) for name in targets])
    panel.set(xlabel="horizon (h)", title=f"{variant} against {reference}")
    title = text.details(results, variant) if folded else None
    return Drawing(
        "change_heatmap", figure, cells, _extremes_and_verdicts(results, cells), variant, title
    )


def coloured(
    found: Mapping[tuple[Any, Any], dict[Hashable, Any]],
    rows: Sequence[Any],
    columns: Sequence[Any],
    limit: float,
    missing: str = "missing",
) -> tuple[Figure, Axes]:
    """Changes as a table of colours, with intervals and verdicts; undecided ones are pale.

    Args:
        found: Comparisons by row and column.
        rows: Keys of the rows.
        columns: Keys of the columns.
        limit: The largest change on the scale of colours, percent.
        missing: What is written where there is none.
    """
    changes = [[found.get((r, c), {}).get(CHANGE[0], np.nan) for c in columns] for r in rows]
    change = 100 * np.array(changes).astype(float)
    figure, panel = plt.subplots(figsize=(1.5 * len(columns) + 2.2, 0.4 * (len(rows) + 3)))
    colours = plt.get_cmap(BETTER_WORSE).with_extremes(bad=MISSING)
    scale = ScalarMappable(Normalize(-limit, limit), colours)
    shades = scale.to_rgba(np.ma.masked_invalid(change))
    for (row, column), value in np.ndenumerate(change):
        cell = found.get((rows[row], columns[column]))
        if cell is not None and cell["verdict"] == Verdict.inconclusive:
            shades[row, column, :3] = 1 - PALE * (1 - shades[row, column, :3])
        panel.text(
            column,
            row,
            missing if cell is None or np.isnan(value) else _label(cell),
            ha="center",
            va="center",
            color=readable_on(shades[row, column, :3]),
            weight="bold" if cell is not None and cell["verdict"] in text.DECIDED else "normal",
            fontsize="small",
        )
    panel.imshow(shades, aspect="auto")
    panel.grid(False)
    figure.colorbar(scale, ax=panel, label="change of RMSE (%)")
    return figure, panel


def common_scale(rows: pd.DataFrame) -> float:
    """The largest change of any row, in percent, or SMALLEST_SCALE."""
    sizes = 100 * rows["relative_rmse_change"].abs()
    return max(SMALLEST_SCALE, float(sizes.max()) if sizes.notna().any() else 0.0)


def readable_on(shade: Floats) -> str:
    """Black or white, whichever stands out more (contrast as in WCAG 2.2); at least 4.5 to 1."""
    linear = np.where(shade <= 0.04045, shade / 12.92, ((shade + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def _extremes_and_verdicts(results: Results, cells: pd.DataFrame) -> str:
    """The extremes and the verdicts of a heat map, in words."""
    known = cells.dropna(subset="relative_rmse_change")
    if known.empty:
        return "A table of colours in which every cell is missing."
    ordered = known.sort_values("relative_rmse_change")
    lowest, highest = (
        f"{text.percent(row['relative_rmse_change'])} for {results.label(row['pollutant'])}"
        f" at {row['horizon_h']} h"
        for row in (ordered.iloc[0], ordered.iloc[-1])
    )
    counts = ", ".join(f"{count} {name}" for name, count in cells["verdict"].value_counts().items())
    return f"Changes reach from {lowest} to {highest}. Verdicts: {counts}."


def _label(cell: dict[Hashable, Any]) -> str:
    change, low, high = (100 * cell[key] for key in CHANGE)
    interval = "no interval" if np.isnan([low, high]).any() else f"[{low:+.2f}, {high:+.2f}]"
    short = in_short(cell)
    return f"{change:+.2f} {MARKS.get(short, short)}\n{interval}".replace("-", "\u2212")


def skill_by_horizon(results: Results) -> Drawing:
    """Skill against climatology for each pollutant: variants (range of seeds) and baselines.

    Lines of RMSE lie on each other wherever pollutants are hard to forecast; skill shows how far
    forecasts are from knowing nothing of the day.
    """
    skill = results.scores[results.scores["metric"] == "skill_climatology"]
    horizons, targets = sorted(results.study.horizons_h), results.study.targets
    figure, drawn, left, bottom = panels(len(targets), size_of_errors, sharex=True, sharey=True)
    for panel, pollutant in zip(drawn, targets, strict=True):
        shown = skill[skill["pollutant"] == pollutant]
        over_horizons(panel, shown, horizons, results.study)
        panel.set_title(results.label(pollutant))
        panel.set_xticks(horizons)
    for panel in left:
        panel.set_ylabel("skill against climatology")
    for panel in bottom:
        panel.set_xlabel("horizon (h)")
    legend(figure)
    return Drawing("skill_by_horizon", figure, skill, _fall(results, skill, horizons))


def size_of_errors(columns: int, rows: int) -> tuple[float, float]:
    """Of figures with a panel of errors for each pollutant."""
    return max(6.0, 9.5 * columns / 3), 2.7 * rows + 0.6 * (rows == 1)


def _fall(results: Results, skill: pd.DataFrame, horizons: list[int]) -> str:
    """The skill of each variant at the first and the last horizon."""
    mean = skill.groupby(["variant", "horizon_h"])["value"].mean()
    skills = []
    for variant in results.study.variants:
        first, last = (mean[variant, hour] for hour in (horizons[0], horizons[-1]))
        skills.append(f"{variant} {first:.2f} and {last:.2f}".replace("-", "\u2212"))
    return (
        f"{text.panels_by_pollutant(results)}, with a line for each forecast. Skill against"
        f" climatology at {horizons[0]} h and at {horizons[-1]} h, mean of pollutants:"
        f" {', '.join(skills)}."
    )
