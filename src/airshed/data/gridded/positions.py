"""Where the cells of a file are, and the part of them that is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pyproj import CRS, Proj
from pyproj.exceptions import CRSError

from airshed.arrays import Floats
from airshed.config.grids import Box
from airshed.data.native import GRID_TOLERANCE_DEG, block_of
from airshed.errors import AirshedError, refusing
from airshed.variables import CAQRA

WORDS = {
    "lat2d": ("latitude", ("degrees_north", "degree_north", "degrees_N", "degreesN")),
    "lon2d": ("longitude", ("degrees_east", "degree_east", "degrees_E", "degreesE")),
}
OF_WPS = {"XLAT_M": "lat2d", "XLONG_M": "lon2d"}
"""What files made before a run of WRF, such as geo_em, call the positions of cells."""
IOAPI_SPHERE_M = 6_370_000.0  # of MM5 and WRF, which CMAQ's grids come from


@dataclass(frozen=True)
class Run:
    """Neighbouring columns, read at once.

    Attributes:
        columns: Where they are in the file.
        backwards: Whether they run from east to west there.
    """

    columns: slice
    backwards: bool


@dataclass(frozen=True)
class Positions:
    """Positions of the cells that are read, and where they are in the file.

    Attributes:
        lat_deg: [Y, X].
        lon_deg: [Y, X], one continuous range.
        row: Dimension of rows.
        column: Dimension of columns.
        rows: Rows in the file.
        turned: Whether rows run from south to north there.
        runs: Columns in the file, from west to east; two runs where the file's seam is crossed.
    """

    lat_deg: Floats
    lon_deg: Floats
    row: str
    column: str
    rows: slice
    turned: bool
    runs: tuple[Run, ...]

    def __str__(self) -> str:
        corner = f"{self.lat_deg[0, 0]:.3f} N {self.lon_deg[0, 0]:.3f} E"
        return f"{self.lat_deg.shape}, corner at {corner}"

    def same_as(self, other: Positions) -> bool:
        """Whether both are of the same cells."""
        if self is other:
            return True
        pairs = ((self.lat_deg, other.lat_deg), (self.lon_deg, other.lon_deg))
        return self.lat_deg.shape == other.lat_deg.shape and all(
            np.allclose(one, another, rtol=0, atol=GRID_TOLERANCE_DEG) for one, another in pairs
        )

    def digest(self) -> bytes:
        """A hash of all values."""
        parts = hashlib.sha256()
        for name, value in vars(self).items():
            parts.update(f"{name} {np.shape(value)} ".encode())
            parts.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return parts.digest()


def positions_of(dataset: xr.Dataset, box: Box | None, where: object) -> Positions:
    """The positions of a file's cells in a box, or of all.

    Rows of a longitude-latitude grid come from north to south and columns from west to east,
    whatever their order in the file; of other grids they keep their order.

    Raises:
        AirshedError: They are not clear, or the box holds none of them.
    """
    if "GDTYP" in dataset.attrs and not _named(dataset, "lat2d"):
        row, column, lat, lon = _of_ioapi(dataset.attrs, where)
    else:
        names = [_coordinate(dataset, name, where) for name in WORDS]
        lat_axis, lon_axis = (dataset[name].squeeze() for name in names)
        if lat_axis.ndim == lon_axis.ndim == 1 and lat_axis.dims != lon_axis.dims:
            return _along_axes(lat_axis, lon_axis, box, where)
        row, column, lat, lon = _in_plane(dataset, names, where)
    return _of_block(row, column, lat, _continuous(lon), box)


def _of_block(row: str, column: str, lat: Floats, lon: Floats, box: Box | None) -> Positions:
    """The smallest block of cells that holds the box."""
    rows, columns = (slice(0, size) for size in lat.shape)
    if box is not None:
        first, last, left, right = block_of(box, lat, lon)
        rows, columns = slice(int(first), int(last)), slice(int(left), int(right))
    part = rows, columns
    return Positions(lat[part], lon[part], row, column, rows, False, (Run(columns, False),))


def _along_axes(lat: xr.DataArray, lon: xr.DataArray, box: Box | None, where: object) -> Positions:
    """Of a longitude-latitude grid; a box may lie across the seam of the file's longitudes."""
    north, east = (axis.values.astype(np.float64) for axis in (lat, lon))
    for axis, values in ((lat, north), (lon, np.unwrap(east, period=360))):
        steps = np.diff(values)
        if not (np.isfinite(values).all() and ((steps > 0).all() or (steps < 0).all())):
            raise AirshedError(
                "the positions along an axis do not rise or fall steadily",
                where=f"{where}, {axis.name}",
                expected="degrees, in order",
                found=", ".join(f"{value:g}" for value in values[:6]),
            )
    if box is None:
        wanted, around = np.arange(len(east)), _continuous(np.unwrap(east, period=360)[None])[0]
        wanted = wanted[np.argsort(around, kind="stable")]
        rows, around = slice(0, len(north)), around[wanted]
    else:
        block_of(box, *np.meshgrid(north, east, indexing="ij"))  # refuses a box without cells
        inside = np.flatnonzero((north >= box.south) & (north <= box.north))
        rows = slice(int(inside[0]), int(inside[-1]) + 1)
        beyond = np.round((east - box.west) % 360, 6) % 360
        beyond, wanted = np.unique(beyond, return_index=True)  # some files repeat a meridian
        wanted = wanted[beyond <= box.east - box.west]
        around = box.west + beyond[: len(wanted)]
    turned = bool(north[0] < north[-1])
    lat_deg, lon_deg = np.meshgrid(
        north[rows][::-1] if turned else north[rows], around, indexing="ij"
    )
    row, column = str(lat.dims[0]), str(lon.dims[0])
    return Positions(lat_deg, lon_deg, row, column, rows, turned, tuple(_runs(wanted)))


def _runs(wanted: npt.NDArray[np.intp]) -> Iterator[Run]:
    """Columns as stretches of neighbours."""
    for part in np.split(wanted, np.flatnonzero(np.abs(np.diff(wanted)) != 1) + 1):
        backwards = len(part) > 1 and part[0] > part[1]
        yield Run(slice(int(part.min()), int(part.max()) + 1), bool(backwards))


def _continuous(lon_deg: Floats) -> Floats:
    """Longitudes without a jump between neighbours, around their middle.

    The middle is taken from -90 to 270, so that regions have longitudes from -180 to 360.
    """
    middle = np.degrees(np.angle(np.mean(np.exp(1j * np.radians(lon_deg)))))
    middle = (middle + 90) % 360 - 90
    if np.ptp(lon_deg) < 360 and lon_deg.min() >= -180 and lon_deg.max() <= 360:
        jumps = np.abs(np.diff(lon_deg, axis=1)).max(initial=0) > 180
        if not jumps:
            return lon_deg
    around: Floats = middle + (lon_deg - middle + 180) % 360 - 180
    return around


def _in_plane(
    dataset: xr.Dataset, names: list[str], where: object
) -> tuple[str, str, Floats, Floats]:
    """Two-dimensional positions; those of each time must be the same."""
    lat, lon = (dataset[name] for name in names)
    row, column = map(str, lat.dims[-2:]) if lat.ndim > 1 else ("", "")
    if lat.ndim < 2 or lat.dims != lon.dims:
        raise AirshedError(
            "the positions of a grid's cells are not understood",
            where=where,
            expected="latitude and longitude along one dimension each, or both along the same two",
            found=f"{lat.name}{lat.dims}, {lon.name}{lon.dims}",
        )
    planes: list[Floats] = []
    for each in (lat, lon):
        extra = {name: size for name, size in each.sizes.items() if name not in (row, column)}
        first, last = (
            each.isel(dict.fromkeys(extra, place)).values.astype(np.float64) for place in (0, -1)
        )
        if not np.array_equal(first, last, equal_nan=True):
            raise AirshedError(
                "the grid of a series changes within a file",
                where=f"{where}, {each.name}",
                expected="the same positions at all times",
                hint="a moving nest is no series on one grid",
            )
        planes.append(first)
    return row, column, planes[0], planes[1]


def _named(dataset: xr.Dataset, meaning: str) -> list[str]:
    """Variables that may hold this coordinate: by their names, else by their CF attributes."""
    word, units = WORDS[meaning]
    plain = {
        str(name): each for name, each in dataset.variables.items() if each.dtype.kind in "iuf"
    }
    plain = {name: each for name, each in plain.items() if 1 <= each.ndim <= 4}
    by_name = [name for name in plain if meaning in (CAQRA.canonical_name(name), OF_WPS.get(name))]
    by_attributes = [
        name
        for name, each in plain.items()
        if each.attrs.get("standard_name") == word or each.attrs.get("units") in units
    ]
    return by_name or by_attributes


def _coordinate(dataset: xr.Dataset, meaning: str, where: object) -> str:
    found = _named(dataset, meaning)
    if len(found) != 1:
        raise AirshedError(
            f"the {WORDS[meaning][0]}s of a series are not clear",
            where=where,
            expected="one variable, in degrees",
            found=", ".join(found) or ", ".join(map(str, dataset.variables)),
            hint="name a file that has them in dataset.gridded.positions_file (of CMAQ: GRIDCRO2D)",
        )
    return found[0]


def _of_ioapi(attributes: dict[Any, Any], where: object) -> tuple[str, str, Floats, Floats]:
    """Positions of the cells of an IOAPI grid, from the attributes that describe it.

    GDTYP and the others are those of "Models-3/EDSS I/O API: Horizontal grids and coordinates".
    """
    with refusing(
        *(KeyError, ValueError, TypeError, CRSError),
        what="the grid of an IOAPI file is not understood",
        where=where,
        expected="GDTYP 1 (longitude-latitude), 2 (Lambert), 6 (polar stereographic) or 7"
        " (Mercator), and P_ALP to YCELL",
        hint="name the GRIDCRO2D file of this grid in dataset.gridded.positions_file",
    ):
        given = {
            name: float(attributes[name])
            for name in ("P_ALP", "P_BET", "P_GAM", "XCENT", "YCENT", "XORIG", "YORIG")
        }
        columns = float(attributes["XCELL"]) * (np.arange(int(attributes["NCOLS"])) + 0.5)
        rows = float(attributes["YCELL"]) * (np.arange(int(attributes["NROWS"])) + 0.5)
        x, y = np.meshgrid(given["XORIG"] + columns, given["YORIG"] + rows)
        project = _projection(int(attributes["GDTYP"]), given)
    if project is None:
        return "ROW", "COL", y, x
    x_origin, y_origin = project(given["XCENT"], given["YCENT"])
    lon, lat = project(x_origin + x, y_origin + y, inverse=True)
    return "ROW", "COL", lat, lon


def _projection(kind: int, given: dict[str, float]) -> Proj | None:
    """The projection of an IOAPI grid; None for longitudes and latitudes."""
    alpha, beta, gamma = given["P_ALP"], given["P_BET"], given["P_GAM"]
    forms = {
        1: None,
        2: f"+proj=lcc +lat_1={alpha} +lat_2={beta} +lon_0={gamma}",
        6: f"+proj=stere +lat_0={90 * alpha} +lat_ts={beta} +lon_0={gamma}",
        7: f"+proj=merc +lat_ts={alpha} +lon_0={gamma}",
    }
    form = forms[kind]
    if form is None:
        return None
    return Proj(CRS.from_proj4(f"{form} +x_0=0 +y_0=0 +R={IOAPI_SPHERE_M} +units=m +no_defs"))
