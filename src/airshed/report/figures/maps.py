"""Maps of where a variant's error is lower or higher than its reference's."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from airshed.report.figures.style import BETTER_WORSE
from airshed.report.results import POLLUTANT_LABELS, Results
from airshed.variables import TARGETS

CONTOURS_M = (1000, 2000, 3000, 4000)
SCALE_QUANTILE = 0.98


def change_maps(results: Results, variant: str) -> tuple[Figure, pd.DataFrame]:
    """Change of RMSE in each cell, over all horizons, with contours of elevation."""
    reference = results.study.references()[variant]
    errors = [results.maps[name].mean("horizon_h") for name in (variant, reference)]
    change = 100 * ((errors[0] / errors[1]) ** 0.5 - 1)
    limit = max(float(np.nanquantile(np.abs(change.values), SCALE_QUANTILE)), 0.1)
    static = results.static
    lon, lat = static["lon2d"].values, static["lat2d"].values
    figure, axes = plt.subplots(2, 3, figsize=(10, 4.6), sharex=True, sharey=True)
    for panel, pollutant in zip(axes.flat, TARGETS, strict=True):
        mesh = panel.pcolormesh(
            lon,
            lat,
            change.sel(pollutant=pollutant).values,
            cmap=BETTER_WORSE,
            vmin=-limit,
            vmax=limit,
            shading="nearest",
        )
        panel.contour(
            lon, lat, static["elevation"].values, CONTOURS_M, colors="0.35", linewidths=0.5
        )
        panel.set_title(POLLUTANT_LABELS[pollutant])
        panel.grid(False)
    for panel in axes[-1]:
        panel.set_xlabel("longitude (\u00b0E)")
    for panel in axes[:, 0]:
        panel.set_ylabel("latitude (\u00b0N)")
    figure.colorbar(
        mesh,
        ax=axes,
        label="change of RMSE (%)\nblue: lower error",
        extend="both",
        shrink=0.8,
    )
    figure.suptitle(f"{variant} against {reference}; contours: 1, 2, 3 and 4 km")
    return figure, _table(change, static)


def _table(change: xr.DataArray, static: xr.Dataset) -> pd.DataFrame:
    placed = change.to_dataset(name="rmse_change_percent").drop_vars(
        ("lat2d", "lon2d"), errors="ignore"
    )
    placed["lat_deg"], placed["lon_deg"] = static["lat2d"].variable, static["lon2d"].variable
    return placed.to_dataframe().dropna().reset_index()
