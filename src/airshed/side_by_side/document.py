"""A comparison as it is shown: on a terminal, as a page, as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from airshed.cluster.table import console
from airshed.errors import AirshedError
from airshed.integrity.atomic import atomic_path, write_text
from airshed.report.drawing import CSS_PIXELS_AN_INCH, Shown
from airshed.report.figures.style import apply_style, save
from airshed.report.page import inlined, render
from airshed.report.tables import Table

PAGE = "comparison.html"
SPARKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
SPARKLINE_WIDTH = 40


@dataclass(frozen=True)
class Section:
    """A table under a heading."""

    title: str
    caption: str
    table: Table


@dataclass(frozen=True)
class Drawing:
    """A figure with its data, which are made when they are written."""

    name: str
    caption: str
    alt: str
    draw: Callable[[], tuple[Figure, pd.DataFrame]]


@dataclass(frozen=True)
class Document:
    """The content of a comparison.

    Attributes:
        title: What is compared with what.
        simulated: Whether the data are known to be simulated.
        answers: Sentences that stand at the top.
        sections: Tables.
        limits: What cannot be concluded.
        drawings: Figures.
        data: Tables that are written as CSV, by name.
    """

    title: str
    simulated: bool
    answers: Sequence[str]
    sections: Sequence[Section]
    limits: Sequence[str]
    drawings: Sequence[Drawing]
    data: dict[str, pd.DataFrame]


def show(document: Document) -> None:
    """Print a comparison."""
    parts: list[Text | RichTable] = [Text(document.title, style="bold")]
    if document.simulated:
        parts.append(Text("The data are simulated.", style="yellow"))
    parts += [Text(f"\n{sentence}") for sentence in document.answers]
    for section in document.sections:
        parts += [Text(f"\n{section.title}", style="bold"), _rich(section.table)]
        parts += [Text(section.caption, style="dim")] if section.caption else []
    if document.limits:
        parts.append(Text("\nWhat cannot be concluded", style="bold"))
        parts += [Text(f"- {sentence}") for sentence in document.limits]
    console().print(Group(*parts))


def write(document: Document, folder: Path) -> None:
    """Write ``comparison.html``, ``comparison.md``, figures and tables into a folder, as a whole.

    Args:
        document: What to write.
        folder: Where; it appears when it is complete, in place of an earlier comparison.

    Raises:
        AirshedError: The folder holds something else.
    """
    if folder.exists() and not (folder / PAGE).is_file():
        raise AirshedError(
            "the folder to write to contains something other than a comparison",
            where=folder,
            hint="name a new folder with --output",
        )
    apply_style()
    with atomic_path(folder) as target:
        target.mkdir()
        for name, table in document.data.items():
            table.to_csv(target / f"{name}.csv", index=False)
        page = vars(document) | {
            "drawn": [_shown(drawing, target) for drawing in document.drawings],
            "figures_folder": ".",
        }
        write_text(target / PAGE, render("comparison", "html", page | inlined()))
        write_text(target / "comparison.md", render("comparison", "md", page))


def _shown(drawing: Drawing, folder: Path) -> Shown:
    """A figure in its files and as the templates use it."""
    figure, data = drawing.draw()
    width, height = (round(side * CSS_PIXELS_AN_INCH) for side in figure.get_size_inches())
    save(figure, data, folder, drawing.name)
    encoded = base64.b64encode((folder / f"{drawing.name}.png").read_bytes()).decode("ascii")
    return Shown(drawing.name, drawing.caption, drawing.alt, None, encoded, width, height)


def sparkline(values: Sequence[float]) -> str:
    """A row of bars from the lowest to the highest value; evenly spaced ones of a long row."""
    if len(values) > SPARKLINE_WIDTH:
        step = (len(values) - 1) / (SPARKLINE_WIDTH - 1)
        values = [values[round(step * index)] for index in range(SPARKLINE_WIDTH)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(SPARKS[round((value - low) / span * (len(SPARKS) - 1))] for value in values)


def _rich(table: Table) -> RichTable:
    drawn = RichTable(box=None, pad_edge=False, show_header=any(table.header))
    for name in table.header:
        drawn.add_column(name, overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn
