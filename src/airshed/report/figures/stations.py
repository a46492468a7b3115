"""Errors against observations at stations."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from airshed.report.drawing import Drawing
from airshed.report.figures.series import by_place, from_zero, say
from airshed.report.figures.style import legend
from airshed.report.results import POLLUTANT_LABELS, Results, units_of
from airshed.variables import TARGETS


def stations(results: Results) -> Drawing:
    """RMSE at stations against horizon for each pollutant, beside the reanalysis' own."""
    table = results.supplement["stations"]
    data = table[table["stations_used"] == "all"].rename(columns={"name": "variant"})
    data = data.assign(value=data["rmse"])
    horizons = sorted(results.study.horizons_h)
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 5.4), sharex=True)
    for panel, pollutant in zip(axes.flat, TARGETS, strict=True):
        shown = data[data["pollutant"] == pollutant]
        panel.set_title(POLLUTANT_LABELS[pollutant])
        if shown["value"].isna().all():
            say(panel, "not observed")
            continue
        by_place(panel, shown, "horizon_h", horizons, results.study.variants)
        truth = shown.groupby("horizon_h")["reanalysis_rmse"].mean().reindex(horizons)
        panel.plot(horizons, truth, color="black", linewidth=1.6, label="reanalysis")
        panel.set(ylabel=f"RMSE ({units_of(pollutant)})", xticks=horizons)
        from_zero(panel)
    for panel in axes[-1]:
        panel.set_xlabel("horizon (h)")
    legend(figure)
    return Drawing("stations", figure, data.drop(columns="value"), _told(data, results))


def _told(data: pd.DataFrame, results: Results) -> str:
    """How far variants are from observations, in units of the reanalysis' distance."""
    told = []
    for variant in results.study.variants:
        rows = data[data["variant"] == variant]
        ratio = (rows["rmse"] / rows["reanalysis_rmse"]).median()
        told.append(f"{variant} {ratio:.2f}")
    return (
        "Six panels, one a pollutant, with a line for each forecast and a black one for the"
        f" reanalysis. RMSE over the reanalysis' RMSE, median: {', '.join(told)}."
    )
