"""Elevation and population in GeoTIFF, or in another raster form that GDAL reads."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from airshed.data.static.files import Wanted
from airshed.data.static.raster import Raster
from airshed.errors import AirshedError

Floats = npt.NDArray[np.floating[Any]]


def open_geotiff(wanted: Wanted) -> Raster:
    """The raster in one band of a file.

    Raises:
        AirshedError: It cannot be read, is rotated or not placed on the earth, or has several
            bands of which none was chosen.
    """
    with _opened(wanted) as file:
        band = wanted.layer(file.count) + 1
        transform, crs = file.transform, _crs(file, wanted)
        if transform.b or transform.d or transform.is_identity:
            raise AirshedError(
                "a raster is not placed along the axes of its coordinates",
                where=wanted.path,
                expected="a geotransform without rotation",
                found=tuple(transform)[:6],
                hint="bring it to longitude and latitude: gdalwarp -t_srs EPSG:4326",
            )
        south_up, rows, columns = transform.e > 0, file.height, file.width
        units = file.units[band - 1]
    north = transform.f + (transform.e * rows if south_up else 0.0)

    def read(row_part: slice, column_part: slice) -> Floats:
        chosen = _flipped(row_part, rows) if south_up else row_part
        with _opened(wanted) as file:
            window = Window.from_slices(chosen, column_part)
            try:
                stored = file.read(band, window=window, masked=True)
            except RasterioError as error:
                raise _unreadable(wanted, error.__cause__ or error) from error
            values = np.ma.filled(stored.astype(np.float64), np.nan)
            values = values * file.scales[band - 1] + file.offsets[band - 1]
        return values[::-1] if south_up else values

    return Raster(
        where=f"{wanted.path}, band {band}",
        units=units or None,
        west=transform.c,
        north=north,
        step_x=transform.a,
        step_y=abs(transform.e),
        rows=rows,
        columns=columns,
        crs=crs,
        read=read,
    )


def _opened(wanted: Wanted) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # refused below
            return rasterio.open(wanted.path)
    except RasterioError as error:
        raise _unreadable(wanted, error) from error


def _unreadable(wanted: Wanted, error: BaseException) -> AirshedError:
    return AirshedError(
        f"the file with {wanted.name} cannot be read",
        where=wanted.path,
        expected="NetCDF or GeoTIFF",
        found=error,
        hint=f"correct dataset.{wanted.name}_file, or fetch the file again",
    )


def _crs(file: Any, wanted: Wanted) -> CRS:
    stated = wanted.stated_crs()
    stored = None if file.crs is None else CRS.from_user_input(file.crs.to_wkt())
    if stored is not None and stated is not None and not _alike(stored, stated):
        raise AirshedError(
            "a file's coordinate reference system contradicts the configuration",
            where=wanted.path,
            expected=f"{stated.name} (dataset.static_crs)",
            found=stored.name,
            hint="remove dataset.static_crs: it is for files that state none",
        )
    crs = stored or stated
    if crs is None:
        raise AirshedError(
            "a raster does not say where on the earth it lies",
            where=wanted.path,
            expected="a coordinate reference system",
            found=f"none; corners at {tuple(file.bounds)}",
            hint="if these are degrees of longitude and latitude, set dataset.static_crs:"
            " EPSG:4326; if not, assign one with gdal_edit.py -a_srs",
        )
    return crs


def _alike(one: CRS, other: CRS) -> bool:
    both_degrees = one.is_geographic and other.is_geographic
    return both_degrees or bool(one.equals(other, ignore_axis_order=True))


def _flipped(part: slice, count: int) -> slice:
    return slice(count - part.stop, count - part.start)
