"""The verdicts of a study as plain text."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from airshed.comparison.verdict import Verdict
from airshed.errors import AirshedError, refusing

COMPARISONS = (
    "variant",
    "reference",
    "pollutant",
    "horizon_h",
    "relative_rmse_change",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "verdict",
)
"""The first columns of ``comparisons.csv``: the comparison itself."""
COLUMNS = (
    *COMPARISONS,
    "seed_variance",
    "time_variance",
    "time_degrees",
    "dm_statistic",
    "dm_p_value",
    "init_times",
    "block_length",
    "variant_seeds",
    "reference_seeds",
    "limit",
)
"""All columns of ``comparisons.csv``.

``seed_variance`` and ``time_variance``: the parts of the variance of the change of log RMSE, the
first one empty with one seed each; ``time_degrees``: degrees of freedom of the second. ``dm_``: the
test of Diebold and Mariano. ``init_times``: how many are compared; ``block_length`` counts them
too, gaps included. ``limit``: why the verdict can only be ``inconclusive``, or empty.
"""
ALL = "all"
"""Stands for pollutant and horizon in the overall row of a variant."""

WIDTH = 100
LABEL_WIDTH, CELL_WIDTH = 8, 15
MARKS = {
    Verdict.helps: "helps",
    Verdict.hurts: "hurts",
    Verdict.equivalent: "~",
    Verdict.inconclusive: "?",
}
LEGEND = "Change of RMSE in %; negative is better.  ~ equivalent   ? inconclusive"


def verdict_table(path: Path) -> str:
    """The verdicts in ``comparisons.csv``: per variant an overall line, then one row a pollutant.

    Returns:
        Lines of at most 100 characters.

    Raises:
        AirshedError: The file is not a table of comparisons.
    """
    table = _read_table(path)
    if table.empty:
        return "No variant of this study has a reference to be compared with."
    parts = []
    for (variant, reference), rows in table.groupby(["variant", "reference"], sort=False):
        overall = rows["pollutant"] == ALL
        parts += [
            _overall_lines(f"{variant} against {reference}", rows[overall].iloc[0]),
            *_matrices(rows[~overall]),
            "",
        ]
    return "\n".join([*parts, LEGEND])


def _read_table(path: Path) -> pd.DataFrame:
    with refusing(OSError, ValueError, what="comparisons cannot be read", where=path, told=str):
        table = pd.read_csv(path, dtype={"horizon_h": str})
    if tuple(table.columns) != COLUMNS:
        raise AirshedError(
            "comparisons have other columns",
            where=path,
            expected=", ".join(COLUMNS),
            found=", ".join(table.columns),
        )
    return table


def _overall_lines(title: str, row: pd.Series) -> str:
    change, low, high = (
        f"{100 * float(row[name]):+.1f}" for name in ("relative_rmse_change", "ci_low", "ci_high")
    )
    numbers = f"RMSE {change} % (95 % interval {low} to {high}), p = {float(row['p_value']):.2g}"
    limit = f" ({row['limit']})" if pd.notna(row["limit"]) else ""
    text = f"{title}: {row['verdict']}{limit}, {numbers}"
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _matrices(rows: pd.DataFrame) -> list[str]:
    """Pollutants x horizons, as many horizons side by side as fit."""
    horizons = list(dict.fromkeys(rows["horizon_h"]))
    beside = (WIDTH - LABEL_WIDTH) // CELL_WIDTH
    lines = []
    for start in range(0, len(horizons), beside):
        shown = horizons[start : start + beside]
        lines.append(_line("", [f"{horizon} h" + " " * 6 for horizon in shown]))
        for pollutant, of_pollutant in rows.groupby("pollutant", sort=False):
            cells = of_pollutant.set_index("horizon_h")
            lines.append(_line(str(pollutant), [_cell(cells.loc[name]) for name in shown]))
    return lines


def _line(label: str, cells: list[str]) -> str:
    text = f"  {label:<{LABEL_WIDTH - 2}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells)
    return text.rstrip()


def _cell(row: pd.Series) -> str:
    mark = MARKS[Verdict(row["verdict"])]
    return f"{100 * float(row['relative_rmse_change']):+.1f} {mark:<5}"
