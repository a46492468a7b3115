"""What the ingest found in the raw data, by month and variable."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from airshed.config.data import DatasetConfig
from airshed.report.drawing import Drawing
from airshed.report.results import Results

NOTHING = "0.95"
LABELLED_MONTHS = 12  # with more, every so many months have a label
HOURS = ("hours_missing", "hours_duplicate", "hours_constant")
CELLS = ("cells_missing", "cells_implausible")


def data_quality(results: Results) -> Drawing:
    """Values within their plausible ranges; and months with hours or values that cannot be used.

    Months have a panel only where something was found.
    """
    table = results.quality
    by_place = table.set_index(["variable", "month"])
    hours = 100 * by_place["hours_missing"] / by_place["hours_expected"]
    found = {
        "hours that cannot be used (%)": hours,
        "values lost or implausible": by_place[list(CELLS)].sum(axis=1),
    }
    shown = {label: values for label, values in found.items() if values.any()}
    figure, axes = plt.subplots(
        1, 1 + len(shown), figsize=(3.6 + 3.2 * len(shown), 2.9), squeeze=False, sharey=True
    )
    dataset = results.study.dataset
    _ranges(axes[0, 0], table, dataset)
    for panel, (label, values) in zip(axes[0, 1:], shown.items(), strict=True):
        _heat_map(panel, values.unstack("month").loc[list(dataset.quantities.hourly)], label)
    kept = ["month", "variable", "units", "hours_expected", *HOURS, *CELLS, "min", "mean", "max"]
    return Drawing("data_quality", figure, table[kept], _told(table))


def _told(table: pd.DataFrame) -> str:
    """How much was found, in numbers."""
    hours = table.groupby("variable")[["hours_missing", "hours_expected"]].sum()
    lost = (100 * hours["hours_missing"] / hours["hours_expected"]).max()
    odd = {name: int(table[name].sum()) for name in CELLS}
    return (
        "A bar for each variable within its plausible range, and coloured months where something"
        f" was found. Hours that cannot be used: {lost:.1f} % at most for a variable;"
        f" {odd['cells_missing']:,} values are missing, {odd['cells_implausible']:,} implausible."
    )


def _ranges(panel: Axes, table: pd.DataFrame, dataset: DatasetConfig) -> None:
    """Smallest to largest value of each variable, and its mean, as shares of its limits."""
    by_variable = table.groupby("variable").agg({"min": "min", "mean": "mean", "max": "max"})
    quantities = dataset.quantities
    for row, name in enumerate(quantities.hourly):
        low, high = dataset.quality.bounds(quantities[name])
        share = 100 * (by_variable.loc[name] - low) / (high - low)
        panel.plot([share["min"], share["max"]], [row, row], color="C0", linewidth=3, alpha=0.5)
        panel.plot(share["mean"], row, "o", color="C0", markersize=3.5)
    panel.set_xlim(-2, 102)
    panel.set_xlabel("values (% of the plausible range)")
    panel.set_yticks(range(len(quantities.hourly)), quantities.hourly)
    panel.invert_yaxis()
    panel.grid(axis="y", visible=False)


def _heat_map(panel: Axes, values: pd.DataFrame, label: str) -> None:
    shown = values.astype(float).where(values > 0)
    highest = float(np.nanmax(shown.to_numpy()))
    lowest = min(float(np.nanmin(shown.to_numpy())), highest / 10)
    mesh = panel.imshow(
        np.ma.masked_invalid(shown.to_numpy()),
        aspect="auto",
        cmap=plt.get_cmap("viridis_r").with_extremes(bad=NOTHING),
        norm=LogNorm(lowest, highest),
        interpolation="nearest",
    )
    step = -(-values.shape[1] // LABELLED_MONTHS)
    panel.set_xticks(range(0, values.shape[1], step), values.columns[::step], rotation=60)
    panel.grid(False)
    panel.figure.colorbar(mesh, ax=panel, label=label)
