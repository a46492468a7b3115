"""Kind of a grid from its cells' positions; likely time zone from the warmest hour: hints only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.sphere import axis_directions, spacing_km

SAME_DEG = 1e-4
CONFORMAL = 0.02  # how far cells may be from squares, each alike, to be called so
WARMEST_SOLAR_H = 14.5  # typical local solar time of the warmest air near the ground
MIN_AMPLITUDE_K = 0.5  # of the daily cycle, for a hint


def describe_grid(lat_deg: Floats, lon_deg: Floats) -> dict[str, Any]:
    """Shape, corners, order of rows, spacing in km and kind of a grid [Y, X]."""
    corners = {
        name: [round(float(lat_deg[index]), 4), round(float(lon_deg[index]), 4)]
        for name, index in (
            ("first_row_first_column", (0, 0)),
            ("first_row_last_column", (0, -1)),
            ("last_row_first_column", (-1, 0)),
            ("last_row_last_column", (-1, -1)),
        )
    }
    northwards = np.mean(lat_deg[-1]) > np.mean(lat_deg[0])
    described: dict[str, Any] = {
        "rows": lat_deg.shape[0],
        "columns": lat_deg.shape[1],
        "corners_lat_lon": corners,
        "row_order": "south to north" if northwards else "north to south",
    }
    if min(lat_deg.shape) > 1:
        rows_km, columns_km = (spacing_km(lat_deg, lon_deg, axis) for axis in (1, 2))
        described["spacing_km"] = {"rows": _spread(rows_km), "columns": _spread(columns_km)}
        described["kind"] = _kind(lat_deg, lon_deg, rows_km[:, :-1] / columns_km[:-1])
    return described


def _spread(km: Floats) -> dict[str, float]:
    found = {"min": np.min(km), "median": np.median(km), "max": np.max(km)}
    return {name: round(float(value), 3) for name, value in found.items()}


def _kind(lat_deg: Floats, lon_deg: Floats, aspect: Floats) -> str:
    """Likeness to a projection; ``aspect`` is the shape of each cell, height over width."""
    by_row = np.ptp(lat_deg, axis=1).max() < SAME_DEG
    by_column = np.ptp(lon_deg, axis=0).max() < SAME_DEG
    if by_row and by_column:
        return "longitude-latitude grid"
    axes = axis_directions(lat_deg, lon_deg)
    turned = np.degrees(np.arctan2(axes["column_north"], axes["column_east"]))
    skew = sum(axes[f"row_{part}"] * axes[f"column_{part}"] for part in ("east", "north"))
    alike = np.abs(aspect / np.median(aspect) - 1).max() < CONFORMAL
    conformal = alike and np.abs(skew).max() < CONFORMAL
    likeness = "like a conformal projection, such as Lambert" if conformal else "curvilinear"
    low, high = turned.min(), turned.max()
    return f"{likeness}; columns run {low:.1f} to {high:.1f} degrees north of east"


def clock_of_temperature(
    mean_temp_k: Mapping[int, float], lon_deg: Floats | float
) -> dict[str, Any] | None:
    """The likely time zone of the files' names, from the daily cycle of the mean temperature.

    Args:
        mean_temp_k: Mean over the grid for each hour of one day, by the files' clock.
        lon_deg: Longitudes of the cells.

    Returns:
        Hour of the warmest air by the files' clock, its expected hour in UTC, and the difference
        ``likely_offset_h``; None without a whole day or a clear cycle.
    """
    if sorted(mean_temp_k) != list(range(24)):
        return None
    first_harmonic = np.fft.rfft([mean_temp_k[hour] for hour in range(24)])[1] / 12
    if not abs(first_harmonic) >= MIN_AMPLITUDE_K:
        return None
    # longitudes are averaged as directions, so that the date line does no harm
    mean_lon = np.degrees(np.angle(np.mean(np.exp(1j * np.radians(lon_deg)))))
    warmest = -np.angle(first_harmonic) * 12 / np.pi % 24
    expected_utc = (WARMEST_SOLAR_H - mean_lon / 15) % 24
    offset = (warmest - expected_utc + 12) % 24 - 12
    return {
        "warmest_hour": round(float(warmest), 1),
        "expected_hour_utc": round(float(expected_utc), 1),
        "likely_offset_h": round(float(offset)),
    }
