"""Sources whose cells are equal rectangles in degrees or in a projection's plane.

Coverage fractions are those of exactextract (Baston 2020, https://github.com/isciences/exactextract):
exact for straight edges between the study cells' corners, in the raster's own plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import CRS, Proj, Transformer
from scipy.sparse import csr_array

from airshed.data.static.averaging import Piece
from airshed.data.static.cells import Cells, plane_areas, rings
from airshed.progress import progress_bar

Floats = npt.NDArray[np.floating[Any]]
WGS84 = CRS.from_epsg(4326)
EQUAL_AREA = Transformer.from_crs(WGS84, CRS.from_epsg(6933), always_xy=True)
PIXELS_AT_ONCE = 2_000_000  # about 150 MB with their shares


@dataclass(frozen=True)
class Raster:
    """A field on a regular grid, read window by window; rows run southwards, columns eastwards.

    Attributes:
        where: File and variable, for messages.
        units: What the file says of units.
        west: Western edge of the first column, in units of ``crs``.
        north: Northern edge of the first row.
        step_x: Width of a column.
        step_y: Height of a row.
        rows: Number of rows.
        columns: Number of columns; for a field around the whole earth those of 360 degrees.
        crs: The plane of the grid.
        read: Gives the values of a window of rows and columns; NaN is missing.
    """

    where: str
    units: str | None
    west: float
    north: float
    step_x: float
    step_y: float
    rows: int
    columns: int
    crs: CRS
    read: Callable[[slice, slice], Floats]

    @cached_property
    def around_the_earth(self) -> bool:
        """Whether the last column is followed by the first."""
        degrees = self.columns * self.step_x
        return bool(self.crs.is_geographic) and abs(degrees - 360) < self.step_x / 2

    def pieces(self, cells: Cells) -> Iterator[Piece]:
        """The parts that cover the cells, none of much more than PIXELS_AT_ONCE."""
        rows, columns = (slice(0, count) for count in cells.shape)
        with progress_bar("study cells averaged", total=cells.lat_deg.size) as bar:
            for piece in self._split(cells, rows, columns):
                yield piece
                bar.update(len(piece.covered))

    def _split(self, cells: Cells, rows: slice, columns: slice) -> Iterator[Piece]:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        part = cells.part(rows, columns)
        x, y = self._plane(part)
        window = self._window(x, y)
        if _pixels(window) <= PIXELS_AT_ONCE or height * width == 1:
            yield self._piece(rows, columns, x, y, window)
        elif height >= width:
            for half in _halves(rows):
                yield from self._split(cells, half, columns)
        else:
            for half in _halves(columns):
                yield from self._split(cells, rows, half)

    def _plane(self, cells: Cells) -> tuple[Floats, Floats]:
        """The cells' corners in the raster's plane."""
        lat, lon = cells.corner_lat_deg, cells.corner_lon_deg
        if not self.crs.is_geographic:
            x, y = self._transformer.transform(lon, lat)
            return x, y
        middle = self.west + self.columns * self.step_x / 2
        near = middle + (lon[0, 0] - middle + 180) % 360 - 180
        return near + _unwrapped(lon) - lon[0, 0], lat

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_crs(WGS84, self.crs, always_xy=True)

    def _window(self, x: Floats, y: Floats) -> tuple[slice, slice]:
        """Rows and columns that hold all corners, cut to those that exist."""
        top, bottom = (self.north - y.max()) / self.step_y, (self.north - y.min()) / self.step_y
        left, right = (x.min() - self.west) / self.step_x, (x.max() - self.west) / self.step_x
        rows = _cut(top, bottom, self.rows)
        if self.around_the_earth:
            return rows, slice(int(np.floor(left)), int(np.ceil(right)))
        return rows, _cut(left, right, self.columns)

    def _piece(
        self, rows: slice, columns: slice, x: Floats, y: Floats, window: tuple[slice, slice]
    ) -> Piece:
        outlines = rings(x, y)
        shares = self._shares(outlines, window)
        covered = shares.sum(axis=1) * self.step_x * self.step_y / plane_areas(outlines)
        values = self._read(*window).ravel()
        return Piece(rows, columns, values, self._areas_km2(*window).ravel(), shares, covered)

    def _read(self, rows: slice, columns: slice) -> Floats:
        """A window; columns beyond the last one continue with the first."""
        if columns.start >= 0 and columns.stop <= self.columns:
            return self.read(rows, columns)
        cuts = range(columns.start // self.columns, (columns.stop - 1) // self.columns + 1)
        turns = [turn * self.columns for turn in cuts]
        parts = [
            slice(max(columns.start - turn, 0), min(columns.stop - turn, self.columns))
            for turn in turns
        ]
        return np.concatenate([self.read(rows, part) for part in parts], axis=1)

    def _shares(self, outlines: Floats, window: tuple[slice, slice]) -> csr_array:
        """[outlines, pixels of the window]: share of each pixel within each outline."""
        rows, columns = window
        shape = (len(outlines), _pixels(window))
        if not shape[1]:
            return csr_array(shape)
        left, top = self.west + columns.start * self.step_x, self.north - rows.start * self.step_y
        right, bottom = self.west + columns.stop * self.step_x, self.north - rows.stop * self.step_y
        blank = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.int8)
        found = exact_extract(
            NumPyRasterSource(blank, left, bottom, right, top),
            [_feature(outline) for outline in outlines],
            ["cell_id", "coverage"],
            output="pandas",
        )
        counts = [len(pixels) for pixels in found["cell_id"]]
        starts = np.concatenate([[0], np.cumsum(counts)])
        pixels = np.concatenate([np.zeros(0, np.int64), *found["cell_id"]])
        shares = np.concatenate([np.zeros(0), *found["coverage"]])
        return csr_array((shares, pixels, starts), shape=shape)

    def _areas_km2(self, rows: slice, columns: slice) -> Floats:
        """Area of each pixel of a window on the ellipsoid."""
        edges_y = self.north - np.arange(rows.start, rows.stop + 1) * self.step_y
        width = columns.stop - columns.start
        if self.crs.is_geographic:
            lat = np.clip(edges_y, -90, 90)
            lon = np.full_like(lat, self.step_x)
            x, y = EQUAL_AREA.transform(lon, lat)
            return np.repeat((-np.diff(y) * x[0])[:, None] / 1e6, width, axis=1)
        if not _pixels((rows, columns)):
            return np.zeros((len(edges_y) - 1, width))
        centre_x = self.west + (np.arange(columns.start, columns.stop) + 0.5) * self.step_x
        x, y = np.meshgrid(centre_x, (edges_y[1:] + edges_y[:-1]) / 2)
        lon, lat = self._transformer.transform(x, y, direction="INVERSE")
        scale = Proj(self.crs).get_factors(lon, lat).areal_scale
        return np.asarray(self.step_x * self.step_y / scale / 1e6)


def _unwrapped(lon_deg: Floats) -> Floats:
    """Longitudes [Y, X] without jumps of 360 degrees, starting from the first."""
    along_rows = np.unwrap(lon_deg, period=360, axis=1)
    start = np.unwrap(lon_deg[:, :1], period=360, axis=0)
    return along_rows + start - along_rows[:, :1]


def _cut(low: float, high: float, count: int) -> slice:
    start = int(np.clip(np.floor(low), 0, count))
    return slice(start, max(start, int(np.clip(np.ceil(high), 0, count))))


def _halves(whole: slice) -> tuple[slice, slice]:
    middle = (whole.start + whole.stop) // 2
    return slice(whole.start, middle), slice(middle, whole.stop)


def _pixels(window: tuple[slice, slice]) -> int:
    rows, columns = window
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _feature(outline: Floats) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [outline.tolist()]}
    return {"type": "Feature", "properties": {}, "geometry": geometry}
