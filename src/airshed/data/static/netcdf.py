"""Elevation and population in NetCDF, with one- or two-dimensional coordinates in degrees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import netCDF4
import numpy as np

from airshed.arrays import Floats
from airshed.data.netcdf_library import within_limit
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.raster import WGS84, Raster
from airshed.data.static.wanted import Wanted
from airshed.errors import AirshedError
from airshed.variables import POSITIONS

Result = TypeVar("Result")
UNEVEN = 0.02  # of a step: single-precision coordinates of fine grids are off by less


def open_netcdf(wanted: Wanted) -> Raster | Curvilinear:
    """The field of one variable; a raster if its coordinates are evenly spaced axes.

    Raises:
        AirshedError: The file cannot be read, or its coordinates or variable are not clear.
    """
    return _reading(wanted, lambda: _open(wanted))


def _reading(wanted: Wanted, call: Callable[[], Result]) -> Result:
    try:
        return within_limit(call, wanted.path, wanted.fetch_again)
    except (OSError, RuntimeError) as error:
        raise wanted.unreadable(error) from error


def _open(wanted: Wanted) -> Raster | Curvilinear:
    with netCDF4.Dataset(wanted.path) as file:
        lat, lon = _coordinates(file, wanted)
        variable = _chosen(file, lat, lon, wanted)
        where = f"{wanted.path}, variable {variable.name}"
        units = getattr(variable, "units", None)
        along_axes = lat.ndim == lon.ndim == 1
        axes = lat.dimensions + lon.dimensions if along_axes else lat.dimensions[-2:]
        window = partial(_window, variable.name, axes, _layers(variable, axes, wanted))
        if along_axes:
            rows, columns = _floats(lat[:]), np.unwrap(_floats(lon[:]), period=360)
            if _even(rows) and _even(columns):
                return _raster(wanted, where, units, rows, columns, window)
            lat_deg, lon_deg = np.meshgrid(rows, columns, indexing="ij")
        else:
            lat_deg, lon_deg = _plane(lat, where), _plane(lon, where)
        values = window(file, slice(None), slice(None))
    return Curvilinear(where, units, values, lat_deg, lon_deg)


def _raster(
    wanted: Wanted,
    where: str,
    units: str | None,
    lat: Floats,
    lon: Floats,
    window: Callable[[Any, slice, slice], Floats],
) -> Raster:
    step_y, step_x = (float(axis[-1] - axis[0]) / (len(axis) - 1) for axis in (lat, lon))

    def read(rows: slice, columns: slice) -> Floats:
        with netCDF4.Dataset(wanted.path) as file:
            return window(file, rows, columns)

    return Raster(
        where=where,
        units=units,
        rows=len(lat),
        # some files repeat the first meridian at the end
        columns=min(len(lon), round(360 / abs(step_x))),
        x=lon[0] - step_x / 2,
        y=lat[0] - step_y / 2,
        step_x=step_x,
        step_y=step_y,
        crs=WGS84,
        read=lambda *part: _reading(wanted, lambda: read(*part)),
    )


def _coordinates(file: Any, wanted: Wanted) -> tuple[Any, Any]:
    """The variables with latitude and longitude."""
    found = [
        [variable for variable in file.variables.values() if _is(variable, name, wanted)]
        for name in POSITIONS
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


def _is(variable: Any, name: str, wanted: Wanted) -> bool:
    """Whether a variable holds this coordinate, by its CF attributes or its name."""
    if variable.ndim not in (1, 2, 3) or not _numeric(variable):
        return False
    word, units = (
        ("latitude", "degrees_north") if name == "lat2d" else ("longitude", "degrees_east")
    )
    stated = getattr(variable, "standard_name", None), getattr(variable, "units", None)
    return (
        word in stated or units in stated or wanted.quantities.canonical_name(variable.name) == name
    )


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
        known = [name for name in fields if wanted.quantities.canonical_name(name) == wanted.name]
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


def _layers(variable: Any, axes: tuple[str, ...], wanted: Wanted) -> dict[str, int]:
    """Which position is read along each dimension that is neither of rows nor of columns."""
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    others = {name: size for name, size in sizes.items() if name not in axes}
    if sum(size > 1 for size in others.values()) > 1:
        raise AirshedError(
            "a variable has too many dimensions",
            where=f"{wanted.path}, variable {variable.name}",
            expected="rows, columns and at most one dimension of layers",
            found=f"{variable.dimensions} of sizes {variable.shape}",
        )
    layer = wanted.layer(max(others.values(), default=1))
    return {name: min(layer, size - 1) for name, size in others.items()}


def _window(
    name: str,
    axes: tuple[str, str],
    layers: dict[str, int],
    file: Any,
    rows: slice,
    columns: slice,
) -> Floats:
    """Values [rows, columns] of a variable, in whatever order it is stored."""
    variable = file.variables[name]
    index = dict(zip(axes, (rows, columns), strict=True)) | layers
    values = _floats(variable[tuple(index[dimension] for dimension in variable.dimensions)])
    rows_first = variable.dimensions.index(axes[0]) < variable.dimensions.index(axes[1])
    return values if rows_first else values.T


def _floats(stored: Any) -> Floats:
    values: Floats = np.ma.filled(np.ma.asarray(stored).astype(np.float64), np.nan)
    return values


def _plane(coordinate: Any, where: str) -> Floats:
    values = _floats(coordinate[:])
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
