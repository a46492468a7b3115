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
EARTH_RADIUS_KM = 6371.0
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
    flat = fields.reshape(-1, *fields.shape[-2:])
    means = np.empty((len(flat), *shape))
    for field, out in zip(flat, means, strict=True):
        out[:] = _means(field, shape)
    return means.reshape(*fields.shape[:-2], *shape)


def _means(field: Floats, shape: Shape) -> Floats:
    known = np.isfinite(field)
    if known.all():
        return _weighted(field, shape)
    sums, covered = _weighted(np.where(known, field, 0), shape), _weighted(known, shape)
    missing = np.full(shape, np.nan)
    return np.divide(sums, covered, out=missing, where=covered >= MIN_COVERED)


def _weighted(field: npt.NDArray[Any], shape: Shape) -> Floats:
    """Weighted means of a field [Y, X] without missing values."""
    rows, columns = _weights(field.shape[0], shape[0]), _weights(field.shape[1], shape[1])
    means: Floats = (columns @ (rows @ field).T).T
    return means


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


def spacing_km(lat_deg: Floats, lon_deg: Floats, axis: int) -> Floats:
    """Distances of neighbouring cells in adjacent rows (``axis`` 1) or columns (2), [.., ..]."""
    chord = np.linalg.norm(np.diff(unit_vectors(lat_deg, lon_deg), axis=axis), axis=0)
    km: Floats = 2 * np.arcsin(np.clip(chord / 2, 0, 1)) * EARTH_RADIUS_KM
    return km


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
