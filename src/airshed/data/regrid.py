"""Conservative regridding from the archives' grid to the study's, on the native projection.

Both grids cover the same extent, cut into different numbers of rows and columns, so that cells are
weighted by the area they share. Rows keep their order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from xarray_regrid.methods.conservative import get_weights

from airshed.errors import AirshedError

Floats = npt.NDArray[np.floating[Any]]
Shape = tuple[int, int]
MIN_COVERED = 0.5  # share of a cell that must be known for the cell to be known


def regrid(fields: Floats, shape: Shape) -> Floats:
    """Area-weighted means of fields [..., Y, X] on a grid of ``shape``, in float64.

    Missing values (NaN) are left out of the means; a new cell of which less than MIN_COVERED is
    known is missing. A constant stays constant, and without missing cells the domain mean is kept.
    The weights factorise into rows and columns, and few of them differ from zero.

    Raises:
        AirshedError: The new grid is finer than the old one.
    """
    if fields.shape[-2] < shape[0] or fields.shape[-1] < shape[1]:
        raise AirshedError(
            "the study grid is finer than the data",
            where="dataset.grid",
            expected=f"at most {fields.shape[-2]} x {fields.shape[-1]} cells",
            found=f"{shape[0]} x {shape[1]}",
            hint="choose a coarser dataset.grid",
        )
    known = np.isfinite(fields)
    if known.all():
        return _weighted(fields, shape)
    sums = _weighted(np.where(known, fields, 0), shape)
    covered = _coverage(known, shape)
    missing = np.full(sums.shape, np.nan)
    return np.divide(sums, covered, out=missing, where=covered >= MIN_COVERED)


def _coverage(known: npt.NDArray[np.bool_], shape: Shape) -> Floats:
    """Share of each new cell that is known; computed once where all fields know the same cells."""
    flat = known.reshape(-1, *known.shape[-2:])
    same = (flat == flat[0]).all()
    covered = _weighted(flat[:1] if same else flat, shape)
    return np.broadcast_to(covered, (len(flat), *shape)).reshape(*known.shape[:-2], *shape)


def _weighted(fields: npt.NDArray[Any], shape: Shape) -> Floats:
    """Weighted means of fields [..., Y, X] without missing values."""
    rows, columns = _weights(fields.shape[-2], shape[0]), _weights(fields.shape[-1], shape[1])
    flat = fields.reshape(-1, *fields.shape[-2:])
    by_row = np.ascontiguousarray(np.moveaxis(flat, 1, 0)).reshape(flat.shape[1], -1)
    by_column = (rows @ by_row).reshape(-1, flat.shape[2]).T
    means = (columns @ by_column).T.reshape(shape[0], len(flat), shape[1])
    return np.moveaxis(means, 1, 0).reshape(*fields.shape[:-2], *shape)


@lru_cache
def _weights(source: int, target: int) -> csr_array:
    """Shares [target, source] of the new intervals that the old ones cover; rows sum to 1."""
    centres = ((np.arange(count) + 0.5) / count for count in (source, target))
    weights: csr_array = csr_array(get_weights(*centres).T)
    return weights


def regrid_counts(counts: Floats, shape: Shape) -> Floats:
    """Counts per cell, such as people, on a grid of ``shape``; their sum is kept."""
    cells = counts.shape[-2] * counts.shape[-1]
    return regrid(counts, shape) * (cells / (shape[0] * shape[1]))


def regrid_directions(lat_deg: Floats, lon_deg: Floats, shape: Shape) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of the new cells: directions of the mean of their unit vectors."""
    x, y, z = regrid(unit_vectors(lat_deg, lon_deg), shape)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def unit_vectors(lat_deg: Floats, lon_deg: Floats) -> Floats:
    """Points on the unit sphere, [3, ...]: towards (0, 0), (0, 90 E) and the north pole."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def axis_directions(lat_deg: Floats, lon_deg: Floats) -> dict[str, Floats]:
    """Directions of increasing column and row in each cell, as east and north components.

    Central differences of the cells' positions on the sphere, projected on the local tangent
    plane and normalised.

    Args:
        lat_deg: [Y, X].
        lon_deg: [Y, X].

    Returns:
        ``column_east``, ``column_north``, ``row_east``, ``row_north``, each [Y, X].
    """
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    points = unit_vectors(lat_deg, lon_deg)
    directions: dict[str, Floats] = {}
    for name, axis in (("row", 1), ("column", 2)):
        step = np.gradient(points, axis=axis)
        along = np.stack([(step * east).sum(0), (step * north).sum(0)])
        along /= np.linalg.norm(along, axis=0)
        directions[f"{name}_east"], directions[f"{name}_north"] = along
    return directions
