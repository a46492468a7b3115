"""Made files in the forms of gridded series that are published: the same weather in all of them.

What they hold is :func:`truth`, so that a reader can be compared with the numbers that were
written. Values vary with time, cell and quantity.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.variables import HOURLY

START = pd.Timestamp("2016-03-01")
LAT = 40.0 - 0.75 * np.arange(4)
LON = 100.5 + 0.75 * np.arange(6)
GASES = {"so2": 64.066, "no2": 46.0055, "co": 28.0101, "o3": 47.9982}  # g mol-1
R, M_AIR = 8.314462618, 28.9647

Fields = dict[str, np.ndarray]


def times_of(days: int = 1, step_h: int = 3, start: pd.Timestamp = START) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=days * 24 // step_h, freq=f"{step_h}h")


def truth(times: pd.DatetimeIndex, shape: tuple[int, int] = (4, 6)) -> Fields:
    """Fields [T, Y, X] of every hourly quantity in canonical units, rows from north to south."""
    hours = ((times - START) / pd.Timedelta(hours=1)).to_numpy()[:, None, None]
    cells = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    wave = np.sin(hours / 5 + cells / 7)
    fields = {
        "u": 4 * wave + 1,
        "v": -3 * wave + 0.1 * cells,
        "temp": 285 + 5 * wave + 0.1 * cells,
        "rh": 50 + 20 * wave + 0.2 * cells,
        "psfc": 95_000 + 800 * wave - 10 * cells,
        "pm10": 90 + 30 * wave + cells,
        "so2": 12 + 4 * wave + 0.1 * cells,
        "no2": 30 + 9 * wave + 0.2 * cells,
        "co": 0.7 + 0.2 * wave + 0.01 * cells,
        "o3": 60 + 25 * wave + 0.3 * cells,
        "pm25": 55 + 20 * wave + 0.5 * cells,
    }
    return {name: fields[name] + 0 * hours for name in HOURLY}


def mixing_ratio(fields: Fields, name: str, molar: bool) -> np.ndarray:
    """kg kg-1 or mol mol-1 of a gas whose concentration is given, from the ideal gas law."""
    kg_m3 = fields[name] * (1e-6 if name == "co" else 1e-9)
    moles_of_air = fields["psfc"] / (R * fields["temp"])
    return kg_m3 / (moles_of_air * (GASES[name] if molar else M_AIR) / 1000)


def vapour_pa(fields: Fields) -> np.ndarray:
    celsius = fields["temp"] - 273.15
    return fields["rh"] / 100 * 610.94 * np.exp(17.625 * celsius / (celsius + 243.04))


def dew_point(fields: Fields) -> np.ndarray:
    """K; the saturation formula solved for the temperature."""
    x = np.log(vapour_pa(fields) / 610.94)
    return 243.04 * x / (17.625 - x) + 273.15


def eac4_fields(times: pd.DatetimeIndex, **changes: Any) -> dict[str, dict[str, Any]]:
    """Values and units of EAC4's variables: single levels, and model level 60."""
    fields = truth(times)
    gas = {name: mixing_ratio(fields, name, molar=False) for name in GASES}
    surface = {
        "u10": (fields["u"], "m s**-1"),
        "v10": (fields["v"], "m s**-1"),
        "t2m": (fields["temp"], "K"),
        "d2m": (dew_point(fields), "K"),
        "sp": (fields["psfc"], "Pa"),
        "pm10": (fields["pm10"] * 1e-9, "kg m**-3"),
        "pm2p5": (fields["pm25"] * 1e-9, "kg m**-3"),
    }
    level = {{"o3": "go3"}.get(name, name): (gas[name], "kg kg**-1") for name in gas}
    return {"sfc": surface | changes, "mlev": level}


def write_eac4_new(folder: Path, times: pd.DatetimeIndex) -> dict[str, Path]:
    """As the Atmosphere Data Store has written since 2024: two NetCDF-4 files, single precision.

    Dimensions valid_time, model_level, latitude, longitude; seconds since 1970; a scalar number, a
    text expver for each time.
    """
    paths = {}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, variables in eac4_fields(times).items():
        dims: tuple[str, ...] = ("valid_time", "latitude", "longitude")
        if kind == "mlev":
            dims = (dims[0], "model_level", *dims[1:])
        fields = {
            name: (
                dims,
                (values[:, None] if kind == "mlev" else values).astype(np.float32),
                {"units": units, "GRIB_shortName": name, "standard_name": "unknown"},
            )
            for name, (values, units) in variables.items()
        }
        coords: dict[str, Any] = {
            "number": ((), 0, {"units": "1", "standard_name": "realization"}),
            "valid_time": ("valid_time", times, {"standard_name": "time", "long_name": "time"}),
            "latitude": ("latitude", LAT, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": ("longitude", LON, {"units": "degrees_east"}),
            "expver": ("valid_time", np.array(["0001"] * len(times))),
        }
        if kind == "mlev":
            coords["model_level"] = ("model_level", [60.0], {"units": "1", "positive": "down"})
        made = xr.Dataset(fields, coords, {"Conventions": "CF-1.7", "institution": "ECMWF"})
        encoding: dict[str, Any] = {
            name: {"zlib": True, "chunksizes": _chunks(made[name].shape)} for name in fields
        }
        encoding["valid_time"] = {"units": "seconds since 1970-01-01", "dtype": "int64"}
        paths[kind] = folder / f"data_{kind}.nc"
        made.to_netcdf(paths[kind], encoding=encoding)
    return paths


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (max(1, shape[0] // 2), *shape[1:])


def write_zip(path: Path, members: Mapping[str, Path]) -> Path:
    """A zip such as the Data Store sends: ``data_sfc.nc`` and ``data_mlev.nc``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in members.values():
            archive.write(file, file.name)
            file.unlink()
    return path


def write_eac4_old(path: Path, times: pd.DatetimeIndex, level: bool = True) -> Path:
    """As the Data Store wrote until 2024: NetCDF-3, packed shorts, hours since 1900.

    Args:
        path: The file.
        times: In it.
        level: Whether the file has a dimension of levels, 59 and 60.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    every = eac4_fields(times)
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        file.Conventions = "CF-1.6"
        sizes = {"longitude": len(LON), "latitude": len(LAT), "time": None}
        for name, size in sizes.items():
            file.createDimension(name, size)
        _axis(file, "longitude", LON, "degrees_east")
        _axis(file, "latitude", LAT, "degrees_north")
        if level:
            file.createDimension("level", 2)
            axis = file.createVariable("level", "i4", ("level",))
            axis.units, axis.long_name = "~", "model_level_number"
            axis[:] = [59, 60]
        axis = file.createVariable("time", "i4", ("time",))
        axis.units, axis.calendar = "hours since 1900-01-01 00:00:00.0", "gregorian"
        axis[:] = ((times - pd.Timestamp("1900-01-01")) / pd.Timedelta(hours=1)).to_numpy()
        for kind, variables in every.items():
            for name, (values, units) in variables.items():
                along = ("level",) if level and kind == "mlev" else ()
                _packed(file, name, values, units, ("time", *along, "latitude", "longitude"))
    return path


def _axis(file: Any, name: str, values: np.ndarray, units: str) -> None:
    axis = file.createVariable(name, "f4", (name,))
    axis.units, axis.long_name = units, name
    axis[:] = values


def _packed(file: Any, name: str, values: np.ndarray, units: str, dims: tuple[str, ...]) -> None:
    """Shorts over the range of the values, the first level with other values than the last."""
    variable = file.createVariable(name, "i2", dims, fill_value=np.int16(-32767))
    low, high = float(values.min()), float(values.max()) * 1.1
    variable.scale_factor = (high - low) / 65_000
    variable.add_offset = (high + low) / 2
    variable.missing_value, variable.units = np.int16(-32767), units
    variable[:] = np.stack([values * 1.05, values], axis=1) if "level" in dims else values


def dataset(path: Path, days: int = 1, **changes: Any) -> DatasetConfig:
    """A dataset of these files on their own grid."""
    end = START + pd.Timedelta(days=days - 1)
    return DatasetConfig.model_validate(
        {
            "name": "cams",
            "source": "gridded",
            "path": str(path),
            "elevation_file": "unused",
            "population_file": "unused",
            "time_step_h": 3,
            "period": {"start": f"{START:%Y-%m-%d}", "end": f"{end:%Y-%m-%d}"},
            "grid": {"rows": 4, "columns": 6},
        }
        | changes
    )
