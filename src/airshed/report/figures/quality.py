"""What the ingest found in the raw data, by month and variable."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from airshed.report.results import Results
from airshed.variables import HOURLY

NOTHING = "0.95"
LABELLED_MONTHS = 12  # with more, every so many months have a label
HOURS = ("hours_missing", "hours_duplicate", "hours_constant")
CELLS = ("cells_missing", "cells_implausible")


def data_quality(results: Results) -> tuple[Figure, pd.DataFrame]:
    """Shares of hours and numbers of cells that cannot be used; blank where there are none."""
    table = results.quality
    months = sorted(table["month"].unique())
    by_place = table.set_index(["variable", "month"])
    panels = [
        (
            "hours that cannot be used (%)",
            100 * by_place["hours_missing"] / by_place["hours_expected"],
        ),
        ("values lost or implausible", by_place[list(CELLS)].sum(axis=1)),
    ]
    width = float(np.clip(3.4 + 0.1 * len(months), 6.5, 10))
    figure, axes = plt.subplots(1, 2, figsize=(width, 2.9), sharey=True)
    for panel, (label, values) in zip(axes, panels, strict=True):
        _heat_map(panel, values.unstack("month").loc[list(HOURLY), months], label)
    kept = ["month", "variable", "units", "hours_expected", *HOURS, *CELLS, "min", "mean", "max"]
    return figure, table[kept]


def _heat_map(panel: Axes, values: pd.DataFrame, label: str) -> None:
    shown = values.astype(float).where(values > 0)
    highest = float(np.nanmax(shown.to_numpy(), initial=1.0))
    lowest = min(float(np.nanmin(shown.to_numpy(), initial=highest)), highest / 10)
    colours = plt.get_cmap("viridis_r").with_extremes(bad=NOTHING)
    mesh = panel.imshow(
        np.ma.masked_invalid(shown.to_numpy()),
        aspect="auto",
        cmap=colours,
        norm=LogNorm(lowest, highest),
        interpolation="nearest",
    )
    step = -(-values.shape[1] // LABELLED_MONTHS)
    panel.set_xticks(range(0, values.shape[1], step), values.columns[::step], rotation=60)
    panel.set_yticks(range(len(values)), values.index)
    panel.grid(False)
    if shown.notna().to_numpy().any():
        panel.figure.colorbar(mesh, ax=panel, label=label)
    else:
        panel.set_title(f"{label}: none", fontsize="small")
