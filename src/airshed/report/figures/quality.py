"""What the ingest found in the raw data, by month and variable."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from airshed.report.drawing import Drawing
from airshed.report.results import Results

NOTHING = "0.95"
LABELLED_MONTHS = 12  # with more, every so many months have a label
HOURS = ("hours_missing", "hours_duplicate", "hours_constant")
CELLS = ("cells_missing", "cells_implausible")


def data_quality(results: Results) -> Drawing | None:
    """Months with hours or values that cannot be used; None if there are none."""
    table = results.quality
    by_place = table.set_index(["variable", "month"])
    hours = 100 * by_place["hours_missing"] / by_place["hours_expected"]
    found = {
        "hours that cannot be used (%)": hours,
        "values lost or implausible": by_place[list(CELLS)].sum(axis=1),
    }
    shown = {label: values for label, values in found.items() if values.any()}
    if not shown:
        return None
    figure, axes = plt.subplots(
        1, len(shown), figsize=(1.2 + 3.6 * len(shown), 2.9), squeeze=False, sharey=True
    )
    names = list(results.study.dataset.quantities.hourly)
    for panel, (label, values) in zip(axes[0], shown.items(), strict=True):
        _heat_map(panel, values.unstack("month").loc[names], label)
    axes[0, 0].set_yticks(range(len(names)), names)
    columns = ["month", "variable", "units", "hours_expected", *HOURS, *CELLS, "min", "mean", "max"]
    return Drawing("data_quality", figure, table[columns], _losses(table))


def _losses(table: pd.DataFrame) -> str:
    """How much was found, in numbers."""
    hours = table.groupby("variable")[["hours_missing", "hours_expected"]].sum()
    lost = (100 * hours["hours_missing"] / hours["hours_expected"]).max()
    odd = {name: int(table[name].sum()) for name in CELLS}
    return (
        "Coloured months, a row a variable, where something was found. Hours that cannot be used:"
        f" {lost:.1f} % at most for a variable; {odd['cells_missing']:,} values are missing,"
        f" {odd['cells_implausible']:,} implausible."
    )


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
