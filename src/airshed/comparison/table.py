"""The verdicts of a study as plain text."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from airshed.comparison.verdict import Verdict, in_short, in_words
from airshed.errors import AirshedError, refusing

JUDGED = (
    "relative_rmse_change",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "verdict",
    "beyond_margin",
    "family",
    "family_size",
    "p_beyond_margin",
    "p_equivalent",
)
"""Columns of every table of changes that are judged."""
COLUMNS = (
    "variant",
    "reference",
    "pollutant",
    "horizon_h",
    *JUDGED,
    "detectable_change",
    "detectable_low",
    "detectable_high",
    "seed_variance",
    "seed_degrees",
    "training_variance",
    "training_degrees",
    "time_variance",
    "time_degrees",
    "seed_correlation",
    "seeds_paired",
    "dm_statistic",
    "dm_p_value",
    "init_times",
    "block_length",
    "variant_seeds",
    "reference_seeds",
    "limit",
)
"""All columns of ``comparisons.csv``.

``p_adjusted``, ``p_beyond_margin`` and ``p_equivalent`` are adjusted within the row's ``family`` of
``family_size`` rows: ``primary`` or ``control`` for overall rows, ``cells`` of the variant for the
others. ``detectable_``: the smallest true change that such a study finds in 8 of 10 repetitions,
and between what that number lies. ``seed_variance`` and ``time_variance``: the parts of the
variance of the change of log RMSE with their degrees of freedom, the first one empty with one seed
each; ``training_``: variance of one training's log RMSE, of all models of the study.
``seed_correlation``: of log RMSE between trainings with equal seeds; ``seeds_paired``: whether
these go on from the same trained network, so that only their differences count
(``training_variance`` is then half the variance of these). ``dm_``: the test of Diebold and
Mariano. ``init_times``: how many are compared; ``block_length`` counts them too, gaps included.
``limit``: what the verdict is limited to, or why it can only be ``inconclusive``; else empty.
"""
ALL = "all"
"""Stands for pollutant and horizon in the overall row of a variant."""

WIDTH = 100
LABEL_WIDTH, CELL_WIDTH = 8, 15
MARKS = {Verdict.equivalent.value: "~", Verdict.inconclusive.value: "?"}
LEGEND = (
    "Change of RMSE in %; negative is better.  * by at least the margin   small: real, but below"
    " the\n  margin   ~ no difference that matters   ? undecided"
)


def verdict_table(path: Path) -> str:
    """The verdicts in ``comparisons.csv``: per variant an overall line, then one row a pollutant.

    Returns:
        Lines of at most 100 characters.

    Raises:
        AirshedError: The file is not a table of comparisons.
    """
    table = read_comparisons(path)
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


def overall_verdicts(path: Path) -> dict[str, str]:
    """The verdict on each variant over all pollutants and horizons, from ``comparisons.csv``.

    Raises:
        AirshedError: The file is not a table of comparisons.
    """
    table = read_comparisons(path)
    overall = table[table["pollutant"] == ALL]
    return dict(zip(overall["variant"], overall["verdict"], strict=True))


def read_comparisons(path: Path) -> pd.DataFrame:
    """``comparisons.csv`` with horizons as text, since the overall row's is ``all``.

    Raises:
        AirshedError: The file is not a table of comparisons.
    """
    with refusing(OSError, ValueError, what="comparisons cannot be read", where=path, found=str):
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
    numbers = f"RMSE {change} % (95 % interval {low} to {high}), p = {float(row['p_adjusted']):.2g}"
    control = ", a control" if row["family"] == "control" else ""
    text = f"{title}{control}: {in_words(row)}, {numbers}"
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
    short = in_short(row)
    return f"{100 * float(row['relative_rmse_change']):+.1f} {MARKS.get(short, short):<6}"
