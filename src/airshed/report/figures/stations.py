"""Errors against observations at stations."""

from __future__ import annotations

import pandas as pd

from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.scores import size_of_errors
from airshed.report.figures.series import from_zero, over_horizons, panels, say
from airshed.report.figures.style import legend
from airshed.report.results import Results


def stations(results: Results) -> Drawing | None:
    """RMSE at stations against horizon for each pollutant, beside the reanalysis' own."""
    table = results.supplement.get("stations")
    if table is None or table.empty:
        return None
    data = table[table["stations_used"] == "all"].rename(columns={"name": "variant"})
    data = data.assign(value=data["rmse"])
    horizons = sorted(results.study.horizons_h)
    targets = results.study.targets
    figure, drawn, _, bottom = panels(len(targets), size_of_errors, sharex=True)
    for panel, pollutant in zip(drawn, targets, strict=True):
        shown = data[data["pollutant"] == pollutant]
        panel.set_title(results.label(pollutant))
        if shown["value"].isna().all():
            say(panel, "not observed")
            continue
        over_horizons(panel, shown, horizons, results.study)
        reanalysis = shown.groupby("horizon_h")["reanalysis_rmse"].mean().reindex(horizons)
        panel.plot(horizons, reanalysis, color="black", linewidth=1.6, label="reanalysis")
        panel.set(ylabel=f"RMSE ({results.units_of(pollutant)})", xticks=horizons)
        from_zero(panel)
    for panel in bottom:
        panel.set_xlabel("horizon (h)")
    legend(figure)
    return Drawing("stations", figure, data.drop(columns="value"), _over_reanalysis(data, results))


def _over_reanalysis(data: pd.DataFrame, results: Results) -> str:
    """How far variants are from observations, in units of the reanalysis' distance."""
    ratios = []
    for variant in results.study.variants:
        rows = data[data["variant"] == variant]
        ratio = (rows["rmse"] / rows["reanalysis_rmse"]).median()
        ratios.append(f"{variant} {ratio:.2f}")
    return (
        f"{text.panels_by_pollutant(results)}, with a line for each forecast and a black one for"
        f" the reanalysis. RMSE over the reanalysis' RMSE, median: {', '.join(ratios)}."
    )
