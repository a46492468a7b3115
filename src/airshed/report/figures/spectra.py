"""How blurred forecasts are, by wavelength."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures.series import panels
from airshed.report.figures.style import legend, looks
from airshed.report.results import Results


def spectra(results: Results) -> Drawing | None:
    """Power of forecasts over that of the observations, one panel a horizon; None without any."""
    if results.spectra.empty:
        return None
    horizons = results.study.horizons_h
    drawn = panels(
        len(horizons), lambda across, down: (3.2 * across, 2.5 * down + 0.4), sharey=True
    )
    mean = mean_over_pollutants(results.spectra)
    for horizon, panel in zip(horizons, drawn.all, strict=True):
        for variant, look in looks(results.study).items():
            line = mean[(mean["variant"] == variant) & (mean["horizon_h"] == horizon)]
            at, share = line["wavelength_km"], 100 * line["power_ratio"]
            panel.plot(at, share, color=look.color, linestyle=look.linestyle, label=variant)
        panel.axhline(100, color="0.3", linewidth=0.8)
        panel.set(xscale="log", title=f"{horizon} h")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(ScalarFormatter())
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.invert_xaxis()
    for panel in drawn.left:
        panel.set_ylabel("share of observed power (%)", fontsize="small")
        panel.set_ylim(bottom=0)
    for panel in drawn.bottom:
        panel.set_xlabel("wavelength (km)")
    legend(drawn.figure)
    alt = (
        f"{text.counted(len(horizons), 'panel').capitalize()}, one a horizon, with a line for each"
        f" variant. {_ends_at_longest_horizon(results, mean)}"
    )
    return Drawing("spectra", drawn.figure, mean, alt)


def mean_over_pollutants(ratios: pd.DataFrame) -> pd.DataFrame:
    """Geometric mean over the pollutants in which a ratio is known."""
    known = ratios[ratios["power_ratio"] > 0]
    by = ["variant", "horizon_h", "wavelength_km"]
    means = np.exp(np.log(known["power_ratio"]).groupby([known[name] for name in by]).mean())
    return means.reset_index()


def _ends_at_longest_horizon(results: Results, mean: pd.DataFrame) -> str:
    """The ends of the lines at the longest horizon."""
    last = mean[mean["horizon_h"] == max(results.study.horizons_h)]
    parts = []
    for variant, line in last.groupby("variant", sort=False):
        shares = line.sort_values("wavelength_km")["power_ratio"]
        low, high = (text.percent(float(value), signed=False) for value in shares.iloc[[0, -1]])
        parts.append(f"{variant} {low} of the shortest and {high} of the longest waves")
    horizon = max(results.study.horizons_h)
    return f"At {horizon} h: {'; '.join(parts)}." if parts else "No field is without a gap."
