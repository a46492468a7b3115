"""Sources with two-dimensional coordinates, such as fields on a weather model's own grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from airshed.arrays import Floats
from airshed.data.sphere import lat_lon_deg, unit_vectors
from airshed.data.static.cells import Cells, cells_around, polygons
from airshed.data.static.sums import Convert, Sums
from airshed.errors import AirshedError

PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Curvilinear:
    """A field [Y, X] with the positions of its cells' centres, all in memory.

    Attributes:
        where: File and variable, for messages.
        units: Of the file, None without any.
        values: NaN is missing.
        lat_deg: Latitudes of the centres.
        lon_deg: Longitudes of the centres.
    """

    where: str
    units: str | None
    values: Floats
    lat_deg: Floats
    lon_deg: Floats

    def sums(self, cells: Cells, convert: Convert) -> Sums:
        """Sums over the field's parts in each cell of the study grid.

        Areas of overlap are those of quadrilaterals in Lambert's azimuthal equal-area projection
        around the middle of the study grid.

        Raises:
            AirshedError: Cells of the field are twisted.
        """
        plane = _equal_area_plane(cells)
        targets = _outlines(plane, cells)
        sources = _outlines(plane, cells_around(self.lat_deg, self.lon_deg, self.where))
        self._check_shapes(sources)
        pairs: npt.NDArray[np.intp] = shapely.STRtree(sources).query(targets, "intersects")
        into, out_of = pairs
        shared = _shared_areas(targets[into], sources[out_of])
        overlap = shared > 0
        into, out_of, shared = into[overlap], out_of[overlap], shared[overlap]
        values = convert(self.values.ravel()[out_of])
        known, share = np.isfinite(values), shared / shapely.area(sources[out_of])

        def gathered(gather: np.ufunc, terms: Floats, start: float = 0.0) -> Floats:
            found = np.full(len(targets), start)
            gather.at(found, into, terms)
            return found.reshape(cells.shape)

        return Sums(
            covered=gathered(np.add, shared) / shapely.area(targets).reshape(cells.shape),
            area_km2=gathered(np.add, shared) / 1e6,
            known_km2=gathered(np.add, shared * known) / 1e6,
            values=gathered(np.add, share * np.where(known, values, 0)),
            values_km2=gathered(np.add, shared * np.where(known, values, 0)) / 1e6,
            low=gathered(np.fmin, values, np.nan),
            high=gathered(np.fmax, values, np.nan),
        )

    def _check_shapes(self, cells: Any) -> None:
        placed = shapely.area(cells) > 0  # the others lie outside this plane
        twisted = placed & ~shapely.is_valid(cells)
        if twisted.any():
            raise AirshedError(
                "cells of a grid are twisted",
                where=self.where,
                expected="latitudes and longitudes that change steadily along rows and columns",
                found=f"{twisted.sum()} of {placed.sum()} cells whose edges cross",
                hint="check the coordinates: are they of this field, and is none missing?",
            )


def _shared_areas(one: Any, other: Any) -> Floats:
    """The areas that two polygons share, of pairs of polygons."""
    areas = np.empty(len(one))
    for start in range(0, len(one), PAIRS_AT_ONCE):
        pairs = slice(start, start + PAIRS_AT_ONCE)
        areas[pairs] = shapely.area(shapely.intersection(one[pairs], other[pairs]))
    return areas


def _equal_area_plane(cells: Cells) -> Transformer:
    lat, lon = lat_lon_deg(unit_vectors(cells.lat_deg, cells.lon_deg).mean(axis=(1, 2)))
    plane = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
    return Transformer.from_crs("EPSG:4326", plane, always_xy=True)


def _outlines(plane: Transformer, cells: Cells) -> Any:
    return polygons(*plane.transform(cells.corner_lon_deg, cells.corner_lat_deg))
