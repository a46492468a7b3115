"""The ablation table: one row a variant, sorted by numbers where a cell has one."""

from __future__ import annotations

from typing import Any

import numpy as np

from airshed.comparison.verdict import in_short, limited
from airshed.report import learned, text
from airshed.report.provenance import FLAG, of_other_commits
from airshed.report.results import Results
from airshed.report.tables import MISSING, Table, Value

CAPTION = (
    "Every variant. Change of RMSE against the reference, with its 95\u00a0% interval, over all"
    " pollutants and horizons: negative is better. *: by at least the margin. Alpha: strength of"
    " the bias at the end, mean of seeds and biased blocks, smallest and largest in brackets."
)
OVERHEAD_MEASURED = (
    " Overhead: extra time of a training step against the reference, measured once, in turns in one"
    " process: median of the turns, and in brackets their middle half, which is no interval."
)
OVERHEAD_WALL_CLOCK = (
    " Overhead: extra time of a training step against the reference, from the wall clock of"
    " different jobs, so other work on the machine is in it."
)
OTHERS = " Other numbers that biases learn: the same, behind their names."
FLAGGED = f" {FLAG}: trainings of another commit than most, or of several; see Provenance."
FIRST = [
    "variant",
    "differs from its reference in",
    "change of RMSE",
    "verdict",
    "overhead",
    "parameters",
]

Cell = tuple[str, Value]


def caption(results: Results) -> str:
    """What the columns are, and where the overhead comes from."""
    others = "" if set(learned.names(results)) <= {learned.STRENGTH} else OTHERS
    overhead = OVERHEAD_WALL_CLOCK if results.cost is None else OVERHEAD_MEASURED
    return CAPTION + others + overhead + (FLAGGED if of_other_commits(results) else "")


def ablation(results: Results) -> Table:
    """One row per variant: what it is, what it gave, what it cost."""
    flagged = of_other_commits(results)
    rows = [_row(results, variant, variant in flagged) for variant in results.study.variants]
    return Table(
        [*FIRST, f"final {learned.heading(learned.names(results))}"],
        [[shown for shown, _ in row] for row in rows],
        [[value for _, value in row] for row in rows],
    )


def _row(results: Results, variant: str, flagged: bool) -> list[Cell]:
    runs = results.of_variant(variant)
    differs = text.differences(results, variant)
    parameters = int(runs[0]["parameters"])
    return [
        (f"{variant} {FLAG}" if flagged else variant, variant),
        (differs, differs),
        *_comparison(results, variant),
        _overhead(results, variant),
        (f"{parameters:,}", parameters),
        _learned(runs),
    ]


def _comparison(results: Results, variant: str) -> tuple[Cell, Cell]:
    """The overall change, and the verdict; a variant without a reference has neither."""
    if variant not in results.study.references():
        return ("no reference", ""), (MISSING, "")
    row = results.overall(variant)
    short = in_short(row)
    control = ", a control" if row["family"] == "control" else ""
    change = float(row["relative_rmse_change"])
    shown = f"{short}{control}{limited(row)}"
    return (text.interval(row), _sortable(change)), (shown, short)


def _overhead(results: Results, variant: str) -> Cell:
    overhead = results.overhead(variant)
    if overhead is None:
        return MISSING, ""
    shown = text.percent(overhead)
    if results.cost is not None:
        found = results.cost["variants"][variant]["overhead"]
        shown += f" ({text.percent(found['p25'])} to {text.percent(found['p75'])})"
    return shown, _sortable(overhead)


def _learned(runs: list[dict[str, Any]]) -> Cell:
    """The numbers that biases learned, sorted by the first of them."""
    found = ((name, value) for run in runs for _, name, value in learned.finals(run))
    cells = []
    for name, values in learned.by_name(found).items():
        mean = float(np.mean(values))
        ends = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
        shown = f"{mean:.3f}{ends}".replace("-", "\u2212")
        cells.append((learned.named(name, shown), _sortable(mean)))
    return (", ".join(shown for shown, _ in cells), cells[0][1]) if cells else (MISSING, "")


def _sortable(number: float) -> Value:
    return "" if np.isnan(number) else number
