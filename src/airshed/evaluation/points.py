"""Values of gridded fields at any points: stations, lines, cells of another grid.

A grid is given by the positions of its cells' centres, along two axes (a regular grid of latitude
and longitude) or in each cell (any curvilinear grid). A point gets a fractional row and column, and
from those the cells that it is interpolated between; what results is a sparse matrix that is
computed once and applied to any number of fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.interpolate import LinearNDInterpolator
from scipy.sparse import csr_array

from airshed.arrays import Floats
from airshed.data.sphere import unit_vectors

Method = Literal["bilinear", "nearest"]
TOLERANCE = 0.1  # of a cell
EXACT = 1e-4  # of a cell: a point that close to a centre is there, and needs no other cell


class Points:
    """The way from fields on a grid to values at points.

    Args:
        grid_lat_deg: Latitude of the grid's cells: [Y] with [X] longitudes, or [Y, X].
        grid_lon_deg: Longitude of the grid's cells, from -180 or from 0 degrees east.
        lat_deg: [P] of the points.
        lon_deg: [P] of the points.
        method: ``bilinear`` between the four cells around a point, or ``nearest`` of these.

    Attributes:
        inside: bool [P], whether a point lies between the centres of the grid's cells.
        matrix: [P, Y * X] weights; rows of points outside are empty.
    """

    def __init__(
        self,
        grid_lat_deg: Floats,
        grid_lon_deg: Floats,
        lat_deg: Floats,
        lon_deg: Floats,
        method: Method = "bilinear",
    ) -> None:
        one_dimensional = np.ndim(grid_lat_deg) == 1
        find = _on_axes if one_dimensional else _on_curvilinear
        row, column = find(grid_lat_deg, grid_lon_deg, np.ravel(lat_deg), np.ravel(lon_deg))
        if one_dimensional:
            self.shape = (len(grid_lat_deg), len(grid_lon_deg))
        else:
            self.shape = (grid_lat_deg.shape[0], grid_lat_deg.shape[1])
        self.inside: npt.NDArray[np.bool_] = np.isfinite(row) & np.isfinite(column)
        if method == "nearest":
            row, column = np.rint(row), np.rint(column)
        self.matrix = _weights(row, column, self.inside, self.shape)

    def __call__(self, fields: Floats) -> Floats:
        """Values [..., P] of fields [..., Y, X]; NaN outside and where a cell needed is NaN."""
        flat = np.reshape(fields, (-1, self.shape[0] * self.shape[1]))
        values: Floats = (self.matrix @ flat.T).T
        values[:, ~self.inside] = np.nan
        return values.reshape(*np.shape(fields)[:-2], len(self.inside))

    def averaged(self, size: int) -> None:
        """Make one point, the mean, of every ``size`` consecutive ones; outside if one is."""
        count = len(self.inside) // size
        mean = csr_array(
            (
                np.full(count * size, 1 / size),
                (np.repeat(np.arange(count), size), np.arange(count * size)),
            )
        )
        self.matrix = mean @ self.matrix
        self.inside = np.all(self.inside.reshape(count, size), axis=1)

    def need_only(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether each point lies inside and takes its value from cells of a mask [Y, X] alone."""
        outside = self.matrix @ (~mask).ravel().astype(np.float64)
        only: npt.NDArray[np.bool_] = self.inside & (outside == 0)
        return only


def _weights(
    row: Floats, column: Floats, inside: npt.NDArray[np.bool_], shape: tuple[int, int]
) -> Any:
    points, entries, weights = [], [], []
    index = np.flatnonzero(inside)
    floors = [np.floor(part[inside]).astype(np.int64) for part in (row, column)]
    shares = [
        _snapped(part[inside] - floor) for part, floor in zip((row, column), floors, strict=True)
    ]
    for down in (0, 1):
        for right in (0, 1):
            weight = np.ones(len(index))
            for step, share in zip((down, right), shares, strict=True):
                weight = weight * (share if step else 1 - share)
            used = weight > 0
            points.append(index[used])
            entries.append(((floors[0] + down) * shape[1] + floors[1] + right)[used])
            weights.append(weight[used])
    triplet = np.concatenate(weights), (np.concatenate(points), np.concatenate(entries))
    return csr_array(triplet, shape=(len(inside), shape[0] * shape[1]))


def _snapped(share: Floats) -> Floats:
    """Shares of the next cell, exactly 0 or 1 where they nearly are."""
    return np.where(share < EXACT, 0.0, np.where(share > 1 - EXACT, 1.0, share))


def _on_axes(grid_lat: Floats, grid_lon: Floats, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    """Fractional indices on a regular grid; longitudes count modulo 360 degrees."""
    first = grid_lon[0] if grid_lon[0] < grid_lon[-1] else grid_lon[-1]
    turned = (lon - first) % 360 + first
    # a point just west of the first centre comes out a whole turn east of it
    turned = np.where(turned - first > 360 - 1e-6, turned - 360, turned)
    return _fraction(grid_lat, lat), _fraction(grid_lon, turned)


def _fraction(axis: Floats, at: Floats) -> Floats:
    index = np.arange(len(axis), dtype=np.float64)
    rising = axis[0] < axis[-1]
    positions, indices = (axis, index) if rising else (axis[::-1], index[::-1])
    slack = 1e-6 * np.abs(positions[-1] - positions[0])
    inside = (at >= positions[0] - slack) & (at <= positions[-1] + slack)
    return np.where(inside, np.interp(at, positions, indices), np.nan)


def _on_curvilinear(
    grid_lat: Floats, grid_lon: Floats, lat: Floats, lon: Floats
) -> tuple[Floats, Floats]:
    """Fractional indices on any grid: linear between centres on a stereographic plane.

    Rows and columns are smooth functions of position; within a triangle of three centres they are
    taken as linear. Where that leads to another place than the point's by more than a tenth of a
    cell, the point lies beyond the grid's (not convex) edge, and is outside.
    """
    shape = np.shape(grid_lat)
    indices = np.indices(shape, dtype=np.float64).reshape(2, -1).T
    centres, asked = unit_vectors(grid_lat, grid_lon), unit_vectors(lat, lon)
    plane = _stereographic_plane(centres.reshape(3, -1).sum(axis=1))
    find = LinearNDInterpolator(plane(centres.reshape(3, -1)), indices)
    row, column = find(plane(asked)).T
    inside = np.isfinite(row)
    led_to = _weights(row, column, inside, (shape[0], shape[1])) @ centres.reshape(3, -1).T
    cell = np.median(np.linalg.norm(np.diff(centres, axis=2), axis=0))
    inside &= np.linalg.norm(led_to.T - asked, axis=0) < TOLERANCE * cell
    return np.where(inside, row, np.nan), np.where(inside, column, np.nan)


def _stereographic_plane(middle: Floats) -> Callable[[Floats], Floats]:
    """Maps unit vectors [3, P] to points [P, 2] of the plane that touches the sphere at a point."""
    middle = middle / np.linalg.norm(middle)
    pole = np.array([0.0, 0.0, 1.0]) if abs(middle[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(pole, middle)
    right /= np.linalg.norm(right)
    up = np.cross(middle, right)

    def plane(vectors: Floats) -> Floats:
        away: Floats = 1 + middle @ vectors
        return np.stack([right @ vectors / away, up @ vectors / away], axis=-1)

    return plane
