"""Elevation and population in NetCDF, with one- or two-dimensional coordinates in degrees."""

from __future__ import annotations

from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from airshed.data.netcdf_library import within_limit
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.files import Wanted
from airshed.data.static.raster import WGS84, Raster
from airshed.errors import AirshedError
from airshed.variables import canonical_name

Floats = npt.NDArray[np.floating[Any]]
UNEVEN = 0.02  # of a step: single-precision coordinates of fine grids are off by less


def open_netcdf(wanted: Wanted) -> Raster | Curvilinear:
    """The field of one variable; read at once only if its coordinates are two-dimensional.

    Raises:
        AirshedError: The file cannot be read, or its coordinates or variable are not clear.
    """
    hint = f"correct dataset.{wanted.name}_file, or fetch the file again"
    try:
        return within_limit(lambda: _open(wanted), wanted.path, hint)
    except (OSError, RuntimeError) as error:
        raise AirshedError(
            f"the file with {wanted.name} cannot be read",
            where=wanted.path,
            found=f"{type(error).__name__}: {error}",
            hint=hint,
        ) from error


def _open(wanted: Wanted) -> Raster | Curvilinear:
    with netCDF4.Dataset(wanted.path) as file:
        lat, lon = _coordinates(file, wanted)
        variable = _chosen(file, lat, lon, wanted)
        where = f"{wanted.path}, variable {variable.name}"
        units = getattr(variable, "units", None)
        if lat.ndim == lon.ndim == 1:
            south_north, west_east = _values(lat), np.unwrap(_values(lon), period=360)
            if _even(south_north) and _even(west_east):
                axes = (lat.dimensions[0], lon.dimensions[0])
                return _raster(wanted, variable, axes, (south_north, west_east))
            lat_deg, lon_deg = np.meshgrid(south_north, west_east, indexing="ij")
            axes = (lat.dimensions[0], lon.dimensions[0])
        else:
            lat_deg, lon_deg = _plane(lat, where), _plane(lon, where)
            axes = lat.dimensions[-2:]
        everything = (slice(0, lat_deg.shape[0]), slice(0, lat_deg.shape[1]))
        values = _window(variable, axes, everything, wanted)
    return Curvilinear(where, units, values, lat_deg, lon_deg)


def _raster(
    wanted: Wanted, variable: Any, axes: tuple[str, str], centres: tuple[Floats, Floats]
) -> Raster:
    """A regular grid, with rows turned southwards and columns eastwards when they are read."""
    lat, lon = centres
    step_y, step_x = abs(lat[-1] - lat[0]) / (len(lat) - 1), abs(lon[-1] - lon[0]) / (len(lon) - 1)
    turned = (
        slice(None, None, -1 if lat[0] < lat[-1] else 1),
        slice(None, None, -1 if lon[0] > lon[-1] else 1),
    )
    around = round(360 / step_x)
    name = variable.name

    def read(*window: slice) -> Floats:
        return within_limit(lambda: stored(*window), wanted.path, "fetch the file again")

    def stored(*window: slice) -> Floats:
        chosen = [
            slice(count - part.stop, count - part.start) if turn.step < 0 else part
            for part, turn, count in zip(window, turned, (len(lat), len(lon)), strict=True)
        ]
        with netCDF4.Dataset(wanted.path) as file:
            return _window(file.variables[name], axes, (chosen[0], chosen[1]), wanted)[turned]

    return Raster(
        where=f"{wanted.path}, variable {name}",
        units=getattr(variable, "units", None),
        west=float(lon.min() - step_x / 2),
        north=float(lat.max() + step_y / 2),
        step_x=float(step_x),
        step_y=float(step_y),
        rows=len(lat),
        columns=min(len(lon), around),  # some files repeat the first meridian at the end
        crs=WGS84,
        read=read,
    )


def _coordinates(file: Any, wanted: Wanted) -> tuple[Any, Any]:
    """The variables with latitude and longitude."""
    found = [
        [variable for variable in file.variables.values() if _is(variable, name)]
        for name in ("lat2d", "lon2d")
    ]
    if all(len(each) == 1 for each in found):
        return found[0][0], found[1][0]
    stated = wanted.stated_crs()
    plain = [file.variables.get(name) for name in ("y", "x")]
    if not any(found) and all(plain) and stated is not None and stated.is_geographic:
        return plain[0], plain[1]
    names = [", ".join(variable.name for variable in each) or "none" for each in found]
    raise AirshedError(
        "the latitudes and longitudes of a file are not clear",
        where=wanted.path,
        expected="one variable of each, in degrees",
        found=f"latitude: {names[0]}; longitude: {names[1]}; in the file:"
        f" {', '.join(file.variables)}",
        hint="bring a projected field to degrees, for example with gdalwarp -t_srs EPSG:4326; where"
        " x and y are degrees already, set dataset.static_crs: EPSG:4326",
    )


def _numeric(variable: Any) -> bool:
    return getattr(variable.dtype, "kind", "O") in "fiu"  # of text it is a Python class


def _is(variable: Any, name: str) -> bool:
    """Whether a variable holds this coordinate, by its CF attributes or its name."""
    if variable.ndim not in (1, 2, 3) or not _numeric(variable):
        return False
    word, units = (
        ("latitude", "degrees_north") if name == "lat2d" else ("longitude", "degrees_east")
    )
    said = getattr(variable, "standard_name", None), getattr(variable, "units", None)
    return word in said or units in said or canonical_name(variable.name) == name


def _chosen(file: Any, lat: Any, lon: Any, wanted: Wanted) -> Any:
    """The variable with the field: the named one, the one known by name, or the only one."""
    axes = set(lat.dimensions[-2:]) | set(lon.dimensions[-2:])
    fields = {
        name: variable
        for name, variable in file.variables.items()
        if axes <= set(variable.dimensions)
        and _numeric(variable)
        and name not in (lat.name, lon.name)
    }
    if wanted.variable is None:
        known = [name for name in fields if canonical_name(name) == wanted.name]
        if len(known) == 1 or len(fields) == 1:
            return fields[known[0] if len(known) == 1 else next(iter(fields))]
    elif wanted.variable in fields:
        return fields[wanted.variable]
    raise AirshedError(
        f"the variable with {wanted.name} is not clear",
        where=wanted.path,
        expected=wanted.variable or f"one variable, or one called {wanted.name}",
        found=", ".join(fields) or "no variable over latitude and longitude",
        hint=f"set dataset.{wanted.name}_variable to one that is found",
    )


def _window(
    variable: Any, axes: tuple[str, str], window: tuple[slice, slice], wanted: Wanted
) -> Floats:
    """Values of a window; further dimensions are layers, of which one is read."""
    others = [
        size
        for dimension, size in zip(variable.dimensions, variable.shape, strict=True)
        if dimension not in axes
    ]
    if len([size for size in others if size > 1]) > 1:
        raise AirshedError(
            "a variable has too many dimensions",
            where=f"{wanted.path}, variable {variable.name}",
            expected="rows, columns and at most one dimension of layers",
            found=f"{variable.dimensions} of sizes {variable.shape}",
        )
    layer = wanted.layer(max(others, default=1))
    index = tuple(
        window[axes.index(dimension)] if dimension in axes else min(layer, size - 1)
        for dimension, size in zip(variable.dimensions, variable.shape, strict=True)
    )
    values = np.ma.filled(np.ma.asarray(variable[index]).astype(np.float64), np.nan)
    order = [dimension for dimension in variable.dimensions if dimension in axes]
    return values if order == list(axes) else values.T


def _values(coordinate: Any) -> Floats:
    return np.ma.filled(np.ma.asarray(coordinate[:]).astype(np.float64), np.nan)


def _plane(coordinate: Any, where: str) -> Floats:
    values = _values(coordinate)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2:
        raise AirshedError(
            "a coordinate has the wrong dimensions",
            where=where,
            expected="latitude and longitude both with one dimension, or both with two",
            found=f"{coordinate.name} {coordinate.dimensions} of sizes {coordinate.shape}",
        )
    return values


def _even(centres: Floats) -> bool:
    even = np.linspace(centres[0], centres[-1], len(centres))
    step = abs(centres[-1] - centres[0]) / max(len(centres) - 1, 1)
    return len(centres) > 1 and bool(np.abs(centres - even).max() < UNEVEN * step)
