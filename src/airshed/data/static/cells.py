"""Cells of a grid as quadrilaterals, from the positions of their centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.data.sphere import unit_vectors
from airshed.errors import AirshedError

Floats = npt.NDArray[np.floating[Any]]


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

    def part(self, rows: slice, columns: slice) -> Cells:
        """The cells of these rows and columns."""
        corners = (slice(rows.start, rows.stop + 1), slice(columns.start, columns.stop + 1))
        return Cells(
            self.lat_deg[rows, columns],
            self.lon_deg[rows, columns],
            self.corner_lat_deg[corners],
            self.corner_lon_deg[corners],
        )


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
    points = unit_vectors(lat_deg, lon_deg)
    for axis in (1, 2):
        first, second, before_last, last = (
            np.take(points, [index], axis) for index in (0, 1, -2, -1)
        )
        points = np.concatenate([2 * first - second, points, 2 * last - before_last], axis)
    x, y, z = points[:, :-1, :-1] + points[:, 1:, :-1] + points[:, :-1, 1:] + points[:, 1:, 1:]
    lat, lon = np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)
    return Cells(lat_deg, lon_deg, np.degrees(lat), np.degrees(lon))


def rings(x: Floats, y: Floats) -> Floats:
    """Outlines [Y * X, 5, 2] of the cells whose corners are at ``x``, ``y`` [Y + 1, X + 1]."""
    points = np.stack([x, y], axis=-1)
    first, second = points[:-1, :-1], points[:-1, 1:]
    third, fourth = points[1:, 1:], points[1:, :-1]
    return np.stack([first, second, third, fourth, first], axis=2).reshape(-1, 5, 2)


def plane_areas(outlines: Floats) -> Floats:
    """Area of each closed outline [N, 5, 2] in its own plane (the shoelace formula)."""
    x, y = outlines[..., 0], outlines[..., 1]
    area: Floats = np.abs((x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(1)) / 2
    return area
