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

from airshed.arrays import Floats
from airshed.data.sphere import lat_lon_deg, unit_vectors
from airshed.errors import AirshedError

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
    return lat_lon_deg(regrid(unit_vectors(lat_deg, lon_deg), shape))
