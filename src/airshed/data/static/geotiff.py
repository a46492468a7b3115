"""Elevation and population in GeoTIFF, or in another raster form that GDAL reads."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from airshed.arrays import Floats
from airshed.data.static.raster import Raster
from airshed.data.static.wanted import Wanted
from airshed.errors import AirshedError


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
        return Raster(
            where=f"{wanted.path}, band {band}",
            units=file.units[band - 1] or None,
            rows=file.height,
            columns=file.width,
            x=transform.c,
            y=transform.f,
            step_x=transform.a,
            step_y=transform.e,
            crs=crs,
            read=partial(_window, wanted, band),
        )


def _window(wanted: Wanted, band: int, rows: slice, columns: slice) -> Floats:
    with _opened(wanted) as file:  # once opened and left open, it would fill GDAL's cache
        try:
            stored = file.read(band, window=Window.from_slices(rows, columns), masked=True)
        except RasterioError as error:
            raise wanted.unreadable(error.__cause__ or error) from error
        values: Floats = np.ma.filled(stored.astype(np.float64), np.nan)
        return values * file.scales[band - 1] + file.offsets[band - 1]


def _opened(wanted: Wanted) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # refused above
            return rasterio.open(wanted.path)
    except RasterioError as error:
        raise wanted.unreadable(error) from error


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
            "a raster has no coordinate reference system",
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
