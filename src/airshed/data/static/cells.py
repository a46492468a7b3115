"""Cells of a grid as quadrilaterals, from the positions of their centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from airshed.arrays import Floats
from airshed.data.sphere import lat_lon_deg, unit_vectors
from airshed.errors import AirshedError


@dataclass(frozen=True)
class Cells:
    """Centres [Y, X] and corners [Y + 1, X + 1] of a grid's cells, in degrees.

    Neighbours share corners, so the cells leave no gap and do not overlap.
    """

    lat_deg: Floats
    lon_deg: Floats
    corner_lat_deg: Floats
    corner_lon_deg: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.lat_deg.shape
        return rows, columns


def cells_around(lat_deg: Floats, lon_deg: Floats, where: str) -> Cells:
    """Cells around centres [Y, X]: a corner is the direction of the mean of four unit vectors.

    Beyond the edge the centres are continued linearly.

    Raises:
        AirshedError: There are fewer than two rows or columns, so no extent is known.
    """
    if min(lat_deg.shape) < 2:
        raise AirshedError(
            "a grid is too small to know the extent of its cells",
            where=where,
            expected="at least 2 rows and 2 columns",
            found=f"{lat_deg.shape[0]} x {lat_deg.shape[1]}",
        )
    inner = unit_vectors(lat_deg, lon_deg)
    points = np.pad(inner, ((0, 0), (1, 1), (1, 1)), "reflect", reflect_type="odd")
    middles = points[:, :-1, :-1] + points[:, 1:, :-1] + points[:, :-1, 1:] + points[:, 1:, 1:]
    return Cells(lat_deg, lon_deg, *lat_lon_deg(middles))


def polygons(x: Floats, y: Floats) -> Any:
    """The cells [Y * X] whose corners are at ``x``, ``y`` [Y + 1, X + 1] of a plane.

    A cell with a corner that has no position in the plane is a polygon without area.
    """
    corners = np.stack([x, y], axis=-1)
    first, second = corners[:-1, :-1], corners[:-1, 1:]
    third, fourth = corners[1:, 1:], corners[1:, :-1]
    rings = np.stack([first, second, third, fourth, first], axis=2).reshape(-1, 5, 2)
    rings[~np.isfinite(rings).all(axis=(1, 2))] = 0
    return shapely.polygons(rings)
