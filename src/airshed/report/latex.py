"""Tables for a paper: LaTeX with booktabs, one file each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from airshed.integrity.atomic import write_text
from airshed.report import ablation, tables
from airshed.report.results import Results
from airshed.report.tables import Table, change_table

HEAD = (
    "% Made by Airshed for the study STUDY, and made anew with its report.\n"
    "% Needs \\usepackage{booktabs}.\n"
)
SIMULATED = " The data are simulated."
RMSE_CAPTION = (
    "RMSE of every variant (mean of its seeds) and of forecasts without training; * lowest."
)
CHANGE_CAPTION = (
    "Change of RMSE of {} against {} with its 95\u00a0% interval; negative is better. Verdicts"
    " after Holm's adjustment over all entries; * by at least the margin."
)
LATEX: dict[str, str | int | None] = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u00a0": "~",
    "\u2013": "--",
    "\u2212": "$-$",
    "\u00b1": r"$\pm$",
    "\u00b5": r"$\mu$",
    "\u207b": r"\textsuperscript{$-$}",
    "\u00b3": r"\textsuperscript{3}",
    "\u2248": r"$\approx$",
    "\u26a0": r"\dag{}",
}
"""LaTeX for characters that mean something else there, or that its fonts lack."""


def write_tables(results: Results, folder: Path) -> None:
    """Write ``ablation.tex``, ``rmse.tex`` and ``change-<variant>.tex`` into an existing folder."""
    for name, caption, table in _tables(results):
        whole = caption + (SIMULATED if results.simulated else "")
        head = HEAD.replace("STUDY", results.study.study)
        write_text(folder / f"{name}.tex", head + latex(table, whole, f"tab:{name}"))


def latex(table: Table, caption: str, label: str) -> str:
    """A table as a floating environment with a caption above it; all text is escaped."""
    frame = pd.DataFrame(
        [[escaped(cell) for cell in row] for row in table.rows],
        columns=[escaped(name) for name in table.header],
    )
    return frame.style.hide(axis="index").to_latex(
        column_format="l" * len(table.header),
        position="htbp",
        position_float="centering",
        hrules=True,
        caption=escaped(caption),
        label=label,
    )


def escaped(text: str) -> str:
    """Text as LaTeX writes it."""
    return text.translate(str.maketrans(LATEX))


def _tables(results: Results) -> Iterator[tuple[str, str, Table]]:
    yield "ablation", ablation.caption(results), ablation.ablation(results)
    yield "rmse", RMSE_CAPTION, tables.rmse(results)
    for variant, reference in results.study.references().items():
        rows = results.comparisons[results.comparisons["variant"] == variant]
        yield f"change-{variant}", CHANGE_CAPTION.format(variant, reference), change_table(rows)
