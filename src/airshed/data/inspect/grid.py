"""What can be said of a grid from the positions of its cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.data.sphere import axis_directions, spacing_km

Floats = npt.NDArray[np.floating[Any]]
SAME_DEG = 1e-4
CONFORMAL = 0.02  # how far cells may be from squares, each alike, to be called so


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
    northwards = np.nanmean(lat_deg[-1]) > np.nanmean(lat_deg[0])
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
    found = {"min": np.nanmin(km), "median": np.nanmedian(km), "max": np.nanmax(km)}
    return {name: round(float(value), 3) for name, value in found.items()}


def _kind(lat_deg: Floats, lon_deg: Floats, aspect: Floats) -> str:
    """Likeness to a projection; ``aspect`` is the shape of each cell, height over width."""
    by_row = np.nanmax(np.ptp(lat_deg, axis=1)) < SAME_DEG
    by_column = np.nanmax(np.ptp(lon_deg, axis=0)) < SAME_DEG
    if by_row and by_column:
        return "longitude-latitude grid"
    axes = axis_directions(lat_deg, lon_deg)
    turned = np.degrees(np.arctan2(axes["column_north"], axes["column_east"]))
    skew = sum(axes[f"row_{part}"] * axes[f"column_{part}"] for part in ("east", "north"))
    alike = np.nanmax(np.abs(aspect / np.nanmedian(aspect) - 1)) < CONFORMAL
    conformal = alike and np.nanmax(np.abs(skew)) < CONFORMAL
    likeness = "like a conformal projection, such as Lambert" if conformal else "curvilinear"
    low, high = np.nanmin(turned), np.nanmax(turned)
    return f"{likeness}; columns run {low:.1f} to {high:.1f} degrees north of east"
