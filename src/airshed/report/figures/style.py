"""One style for all figures, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

DPI = 150
BETTER_WORSE = "RdBu_r"  # blue: lower error; red: higher; told apart by colour-blind readers
BASELINE_GREYS = {
    "persistence": "0.55",
    "same_hour_persistence": "0.7",
    "climatology": "0.25",
    "ridge": "0.4",
}
BASELINE_DASHES = {
    "persistence": (0, (4, 2)),
    "same_hour_persistence": (0, (6, 1.5, 1, 1.5)),
    "climatology": (0, (1, 1.5)),
    "ridge": (0, (8, 2)),
}


def apply_style() -> None:
    """Set fonts, grid and palette; the same figure gives the same bytes."""
    sns.set_theme(context="paper", style="whitegrid", palette="colorblind")
    plt.rcParams |= {
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "airshed",
        "axes.titlesize": "medium",
        "legend.frameon": False,
    }


def colours(names: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """A colour for each variant."""
    names = list(names)
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def save(figure: Figure, data: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a figure as PNG and SVG, and its data as CSV."""
    figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    data.to_csv(folder / f"{name}.csv", index=False)
    plt.close(figure)
