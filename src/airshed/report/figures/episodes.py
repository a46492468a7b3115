"""Episodes: maps over time, and a line over the terrain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from airshed.report.drawing import Drawing
from airshed.report.figures import coast
from airshed.report.figures.maps import contours, height_over_width, on_a_map
from airshed.report.figures.style import Look, legend, looks
from airshed.report.results import Results

POLLUTANT = "pm25"  # or the first target of a study without it
HORIZON_H = 24  # or the one nearest to it
MOST_TIMES = 4  # shown side by side, evenly chosen; the files hold all
COLOURS = "viridis"
HEIGHT_IN = 1.7  # of a map
OBSERVED = "observed"
NO_FORECAST = "no forecast: its\ninit time is not\nin the test split"


def shown_horizon(results: Results) -> int:
    """The horizon whose forecasts are shown."""
    return min(results.study.horizons_h, key=lambda hours: abs(hours - HORIZON_H))


def shown_pollutant(results: Results) -> str:
    """The target that is shown."""
    targets = results.study.targets
    return POLLUTANT if POLLUTANT in targets else targets[0]


def seeds_of(results: Results, episode: str, variant: str) -> xr.Dataset:
    """What is shown of an episode's file, with the seeds of a variant along ``seed``."""
    parts = [
        found
        for (name, of, _), found in results.episodes.items()
        if (name, of) == (episode, variant)
    ]
    joined = xr.concat(parts, dim="seed", coords="minimal", compat="override", data_vars="all")
    times = joined.sizes["map_time"]
    chosen = np.unique(np.linspace(0, times - 1, min(times, MOST_TIMES)).round().astype(int))
    place = {"pollutant": shown_pollutant(results), "horizon_h": shown_horizon(results)}
    return joined.isel(map_time=chosen).sel(place)


def _axis(results: Results) -> str:
    pollutant = shown_pollutant(results)
    return f"{results.label(pollutant)} ({results.units_of(pollutant)})"


def episode_maps(results: Results, episode: str, variant: str, folded: bool) -> Drawing:
    """Observed field, reference and variant at some times of an episode."""
    reference = results.study.references()[variant]
    fields = _fields(results, episode, (reference, variant))
    highest = [float(field.max()) for field in fields.values()]
    scale = Normalize(0, float(np.nanmax(highest, initial=1e-9)))
    observed = fields[OBSERVED]
    times, terrain = observed["map_time"].values, observed["cell_elevation"].values
    width = HEIGHT_IN / height_over_width(observed["longitude"].values, observed["latitude"].values)
    size = (width * len(times) + 2, HEIGHT_IN * len(fields) + 0.9)
    figure, axes = plt.subplots(
        len(fields), len(times), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for row, (name, field) in zip(axes, fields.items(), strict=True):
        for panel, time in zip(row, times, strict=True):
            _map(panel, field.sel(map_time=time), terrain, scale)
            on_a_map(panel, field["latitude"].values, results)
        row[0].set_ylabel(f"{name}\nlatitude (\u00b0N)", fontsize="small")
    for panel, time in zip(axes[0], times, strict=True):
        panel.set_title(f"{pd.Timestamp(time):%Y-%m-%d %H} UTC", fontsize="small")
    for panel in axes[-1]:
        panel.set_xlabel("longitude (\u00b0E)", fontsize="small")
    figure.suptitle(episode)
    figure.colorbar(ScalarMappable(scale, COLOURS), ax=axes, label=_axis(results), shrink=0.8)
    parts = [
        field.rename("value").to_dataframe().reset_index().assign(shown=name.replace("\n", ", "))
        for name, field in fields.items()
    ]
    data = pd.concat(parts, ignore_index=True).dropna(subset="value")
    pollutant = shown_pollutant(results)
    means = _means(fields, results.units_of(pollutant))
    alt = f"Rows of maps of {results.label(pollutant)}, columns are times. {means}"
    title = f"{episode}: maps of {variant} and {reference}" if folded else None
    name, note = f"{episode}-{variant}", coast.key(results)
    return Drawing("episode_maps", figure, data, alt, name, title, note)


def _fields(results: Results, episode: str, variants: Sequence[str]) -> dict[str, xr.DataArray]:
    """Observed field and each variant's forecast, mean of its seeds, by their labels."""
    found = {name: seeds_of(results, episode, name) for name in variants}
    first = found[variants[0]].isel(seed=0)
    observed = first["truth"].assign_coords(cell_elevation=first["cell_elevation"])
    before = f"{shown_horizon(results)} h before"
    return {OBSERVED: observed} | {
        f"{name}\n{before}": part["forecast"].mean("seed", skipna=False)
        for name, part in found.items()
    }


def _map(panel: Axes, field: xr.DataArray, terrain_m: np.ndarray, scale: Normalize) -> None:
    lon, lat, values = field["longitude"].values, field["latitude"].values, field.values
    if np.isfinite(values).any():
        look: dict[str, Any] = {
            "cmap": COLOURS,
            "norm": scale,
            "shading": "nearest",
            "rasterized": True,
        }
        panel.pcolormesh(lon, lat, values, **look)
    else:
        panel.set_facecolor("0.95")
        middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": panel.transAxes}
        panel.text(0.5, 0.5, NO_FORECAST, fontsize="x-small", **middle)
    contours(panel, lon, lat, terrain_m, labelled=False)
    panel.xaxis.set_major_locator(MaxNLocator(3))


def _means(fields: dict[str, xr.DataArray], units: str) -> str:
    means = [
        f"{name.split(chr(10))[0]} {float(field.mean()):.0f}"
        for name, field in fields.items()
        if np.isfinite(field.values).any()
    ]
    return f"Mean over the region and the times shown, {units}: {', '.join(means)}."


def episode_transect(results: Results, episode: str) -> Drawing | None:
    """Observed and forecast along a line, over the terrain; None for an episode without one."""
    variants = results.study.variants
    found = {name: seeds_of(results, episode, name) for name in variants}
    observed = found[variants[0]].isel(seed=0)
    if "transect_truth" not in observed:
        return None
    times, distance = observed["map_time"].values, observed["transect_distance"].values
    figure, axes = plt.subplots(
        2,
        len(times),
        figsize=(min(3.4 * len(times) + 1, 11), 4.2),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=(2, 1),
    )
    for (above, below), time in zip(axes.T, times, strict=True):
        above.plot(
            distance, observed["transect_truth"].sel(map_time=time), color="black", label=OBSERVED
        )
        missing = [
            not _line(above, found[name].sel(map_time=time), name, look)
            for name, look in looks(results.study).items()
        ]
        above.set_title(f"{pd.Timestamp(time):%Y-%m-%d %H} UTC", fontsize="small")
        if all(missing):
            above.text(0.5, 0.9, NO_FORECAST, transform=above.transAxes, ha="center", va="top")
        below.fill_between(distance, observed["transect_elevation"], color="0.7")
        below.set(xlabel="distance along the line (km)", ylim=(0, None))
    axes[0, 0].set_ylabel(_axis(results))
    axes[1, 0].set_ylabel("elevation (m)", fontsize="small")
    legend(figure)
    figure.suptitle(f"{episode}, forecasts made {shown_horizon(results)} h before")
    return Drawing(
        "episode_transect", figure, _lines(found), _highest(results, observed), of=episode
    )


def _line(panel: Axes, found: xr.Dataset, variant: str, look: Look) -> bool:
    """Mean and range of a variant's seeds; whether there are forecasts for this time."""
    values, distance = found["transect_forecast"], found["transect_distance"].values
    mean = values.mean("seed", skipna=False)
    panel.fill_between(
        distance, values.min("seed"), values.max("seed"), color=look.color, alpha=0.2
    )
    panel.plot(distance, mean, color=look.color, linestyle=look.linestyle, label=variant)
    return bool(np.isfinite(mean.values).any())


def _lines(found: dict[str, xr.Dataset]) -> pd.DataFrame:
    names = ["transect_truth", "transect_forecast", "transect_elevation"]
    parts = [part[names].to_dataframe().reset_index() for part in found.values()]
    return pd.concat(
        [part.assign(variant=name) for name, part in zip(found, parts, strict=True)],
        ignore_index=True,
    )


def _highest(results: Results, observed: xr.Dataset) -> str:
    elevation, units = observed["transect_elevation"], results.units_of(shown_pollutant(results))
    top, mean = float(elevation.max()), float(observed["transect_truth"].mean())
    at = float(observed["transect_distance"].values[int(np.argmax(elevation.values))])
    return (
        f"A panel a time: concentration along the line above, elevation below. The highest ground,"
        f" {top:.0f} m, lies at {at:.0f} km; the observed mean is {mean:.0f} {units}."
    )
