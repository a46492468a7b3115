"""One style for all figures, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

from airshed.config import Study

DPI = 144
MOST_COLOURS = 256  # of a bitmap; no colour moves by more than a few steps of 255, and files shrink
BETTER_WORSE = "RdBu_r"  # blue: lower error; red: higher; told apart by colour-blind readers
MISSING = "0.9"
LABEL_IN = 1.6  # width of a label in a legend
COLOURS = (
    *("#029e73", "#0173b2", "#cc78bc", "#d55e00", "#a0632a", "#56b4e9"),
    *("#de8f05", "#332288", "#882255", "#117733", "#7f7f00", "#e7298a"),
)
MARKERS = "Dovs^PX<*hpd"  # tell variants apart in print
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)))  # and where colours come again
BASELINE_LINES: tuple[tuple[str, Any, str], ...] = (
    ("0.58", (0, (4, 2)), "1"),
    ("0.45", (0, (6, 1.5, 1, 1.5)), "2"),
    ("0.1", (0, (1, 1.5)), "3"),
    ("0.3", (0, (8, 2)), "4"),
    ("0.58", (0, (1, 1, 4, 1)), "+"),
)
"""Grey, dashes and marker of the reference forecasts without a network, in their order."""


@dataclass(frozen=True)
class Look:
    """How a variant is drawn, the same in every figure."""

    color: str
    marker: str
    linestyle: Any


def apply_style() -> None:
    """Set fonts, grid and palette; the same figure gives the same bytes."""
    sns.set_theme(context="paper", style="whitegrid")
    plt.rcParams |= {
        "figure.constrained_layout.use": True,
        "figure.max_open_warning": 0,
        "svg.hashsalt": "airshed",
        "axes.prop_cycle": mpl.rcsetup.cycler("color", COLOURS),
        "axes.titlesize": "medium",
        "legend.frameon": False,
        "lines.markersize": 4.5,
    }


def looks(study: Study) -> dict[str, Look]:
    """Colour, marker and dashes of each variant of a study.

    They follow from the place of its stanza among all that the study knows. Those of
    ``config/variants.yaml`` come first and in their order, so that such a variant looks the same in
    every study.
    """
    places = {name: place for place, name in enumerate(study.variant_stanzas)}
    return {name: _look(places[name]) for name in study.variants}


def _look(place: int) -> Look:
    again, colour = divmod(place, len(COLOURS))
    marker = MARKERS[(colour + again) % len(MARKERS)]
    return Look(COLOURS[colour], marker, DASHES[again % len(DASHES)])


def legend(figure: Figure, columns: int = 4) -> None:
    """One legend below all panels, each label once, in as many columns as the width holds."""
    found: dict[str, Any] = {}
    for panel in figure.axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        entries = (list(found.values()), list(found))
        across = max(1, min(columns, len(found), int(figure.get_figwidth() / LABEL_IN)))
        figure.legend(*entries, loc="outside lower center", ncols=across)


def save(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a figure as PNG and SVG, and its data as CSV."""
    drawn = BytesIO()
    with _laid_out(figure):
        figure.savefig(drawn, format="rgba", dpi=DPI)
        figure.savefig(folder / f"{name}.svg", dpi=DPI, metadata={"Date": None})
    size = figure.canvas.get_width_height(physical=True)
    colours = Image.frombytes("RGBA", size, drawn.getvalue()).convert("RGB")
    few = colours.quantize(MOST_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(folder / f"{name}.png", optimize=True, dpi=(DPI, DPI))
    data.to_csv(folder / f"{name}.csv", index=False)
    plt.close(figure)


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Panels are placed once for all files; each would do so anew, and draw once more for it."""
    engine = figure.get_layout_engine()
    figure.set_dpi(DPI)
    if engine is not None:
        engine.execute(figure)
    with plt.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
        yield
