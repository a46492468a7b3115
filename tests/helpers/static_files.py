"""Hand-made files of elevation and population in the forms that people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import rasterio
from rasterio.transform import from_origin

MISSING = -32768


def write_netcdf(
    path: Path,
    values: np.ndarray,
    lat: np.ndarray,
    lon: np.ndarray,
    *,
    name: str = "z",
    units: str | None = "m",
    dimensions: tuple[str, ...] = ("lat", "lon"),
    dtype: str = "f8",
    **attributes: Any,
) -> Path:
    """A field with one- or two-dimensional coordinates, in the order of ``dimensions``."""
    plane = ("lat", "lon") if lat.ndim == 1 else ("row", "column")
    sizes = dict(zip(plane, (lat.shape[0], lon.shape[-1]), strict=True))
    names = dimensions if lat.ndim == 1 else plane
    with netCDF4.Dataset(path, "w") as file:
        for dimension, size in zip(names, values.shape, strict=True):
            file.createDimension(dimension, sizes.get(dimension, size))
        for axis, coordinate, unit in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            held = (axis,) if coordinate.ndim == 1 else plane
            variable = file.createVariable(axis, "f8", held)
            variable.units = unit
            variable[:] = coordinate
        field = file.createVariable(name, dtype, names, fill_value=MISSING)
        field.setncatts({"units": units} | attributes if units is not None else attributes)
        field[:] = np.ma.masked_invalid(values)
    return path


def write_geotiff(
    path: Path,
    values: np.ndarray,
    west: float,
    north: float,
    step: float,
    *,
    crs: str | None = "EPSG:4326",
    dtype: str = "float64",
    south_up: bool = False,
    bands: int = 1,
) -> Path:
    """Values [rows southwards, columns]; with ``south_up`` they are stored the other way round."""
    transform = from_origin(west, north, step, step)
    stored = np.where(np.isfinite(values), values, MISSING)
    if south_up:
        transform = rasterio.Affine(step, 0, west, 0, step, north - step * len(values))
        stored = stored[::-1]
    form = {"driver": "GTiff", "height": stored.shape[0], "width": stored.shape[1]}
    with rasterio.open(
        path, "w", **form, count=bands, dtype=dtype, crs=crs, transform=transform, nodata=MISSING
    ) as file:
        for band in range(1, bands + 1):
            file.write((stored * band).astype(dtype), band)
    return path
