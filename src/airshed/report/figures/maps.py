"""Maps: terrain with the wind over it, and where a variant's error is lower or higher."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from airshed.arrays import Floats
from airshed.comparison.maps import shown_cells
from airshed.report import text
from airshed.report.drawing import Drawing
from airshed.report.figures import coast
from airshed.report.figures.series import panels
from airshed.report.figures.style import BETTER_WORSE
from airshed.report.results import Results, shown_units

CONTOURS_M = (1000, 2000, 3000, 4000)
SCALE_QUANTILE = 0.98
SCALE_STEPS_PERCENT = 5  # of the time; circles of the roses
ROSE_SHARE = 0.8  # of the distance between regions
WIND_COLOURS = "YlOrRd"
STEP_M = 500  # of the scale of elevation
MASKED = 0.25  # of the mean concentration over the domain
MASK = ListedColormap(["0.8"])
TERRAIN = ListedColormap(plt.get_cmap("Greys")(np.linspace(0, 0.6, 256)))
SHOWN = (
    "Stippled: a change is shown there by t-tests of means over blocks of ten days, with the"
    " variance between trainings, at most a tenth of the dots falsely (Benjamini and Hochberg)."
)
UNSHOWN = (
    "Not stippled: with so few trainings or blocks of ten days no change of a single cell can be"
    " shown. The maps describe these trained networks on these days, and prove no pattern."
)
COMPASS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")


def contours(
    panel: Axes, x: np.ndarray, y: np.ndarray, elevation_m: np.ndarray, labelled: bool = True
) -> None:
    """Lines of equal elevation, as far as the terrain reaches them."""
    levels = [level for level in CONTOURS_M if np.nanmin(elevation_m) < level]
    levels = [level for level in levels if level < np.nanmax(elevation_m)]
    if levels:
        lines = panel.contour(x, y, elevation_m, levels, colors="0.25", linewidths=0.6)
        if labelled:
            panel.clabel(lines, fontsize="x-small", fmt="%d")


def on_a_map(panel: Axes, lat_deg: np.ndarray, results: Results) -> None:
    """Degrees of longitude as wide as they are in the middle of the map, and the coast."""
    coast.draw(panel, results)
    panel.set_aspect(1 / squeeze_of(lat_deg))
    panel.grid(False)


def squeeze_of(lat_deg: np.ndarray) -> float:
    """Length of a degree of longitude in degrees of latitude, in the middle of a map."""
    return float(np.cos(np.radians(np.mean(lat_deg))))


def height_over_width(lon_deg: np.ndarray, lat_deg: np.ndarray) -> float:
    """Of a map."""
    return float(np.ptp(lat_deg) / (np.ptp(lon_deg) * squeeze_of(lat_deg)))


def terrain_and_wind(results: Results) -> Drawing:
    """Elevation, its contours, and a wind rose in every part of the domain."""
    static, roses = results.static, results.winds
    lon, lat = static["lon2d"].values, static["lat2d"].values
    figure, panel = plt.subplots(figsize=(9.5, 7.8 * height_over_width(lon, lat) + 1.2))
    terrain = panel.pcolormesh(
        lon,
        lat,
        static["elevation"].where(static["domain_mask"] > 0).values,
        cmap=TERRAIN,
        vmin=0,
        vmax=_top(static),
        shading="nearest",
        rasterized=True,
    )
    contours(panel, lon, lat, static["elevation"].values)
    on_a_map(panel, lat, results)
    panel.set(xlabel="longitude (\u00b0E)", ylabel="latitude (\u00b0N)")
    figure.colorbar(terrain, ax=panel, label="elevation (m)", shrink=0.8)
    if roses["frequency"].notnull().any():
        handles = _roses(panel, roses, _reach(lon, lat, roses["frequency"].shape[:2]))
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    table = roses["frequency"].to_dataframe().dropna().reset_index()
    alt, note = _prevailing(roses), coast.key(results) or coast.NONE
    return Drawing("terrain_and_wind", figure, table, alt, note=note)


def _top(static: xr.Dataset) -> float:
    """Where the scale of elevation ends: with the terrain of the domain, in whole steps."""
    highest = float(static["elevation"].where(static["domain_mask"] > 0).max())
    return STEP_M * max(1.0, np.ceil(highest / STEP_M))


def _roses(panel: Axes, roses: xr.Dataset, reach: tuple[float, float]) -> list[Patch | Line2D]:
    """Draw the rose of every part; what the legend shows."""
    largest = 100 * float(roses["frequency"].sum("speed_class").max())
    top_percent = SCALE_STEPS_PERCENT * max(1.0, np.ceil(largest / SCALE_STEPS_PERCENT))
    for row in roses["region_row"].values:
        for column in roses["region_column"].values:
            place = roses.sel(region_row=row, region_column=column)
            _rose(panel, place, top_percent / 100, reach)
    classes = zip(_shades(roses.sizes["speed_class"]), roses["speed_class"].values, strict=True)
    return [
        *(Patch(color=shade, label=f"wind {shown_units(str(name))}") for shade, name in classes),
        Line2D([], [], color="0.4", linewidth=0.7, label=f"circle: {top_percent:.0f} % of time"),
    ]


def _reach(lon: np.ndarray, lat: np.ndarray, parts: tuple[int, ...]) -> tuple[float, float]:
    """Width and height of a rose, degrees of longitude and latitude."""
    squeeze = squeeze_of(lat)
    height = min(np.ptp(lat) / parts[0], np.ptp(lon) / parts[1] * squeeze)
    return ROSE_SHARE * height / squeeze, ROSE_SHARE * height


def _shades(count: int) -> np.ndarray:
    return np.asarray(plt.get_cmap(WIND_COLOURS)(np.linspace(0.35, 0.95, count)))


def _rose(panel: Axes, rose: xr.Dataset, top: float, reach: tuple[float, float]) -> None:
    frequency = rose["frequency"].values
    if np.isnan(frequency).any():
        return  # no cell of the domain lies here
    width, height = reach
    corner = (float(rose["longitude"]) - width / 2, float(rose["latitude"]) - height / 2)
    axes = panel.inset_axes((*corner, width, height), transform=panel.transData, projection="polar")
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    sectors = np.radians(rose["from_deg"].values)
    bottom = np.zeros(len(sectors))
    for part, shade in zip(frequency.T, _shades(frequency.shape[1]), strict=True):
        petal = 2 * np.pi / len(sectors)
        axes.bar(sectors, part, petal, bottom, color=shade, edgecolor="0.2", linewidth=0.2)
        bottom += part
    axes.set_ylim(0, top)
    axes.set(xticks=[], yticks=[], facecolor="none")
    axes.grid(False)
    axes.spines["polar"].set(color="0.4", linewidth=0.5)


def _prevailing(roses: xr.Dataset) -> str:
    """Where the wind mostly comes from in each part of the domain."""
    if roses["frequency"].isnull().all():
        return "Map of elevation with contours; the data hold no wind."
    stacked = roses["frequency"].sum("speed_class", skipna=False)
    directions = []
    for row in roses["region_row"].values:
        for column in roses["region_column"].values:
            share = stacked.sel(region_row=row, region_column=column)
            if share.isnull().any():
                continue
            place = roses.sel(region_row=row, region_column=column)
            degrees = float(roses["from_deg"].values[int(np.argmax(share.values))])
            word = COMPASS[round(degrees / 45) % 8]
            directions.append(
                f"{float(place['latitude']):.0f}\u00b0N {float(place['longitude']):.0f}\u00b0E"
                f" {word}"
            )
    return (
        "Map of elevation with contours and a wind rose in each part. Most frequent direction that"
        f" the wind comes from: {', '.join(directions)}."
    )


def change_maps(results: Results, variant: str, folded: bool) -> Drawing:
    """Change of RMSE in each cell, over all horizons, with contours of elevation.

    Each pollutant has its scale, in its unit. Cells are stippled where tests of block means show a
    change (:mod:`airshed.comparison.maps`), if there are blocks and trainings enough. Cells whose
    mean concentration is low are masked: a change means nothing where there is no pollutant.
    """
    reference = results.study.references()[variant]
    errors = [results.maps[name].mean("horizon_h") ** 0.5 for name in (variant, reference)]
    low = results.means < MASKED * results.means.mean(["y", "x"])
    change, static = errors[0] - errors[1], results.static
    lon, lat = static["lon2d"].values, static["lat2d"].values
    targets, height = results.study.targets, height_over_width(lon, lat)

    def size(columns: int, rows: int) -> tuple[float, float]:
        width = max(6.5, 10.5 * columns / 3)
        return width, rows * (2.6 * height * width / 10.5 * 3 / columns + 0.4) + 0.6

    figure, drawn, left, bottom = panels(len(targets), size, sharex=True, sharey=True)
    shown = _stippled(results, variant, reference)
    for panel, pollutant in zip(drawn, targets, strict=True):
        masked = low.sel(pollutant=pollutant).values
        values = np.where(masked, np.nan, change.sel(pollutant=pollutant).values)
        limit = _limit(values)
        cells: dict[str, Any] = {"shading": "nearest", "rasterized": True}
        panel.pcolormesh(lon, lat, np.where(masked, 0.5, np.nan), cmap=MASK, **cells)
        mesh = panel.pcolormesh(
            lon, lat, values, cmap=BETTER_WORSE, vmin=-limit, vmax=limit, **cells
        )
        if shown is not None:
            rows, columns = shown["row"].values, shown["column"].values
            places = shown.sel(pollutant=pollutant).values & ~masked[rows, columns]
            panel.plot(
                shown["lon"].values[places], shown["lat"].values[places], "k.", ms=1.2, mew=0
            )
        contours(panel, lon, lat, static["elevation"].values, labelled=False)
        on_a_map(panel, lat, results)
        panel.set_title(results.label(pollutant))
        bar = figure.colorbar(mesh, ax=panel, extend="both", shrink=0.6)
        bar.set_label(f"{results.units_of(pollutant)}", fontsize="small")
    for panel in bottom:
        panel.set_xlabel("longitude (\u00b0E)")
    for panel in left:
        panel.set_ylabel("latitude (\u00b0N)")
    figure.suptitle(f"change of RMSE, {variant} against {reference}", fontsize="medium")
    title = f"{variant} against {reference}" if folded else None
    alt, table = _spread_of(results, change), _table(change, static)
    note = f"{coast.key(results)} {UNSHOWN if shown is None else SHOWN}"
    return Drawing("change_maps", figure, table, alt, variant, title, note.strip())


def _limit(values: Floats) -> float:
    """Where the scale of a map ends."""
    known = np.abs(values[np.isfinite(values)])
    return max(float(np.quantile(known, SCALE_QUANTILE)), 1e-9) if known.size else 1.0


def _stippled(results: Results, variant: str, reference: str) -> xr.DataArray | None:
    """Squares of cells where a change is shown (pollutant, coarse); None if that is untested."""
    of, theirs = (results.block_mse[name] for name in (variant, reference))
    order = ("seed", "block", "pollutant", "coarse")
    both = [part.transpose(*order) for part in (of, theirs)]
    found = [
        shown_cells(*(part.isel(pollutant=number).values for part in both))
        for number in range(of.sizes["pollutant"])
    ]
    tested = [one for one in found if one is not None]
    if len(tested) < len(found):
        return None
    rows, columns = (of[f"coarse_{name}"].values for name in ("row", "column"))
    static = results.static
    places = {
        "row": rows,
        "column": columns,
        "lon": static["lon2d"].values[rows, columns],
        "lat": static["lat2d"].values[rows, columns],
    }
    coordinates = {name: ("coarse", values) for name, values in places.items()}
    coordinates["pollutant"] = ("pollutant", of["pollutant"].values)
    return xr.DataArray(np.stack(tested), coordinates, ("pollutant", "coarse"))


def _spread_of(results: Results, change: xr.DataArray) -> str:
    """In which share of the cells the error is lower, for each pollutant."""
    shares = []
    for pollutant in results.study.targets:
        values = change.sel(pollutant=pollutant).values
        known = values[np.isfinite(values)]
        lower = text.percent(float((known < 0).mean()), signed=False)
        shares.append(f"{results.label(pollutant)} {lower}")
    maps = text.panels_by_pollutant(results, "map")
    return f"{maps}. Share of cells with lower error: {', '.join(shares)}."


def _table(change: xr.DataArray, static: xr.Dataset) -> pd.DataFrame:
    placed = change.to_dataset(name="rmse_change").drop_vars(("lat2d", "lon2d"), errors="ignore")
    placed["lat_deg"], placed["lon_deg"] = static["lat2d"].variable, static["lon2d"].variable
    return placed.to_dataframe().dropna().reset_index()
