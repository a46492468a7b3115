"""Sources with two-dimensional coordinates, such as fields on a weather model's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from scipy.sparse import csr_array

from airshed.data.sphere import unit_vectors
from airshed.data.static.averaging import Piece
from airshed.data.static.cells import Cells, cells_around, rings
from airshed.errors import AirshedError

Floats = npt.NDArray[np.floating[Any]]
ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Curvilinear:
    """A field [Y, X] with the positions of its cells' centres, all in memory.

    Attributes:
        where: File and variable, for messages.
        units: What the file says of units.
        values: NaN is missing.
        lat_deg: Latitudes of the centres.
        lon_deg: Longitudes of the centres.
    """

    where: str
    units: str | None
    values: Floats
    lat_deg: Floats
    lon_deg: Floats

    def pieces(self, cells: Cells) -> Iterator[Piece]:
        """The parts that cover the cells, some rows of cells at a time.

        Areas of overlap are those of quadrilaterals in Lambert's azimuthal equal-area projection
        around the middle of the study grid.
        """
        plane = _equal_area_plane(cells)
        own = cells_around(self.lat_deg, self.lon_deg, self.where)
        sources = _polygons(plane, own)
        area = np.nan_to_num(shapely.area(sources))
        index = np.flatnonzero(area)  # the others have no position in this plane
        self._check_shapes(sources[index])
        tree = shapely.STRtree(sources[index])
        for start in range(0, cells.shape[0], ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, cells.shape[0]))
            columns = slice(0, cells.shape[1])
            targets = _polygons(plane, cells.part(rows, columns))
            into, out_of = tree.query(targets, predicate="intersects")
            out_of = index[out_of]
            shared = shapely.area(shapely.intersection(targets[into], sources[out_of]))
            shape = (len(targets), len(sources))
            shares = csr_array((shared / area[out_of], (into, out_of)), shape=shape)
            covered = np.bincount(into, shared, len(targets)) / shapely.area(targets)
            yield Piece(rows, columns, self.values.ravel(), area / 1e6, shares, covered)

    def _check_shapes(self, polygons: Any) -> None:
        twisted = ~shapely.is_valid(polygons)
        if twisted.any():
            raise AirshedError(
                "cells of a grid are twisted",
                where=self.where,
                expected="latitudes and longitudes that change steadily along rows and columns",
                found=f"{twisted.sum()} of {len(polygons)} cells whose edges cross",
                hint="look at the coordinates: are they of this field, and none of them missing?",
            )


def _equal_area_plane(cells: Cells) -> Transformer:
    x, y, z = unit_vectors(cells.lat_deg, cells.lon_deg).mean(axis=(1, 2))
    lat, lon = np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))
    plane = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
    return Transformer.from_crs("EPSG:4326", plane, always_xy=True)


def _polygons(plane: Transformer, cells: Cells) -> Any:
    x, y = plane.transform(cells.corner_lon_deg, cells.corner_lat_deg)
    outlines = rings(x, y)
    outlines[~np.isfinite(outlines).all(axis=(1, 2))] = 0  # no position in this plane, no area
    return shapely.polygons(outlines)
