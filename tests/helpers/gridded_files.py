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
R_DRY, M_AIR = 287.05, 28.9647

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
    air_kg_m3 = fields["psfc"] / (R_DRY * fields["temp"])
    return kg_m3 / air_kg_m3 * (M_AIR / GASES[name] if molar else 1)


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


def humidity_ratio(fields: Fields, dry: bool) -> np.ndarray:
    """kg of vapour in a kg of dry air, or of moist air."""
    vapour = vapour_pa(fields)
    return 0.622 * vapour / (fields["psfc"] - (1 if dry else 1 - 0.622) * vapour)


def write_geos_cf(folder: Path, times: pd.DatetimeIndex) -> Path:
    """As GEOS-CF is published: chemistry and weather of each hour in files of their own.

    Dimensions time, lev, lat, lon; rows from south to north; the middle of the hour, in minutes
    since itself; molar mixing ratios; 1e15 where there is no value. There is no PM10 in them.
    """
    folder.mkdir(parents=True)
    fields = {name: values[:, ::-1] for name, values in truth(times).items()}
    chemistry = {name.upper(): (mixing_ratio(fields, name, True), "mol mol-1") for name in GASES}
    chemistry["PM25_RH35_GCC"] = (fields["pm25"], "ug m-3")
    weather = {
        "U10M": (fields["u"], "m s-1"),
        "V10M": (fields["v"], "m s-1"),
        "U": (fields["u"] * 2, "m s-1"),
        "V": (fields["v"] * 2, "m s-1"),
        "T2M": (fields["temp"], "K"),
        "Q2M": (humidity_ratio(fields, dry=False), "kg kg-1"),
        "PS": (fields["psfc"], "Pa"),
    }
    for kind, variables in (("chm", chemistry), ("met", weather)):
        for number, time in enumerate(times):
            middle = time + pd.Timedelta(minutes=30)
            name = f"GEOS-CF.v01.rpl.{kind}_tavg_1hr_g1440x721_{'vx'[kind == 'met']}1"
            path = folder / f"{name}.{middle:%Y%m%d_%H%M}z.nc4"
            with netCDF4.Dataset(path, "w") as file:
                for axis, size in (("lon", len(LON)), ("lat", len(LAT)), ("lev", 1), ("time", 1)):
                    file.createDimension(axis, size)
                _axis(file, "lon", LON, "degrees_east")
                _axis(file, "lat", LAT[::-1], "degrees_north")
                _axis(file, "lev", np.array([72.0]), "layer")
                clock = file.createVariable("time", "i4", ("time",))
                clock.units = f"minutes since {middle:%Y-%m-%d %H:%M:%S}"
                clock[:] = 0
                for stored, (values, units) in variables.items():
                    dims = ("time", "lev", "lat", "lon")
                    made = file.createVariable(stored, "f4", dims, fill_value=np.float32(1e15))
                    made.units, made.fmissing_value = units, np.float32(1e15)
                    made[:] = values[number][None, None]
    return folder


def write_wrf_chem(folder: Path, times: pd.DatetimeIndex) -> Path:
    """As WRF-Chem writes: no ending, Times as text, XLAT at every time, winds on the cells' edges.

    The lowest of two layers is right; U and V are those of the edges whose means are the truth.
    """
    folder.mkdir(parents=True)
    fields = {name: values[:, ::-1] for name, values in truth(times).items()}
    lon, lat = np.meshgrid(LON, LAT[::-1])
    path = folder / f"wrfout_d01_{times[0]:%Y-%m-%d_%H:%M:%S}"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        sizes = {"DateStrLen": 19, "bottom_top": 2, "south_north": 4, "west_east": 6}
        sizes |= {"south_north_stag": 5, "west_east_stag": 7}
        file.createDimension("Time", None)
        for name, size in sizes.items():
            file.createDimension(name, size)
        clock = file.createVariable("Times", "S1", ("Time", "DateStrLen"))
        texts = np.array([f"{time:%Y-%m-%d_%H:%M:%S}" for time in times], dtype="S19")
        clock[:] = netCDF4.stringtochar(texts)
        minutes = file.createVariable("XTIME", "f4", ("Time",))
        minutes.units = f"minutes since {times[0] - pd.Timedelta(days=5):%Y-%m-%d %H:%M:%S}"
        minutes[:] = (5 * 24 * 60 + (times - times[0]) / pd.Timedelta(minutes=1)).to_numpy()
        plane = ("Time", "south_north", "west_east")
        for name, values, units in (("XLAT", lat, "degree_north"), ("XLONG", lon, "degree_east")):
            made = file.createVariable(name, "f4", plane)
            made.units = units
            made[:] = np.broadcast_to(values, (len(times), 4, 6))
        surface = {"T2": ("temp", "K"), "PSFC": ("psfc", "Pa")}
        for name, (quantity, units) in surface.items():
            _wrf(file, name, fields[quantity], units, plane)
        _wrf(file, "Q2", humidity_ratio(fields, dry=True), "kg kg-1", plane)
        solid = ("Time", "bottom_top", "south_north", "west_east")
        _wrf(file, "PM2_5_DRY", fields["pm25"], "ug m^-3", solid)
        _wrf(file, "PM10", fields["pm10"], "ug m^-3", solid)
        for name in GASES:
            _wrf(file, name, mixing_ratio(fields, name, True) * 1e6, "ppmv", solid)
        _wrf(file, "U", _edges(fields["u"], 2), "m s-1", (*solid[:3], "west_east_stag"))
        _wrf(file, "V", _edges(fields["v"], 1), "m s-1", (*solid[:2], "south_north_stag", solid[3]))
    return folder


def _wrf(file: Any, name: str, values: np.ndarray, units: str, dims: tuple[str, ...]) -> None:
    made = file.createVariable(name, "f4", dims)
    made.units, made.stagger = units, ""
    made[:] = np.stack([values, values * 0.9], axis=1) if "bottom_top" in dims else values


def _edges(values: np.ndarray, axis: int) -> np.ndarray:
    """Values on the edges of cells whose means of both sides are these."""
    cells = np.moveaxis(values, axis, 0)
    edges = [cells[0]]
    for cell in cells:
        edges.append(2 * cell - edges[-1])
    return np.moveaxis(np.stack(edges), 0, axis)


LAMBERT = {"P_ALP": 25.0, "P_BET": 40.0, "P_GAM": 110.0, "XCENT": 110.0, "YCENT": 34.0}


def write_cmaq(folder: Path, times: pd.DatetimeIndex, grid: bool = True) -> Path:
    """As CMAQ and its weather are written by IOAPI: TFLAG, LAY, a projection in attributes.

    Args:
        folder: For ACONC, METCRO2D and, if wanted, GRIDCRO2D, which has the positions.
        times: Whole days; METCRO2D holds the first hour of the next day, too.
        grid: Whether GRIDCRO2D is there.
    """
    folder.mkdir(parents=True)
    fields = {name: values[:, ::-1] for name, values in truth(times).items()}
    direction = (np.degrees(np.arctan2(-fields["u"], -fields["v"]))) % 360
    gases = {name.upper(): (mixing_ratio(fields, name, True) * 1e6, "ppmV") for name in GASES}
    particles = {"PM25_TOT": (fields["pm25"], "ug m-3"), "PM10": (fields["pm10"], "ug m-3")}
    weather = {
        "TEMP2": (fields["temp"], "K"),
        "PRSFC": (fields["psfc"], "Pascal"),
        "Q2": (humidity_ratio(fields, dry=True), "KG/KG"),
        "WSPD10": (np.hypot(fields["u"], fields["v"]), "M/S"),
        "WDIR10": (direction, "DEGREES"),
    }
    for number, day in enumerate(np.unique(times.normalize())):
        here = np.flatnonzero((times >= day) & (times < day + pd.Timedelta(days=1)))
        name = f"CCTM_ACONC_{pd.Timestamp(day):%Y%m%d}.nc"
        _ioapi(folder / name, times[here], _rows(gases | particles, here))
        longer = np.append(here, here[-1] + 1) if here[-1] + 1 < len(times) else here
        name = f"METCRO2D_{pd.Timestamp(day):%y%m%d}"
        _ioapi(folder / f"{name}.nc", times[longer], _rows(weather, longer))
        if grid and number == 0:
            lon, lat = lambert_positions()
            plane = {"LAT": (lat[None], "DEGREES"), "LON": (lon[None], "DEGREES")}
            _ioapi(folder.parent / "GRIDCRO2D", times[:1], plane, steady=True)
    return folder


def _rows(variables: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: (values[rows], units) for name, (values, units) in variables.items()}


def lambert_positions() -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes of the cells of the projection, by pyproj."""
    from pyproj import Transformer

    form = "+proj=lcc +lat_1=25 +lat_2=40 +lat_0=34 +lon_0=110 +R=6370000 +units=m"
    x, y = np.meshgrid(-81_000 + 27_000 * (np.arange(6) + 0.5), 27_000 * (np.arange(4) + 0.5))
    lon, lat = Transformer.from_crs(form, "+proj=longlat +R=6370000").transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def _ioapi(
    path: Path, times: pd.DatetimeIndex, variables: dict[str, Any], steady: bool = False
) -> None:
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        sizes = {"TSTEP": None, "DATE-TIME": 2, "LAY": 1, "VAR": len(variables)}
        for name, size in (sizes | {"ROW": 4, "COL": 6}).items():
            file.createDimension(name, size)
        file.setncatts(LAMBERT | {"GDTYP": 2, "NROWS": 4, "NCOLS": 6, "IOAPI_VERSION": "3.2"})
        file.setncatts({"XORIG": -81_000.0, "YORIG": 0.0, "XCELL": 27_000.0, "YCELL": 27_000.0})
        flags = file.createVariable("TFLAG", "i4", ("TSTEP", "VAR", "DATE-TIME"))
        flags.units = "<YYYYDDD,HHMMSS>"
        for row, time in enumerate(times):
            stamp = (0, 0) if steady else (int(f"{time:%Y%j}"), int(f"{time:%H%M%S}"))
            flags[row] = np.broadcast_to(stamp, (len(variables), 2))
        for name, (values, units) in variables.items():
            made = file.createVariable(name, "f4", ("TSTEP", "LAY", "ROW", "COL"))
            made.long_name, made.units, made.var_desc = f"{name:16}", f"{units:16}", f"{name:80}"
            made[:] = values[:, None]


def dataset(path: Path | str, days: int = 1, **changes: Any) -> DatasetConfig:
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
