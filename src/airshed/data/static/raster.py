"""Sources whose cells are equal rectangles in degrees or in a projection's plane.

Their sums are made by exactextract (Baston 2020, https://github.com/isciences/exactextract), block
by block of the raster; shares are exact for straight edges between the study cells' corners, in the
raster's own plane. That plane is measured in columns and rows, whichever way these run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.operation import Operation
from exactextract.raster import RasterSource
from pyproj import CRS, Proj, Transformer

from airshed.arrays import Floats
from airshed.data.static.cells import Cells, polygons
from airshed.data.static.sums import Convert, Sums
from airshed.progress import progress_bar

Read = Callable[[slice, slice], Floats]
WGS84 = CRS.from_epsg(4326)
EQUAL_AREA = Transformer.from_crs(WGS84, CRS.from_epsg(6933), always_xy=True)
CELLS_AT_ONCE = 2_000_000  # about 100 MB


@dataclass(frozen=True)
class Raster:
    """A field on a regular grid, read window by window.

    Attributes:
        where: File and variable, for messages.
        units: Of the file, None without any.
        rows: Number of rows.
        columns: Number of columns; for a field around the whole earth those of 360 degrees.
        x: Outer edge of the first column, in units of ``crs``.
        y: Outer edge of the first row.
        step_x: From a column to the next; negative where they run westwards.
        step_y: From a row to the next; negative where they run southwards.
        crs: The plane of the grid.
        read: Gives the values of a window of rows and columns; NaN is missing.
    """

    where: str
    units: str | None
    rows: int
    columns: int
    x: float
    y: float
    step_x: float
    step_y: float
    crs: CRS
    read: Read

    def sums(self, cells: Cells, convert: Convert) -> Sums:
        """Sums over the raster's parts in each cell of the study grid."""
        columns, rows = self._columns_and_rows(cells)
        outlines = polygons(columns, -rows)
        window = self._window(columns, rows)

        @lru_cache(maxsize=1)
        def block(top: int, left: int, height: int, width: int) -> tuple[Any, Any, Any]:
            part = slice(top, top + height), slice(left, left + width)
            values, areas_km2 = convert(self._read(*part)), self._areas_km2(*part)
            return values, areas_km2, (~np.isnan(values)).astype(np.uint8)

        value, area, known = (_Layer(window, block, position) for position in range(3))
        operations = [
            Operation("count", "covered", area, known),
            Operation("sum", "area_km2", area, known),
            Operation("weighted_sum", "known_km2", area, known),
            Operation("sum", "values", value, area),
            Operation("weighted_sum", "values_km2", value, area),
            Operation("min", "low", value, area),
            Operation("max", "high", value, area),
        ]
        with progress_bar("study cells averaged", total=len(outlines)) as bar:
            found = exact_extract(
                None,
                _features(outlines),
                operations,
                strategy="raster-sequential",
                max_cells_in_memory=CELLS_AT_ONCE,
                output="pandas",
                progress=lambda done, _: bar.update(round(done * len(outlines)) - bar.n),
            )
        sums = {name: found[name].to_numpy(float).reshape(cells.shape) for name in found}
        size = shapely.area(outlines).reshape(cells.shape)
        nothing = np.zeros(cells.shape)
        sums["covered"] = np.divide(sums["covered"], size, out=nothing, where=size > 0)
        return Sums(**sums)

    def _columns_and_rows(self, cells: Cells) -> tuple[Floats, Floats]:
        """The cells' corners in the raster's plane."""
        x, y = cells.corner_lon_deg, cells.corner_lat_deg
        if self.crs.is_geographic:
            middle = self.x + self.columns / 2 * self.step_x
            unwrapped = np.unwrap(np.unwrap(x, period=360, axis=1), period=360, axis=0)
            x = unwrapped + 360 * np.round((middle - x[0, 0]) / 360)
        else:
            x, y = self._transformer.transform(x, y)
        return (x - self.x) / self.step_x, (y - self.y) / self.step_y

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_crs(WGS84, self.crs, always_xy=True)

    def _window(self, columns: Floats, rows: Floats) -> tuple[slice, slice]:
        """Rows and columns that hold all corners, of those that exist."""
        if self.crs.is_geographic and round(360 / abs(self.step_x)) == self.columns:
            across = slice(int(np.floor(columns.min())), int(np.ceil(columns.max())))
        else:
            across = _within(columns, self.columns)
        return _within(rows, self.rows), across

    def _read(self, rows: slice, columns: slice) -> Floats:
        """A window; columns beyond the last one continue with the first."""
        around = np.arange(columns.start, columns.stop) % self.columns
        parts = np.split(around, np.flatnonzero(np.diff(around) < 0) + 1)
        read = [self.read(rows, slice(part[0], part[-1] + 1)) for part in parts]
        return np.concatenate(read, axis=1)

    def _areas_km2(self, rows: slice, columns: slice) -> Floats:
        """Area of each raster cell of a window on the ellipsoid."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        if self.crs.is_geographic:
            lat = np.clip(self.y + np.arange(rows.start, rows.stop + 1) * self.step_y, -90, 90)
            x, y = EQUAL_AREA.transform(np.full_like(lat, self.step_x), lat)
            return np.broadcast_to(np.abs(np.diff(y) * x[0])[:, None] / 1e6, shape)
        row, column = np.mgrid[rows, columns] + 0.5
        x, y = self.x + column * self.step_x, self.y + row * self.step_y
        lon, lat = self._transformer.transform(x, y, direction="INVERSE")
        scale = Proj(self.crs).get_factors(lon, lat).areal_scale
        return np.asarray(abs(self.step_x * self.step_y) / scale / 1e6)


class _Layer(RasterSource):  # type: ignore[misc]
    """One of several fields over a window of a raster, in units of its columns and rows."""

    def __init__(self, window: tuple[slice, slice], block: Any, position: int) -> None:
        super().__init__()
        self.set_name(str(position))
        self._window, self._block, self._position = window, block, position

    def res(self) -> tuple[float, float]:
        return 1.0, 1.0

    def extent(self) -> tuple[float, float, float, float]:
        rows, columns = self._window
        return columns.start, -rows.stop, columns.stop, -rows.start

    def nodata_value(self) -> None:
        return None

    def read_window(self, left: int, top: int, width: int, height: int) -> Floats:
        if not width * height:  # asks for the type
            return np.zeros((height, width))
        rows, columns = self._window
        block = self._block(rows.start + top, columns.start + left, height, width)
        return block[self._position]


def _within(positions: Floats, count: int) -> slice:
    """The range of ``count`` cells along an axis in which the positions lie, at least one cell."""
    start = int(np.clip(np.floor(positions.min()), 0, count - 1))
    return slice(start, int(np.clip(np.ceil(positions.max()), start + 1, count)))


def _features(outlines: Any) -> list[dict[str, Any]]:
    rings = shapely.get_coordinates(outlines).reshape(-1, 1, 5, 2).tolist()
    return [{"geometry": {"type": "Polygon", "coordinates": ring}} for ring in rings]
