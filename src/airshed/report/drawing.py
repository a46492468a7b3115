"""A figure with its data and words, and how it comes into the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from airshed.report.figures.style import save
from airshed.report.outline import FIGURES

CSS_PIXELS_AN_INCH = 96


@dataclass(frozen=True)
class Drawing:
    """A figure as it is drawn.

    Attributes:
        kind: One of :data:`airshed.report.outline.FIGURES`.
        figure: The figure; saving closes it.
        data: What it shows.
        alt: What is to be seen, in words, for readers who cannot see it.
        of: What it is of, where a study has several of this kind.
        folded: Title under which it is folded away; None for a figure that is in sight.
        note: What its caption says beside that of its kind.
    """

    kind: str
    figure: Figure
    data: pd.DataFrame
    alt: str
    of: str | None = None
    folded: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Of its files, without ending."""
        return self.kind if self.of is None else f"{self.kind}-{self.of}"


@dataclass(frozen=True)
class Shown:
    """A figure as the templates use it; width and height are in CSS pixels."""

    name: str
    caption: str
    alt: str
    folded: str | None
    png_base64: str
    width: int
    height: int


def show(drawing: Drawing, folder: Path) -> Shown:
    """Write a drawing's files into a folder, and encode it for the page."""
    inches = drawing.figure.get_size_inches()
    width, height = (round(float(side) * CSS_PIXELS_AN_INCH) for side in inches)
    save(drawing.figure, drawing.data, folder, drawing.name)
    encoded = base64.b64encode((folder / f"{drawing.name}.png").read_bytes()).decode("ascii")
    caption = f"{FIGURES[drawing.kind].caption} {drawing.note}".strip()
    return Shown(drawing.name, caption, drawing.alt, drawing.folded, encoded, width, height)
