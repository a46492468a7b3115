"""Opening a forecast of any origin: which of its variables means what."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.config.supplement import ExternalConfig
from airshed.data.netcdf_library import within_limit
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError, refusing
from airshed.evaluation.external.axes import AXES, axis_of, find_axis, no_axis
from airshed.variables import TARGETS, VARIABLES, canonical_name

INIT = "forecast_reference_time"
VALID_TIMES = ("time", "valid_time")


@dataclass(frozen=True)
class ExternalFields:
    """A forecast whose parts are known.

    Attributes:
        name: What the study calls it.
        fields: Its pollutants, and temperature and pressure if it has them, by canonical names,
            with dimensions (init_time, lead_h, and those of the grid).
        lat_deg: Latitudes, [Y] or [Y, X].
        lon_deg: Longitudes, [X] or [Y, X].
        init_times: UTC.
        lead_hours: Lead times, h.
    """

    name: str
    fields: xr.Dataset
    lat_deg: Floats
    lon_deg: Floats
    init_times: pd.DatetimeIndex
    lead_hours: npt.NDArray[np.int64]

    @property
    def pollutants(self) -> tuple[str, ...]:
        """The pollutants that it has, in the project's order."""
        return tuple(name for name in TARGETS if name in self.fields)


def open_external(name: str, settings: ExternalConfig) -> ExternalFields:
    """Open a forecast, read lazily.

    Args:
        name: What the study calls it.
        settings: Where it is, and how its variables are named if not as usual.

    Raises:
        AirshedError: It cannot be opened, an axis is not found or not understood, a variable that
            the configuration names is missing, or it has no pollutant.
    """
    opened = _open(name, settings)
    dataset = _with_one_init_axis(opened, settings.path, name)
    init, lead, lat, lon = (axis_of(dataset, meaning, settings.path) for meaning in AXES)
    inits = _init_times(dataset[init], settings.path)
    hours = lead_hours(dataset[lead], settings.path)
    for values, what in ((inits, "init time"), (pd.Index(hours), "lead time")):
        if values.has_duplicates:
            raise AirshedError(f"a forecast has the same {what} twice", where=settings.path)
    dims = _dimensions(dataset, init, lead, lat, lon, settings.path)
    alone = [dim for dim, size in dataset.sizes.items() if size == 1 and dim not in dims]
    fields = _fields(dataset.squeeze(alone), name, settings, dims)
    grid = dims[2:]
    lat_deg, lon_deg = (
        dataset[axis].transpose(*(dim for dim in grid if dim in dataset[axis].dims)).values
        for axis in (lat, lon)
    )
    fields = fields.transpose(*dims).rename({dims[0]: "init_time", dims[1]: "lead_h"})
    return ExternalFields(name, fields, lat_deg, lon_deg, inits, hours)


def _init_times(axis: xr.DataArray, where: str) -> pd.DatetimeIndex:
    values = np.atleast_1d(axis.values)
    if not np.issubdtype(values.dtype, np.datetime64) or np.isnat(values).any():
        raise AirshedError(
            "the init times of a forecast are not understood",
            where=f"{where}, {axis.name}",
            expected="times, with a unit such as 'hours since 2016-01-01', in the usual calendar",
            found=f"{values.dtype}: {', '.join(map(str, values[:3]))}",
        )
    return pd.DatetimeIndex(values.astype("datetime64[ns]"))


def lead_hours(axis: xr.DataArray, where: str) -> npt.NDArray[np.int64]:
    """A lead-time axis as whole hours.

    Args:
        axis: Time differences, or numbers with a unit of time (in its attribute, or ``_h`` and
            ``hours`` in its name).
        where: For messages.

    Raises:
        AirshedError: The unit is unknown, or a lead time is not a whole number of hours.
    """
    values = np.atleast_1d(axis.values)
    if np.issubdtype(values.dtype, np.timedelta64):
        hours = values / np.timedelta64(1, "h")
    else:
        units = axis.attrs.get("units")
        if units is None and ("hour" in str(axis.name) or str(axis.name).endswith("_h")):
            units = "hours"
        try:
            factor, _ = linear_conversion(str(units), "hour")
        except ValueError as error:
            raise AirshedError(
                "the unit of a lead time is not understood",
                where=f"{where}, {axis.name}",
                expected="time differences, or numbers with a unit of time such as 'hours'",
                found=units,
            ) from error
        hours = values * factor
    whole = np.rint(hours.astype(np.float64)).astype(np.int64)
    if not np.allclose(whole, hours.astype(np.float64), atol=1e-3):
        raise AirshedError(
            "a lead time is not a whole number of hours",
            where=f"{where}, {axis.name}",
            found=", ".join(f"{hour:g}" for hour in hours[:8]),
        )
    return whole


def _open(name: str, settings: ExternalConfig) -> xr.Dataset:
    paths = sorted(glob.glob(settings.path))  # noqa: PTH207  (the pattern may be absolute)
    if not paths:
        raise AirshedError(
            "an external forecast is missing",
            where=settings.path,
            hint=f"correct external.{name}.path: a NetCDF file, a Zarr store, or a pattern such as"
            " 'cams/*.nc'",
        )
    errors, what = (OSError, ValueError, KeyError), "an external forecast cannot be opened"
    with refusing(*errors, what=what, where=settings.path, told=str):
        if Path(paths[0]).is_dir():
            store = xr.open_zarr(paths[0], chunks=None, decode_timedelta=False)
            return _named(store, Path(paths[0]), name, settings)
        for path in paths:  # one after the other, so that it can be told which one is endless
            within_limit(partial(_open_and_close, path), path, "fetch it again")
        if len(paths) == 1:
            dataset = xr.open_dataset(paths[0], decode_timedelta=False)
            return _named(dataset, Path(paths[0]), name, settings)
        return xr.open_mfdataset(
            paths,
            combine="by_coords",
            decode_timedelta=False,
            preprocess=partial(_expanded, name=name, settings=settings),
            data_vars="all",
            coords="different",
            compat="no_conflicts",
            join="outer",
        )


def _open_and_close(path: str) -> None:
    netCDF4.Dataset(path).close()


def _expanded(dataset: xr.Dataset, name: str, settings: ExternalConfig) -> xr.Dataset:
    """A file of one init time gets an axis for it, so that files can be put side by side."""
    path = dataset.encoding.get("source", "")
    return _with_one_init_axis(_named(dataset, Path(path), name, settings), path, name)


def _named(dataset: xr.Dataset, path: Path, name: str, settings: ExternalConfig) -> xr.Dataset:
    """The dataset with the init time that its file's name tells, if the configuration says how."""
    if settings.init_time_pattern is None:
        return dataset
    start = init_time_of(path.name, settings.init_time_pattern)
    if start is None:
        raise AirshedError(
            "the name of a forecast's file holds no init time",
            where=path,
            expected=f"{settings.init_time_pattern} (external.{name}.init_time_pattern)",
            found=path.name,
        )
    own = find_axis(dataset, "init time")
    if own is not None and own not in VALID_TIMES:
        stated = np.atleast_1d(dataset[own].values)
        if len(stated) != 1 or stated[0] != start:
            raise AirshedError(
                "a forecast's init time contradicts the name of its file",
                where=f"{path}, {own}",
                expected=start,
                found=", ".join(map(str, stated[:3])),
                hint=f"correct external.{name}.init_time_pattern, or leave it out",
            )
        dataset = dataset.squeeze(dataset[own].dims, drop=True).drop_vars(own, errors="ignore")
    return dataset.assign_coords({INIT: start})


def init_time_of(name: str, pattern: str) -> np.datetime64 | None:
    """The init time in the name of a file; None if the name is another one.

    Args:
        name: As it is, without folders.
        pattern: The name with ``%Y``, ``%m``, ``%d`` and maybe ``%H``; ``*`` is any text.
    """
    form = re.escape(pattern).replace(r"\*", ".*")
    for code, digits in (("Y", 4), ("m", 2), ("d", 2), ("H", 2)):
        form = form.replace(f"%{code}", rf"(?P<{code}>\d{{{digits}}})")
    found = re.fullmatch(form, name)
    if found is None:
        return None
    part = {"H": "00"} | found.groupdict()
    try:
        return np.datetime64(f"{part['Y']}-{part['m']}-{part['d']}T{part['H']}:00", "ns")
    except ValueError:
        return None


def _with_one_init_axis(dataset: xr.Dataset, where: str, name: str) -> xr.Dataset:
    """The dataset with an axis of init times and one of lead times.

    A single init time given as a scalar becomes an axis. If there are valid times in place of lead
    times, these are the differences.
    """
    init, lead = (find_axis(dataset, meaning) for meaning in ("init time", "lead time"))
    if init in VALID_TIMES and lead is None and dataset[init].ndim == 1:
        raise no_axis(
            "lead time",
            dataset,
            where,
            f"if {init} holds the times for which it is valid (the older form of CAMS), set"
            f" external.{name}.init_time_pattern to how the files are called, such as"
            " 'cams_%Y%m%d%H.nc', one init time a file; or give each file a scalar coordinate"
            f" {INIT}",
        )
    if init is None or dataset[init].ndim:
        return dataset
    start = dataset[init].values
    if lead is None:
        valid = next((str(n) for n in dataset.dims if n in VALID_TIMES), None)
        if valid is None:
            raise no_axis("lead time", dataset, where)
        hours = (dataset[valid].values - start) / np.timedelta64(1, "h")
        dataset = dataset.assign_coords(lead_hours=(valid, hours)).swap_dims({valid: "lead_hours"})
        dataset = dataset.drop_vars(valid)
    return dataset.expand_dims({init: [start]})


def _dimensions(
    dataset: xr.Dataset, init: str, lead: str, lat: str, lon: str, where: str
) -> tuple[str, str, str, str]:
    """The dimensions of init time, lead time, and the grid's rows and columns."""
    axes = {"init time": init, "lead time": lead}
    wrong = [what for what, axis in axes.items() if dataset[axis].ndim != 1]
    grid = dataset[lat].dims if dataset[lat].ndim == 2 else dataset[lat].dims + dataset[lon].dims
    if wrong or len(grid) != 2 or set(dataset[lon].dims) - set(grid):
        raise AirshedError(
            "the axes of a forecast are not understood",
            where=where,
            expected="init and lead times on one axis each; latitude and longitude both on one axis"
            " each, or both on the same two",
            found=", ".join(f"{axis}{dataset[axis].dims}" for axis in (init, lead, lat, lon)),
        )
    (init_dim,), (lead_dim,) = dataset[init].dims, dataset[lead].dims
    return str(init_dim), str(lead_dim), str(grid[0]), str(grid[1])


def _fields(
    dataset: xr.Dataset, name: str, settings: ExternalConfig, dims: Sequence[str]
) -> xr.Dataset:
    found: dict[str, str] = {}
    for pollutant, variable in settings.variables.items():
        if variable not in dataset:
            raise AirshedError(
                "a forecast lacks a variable that the configuration names",
                where=settings.path,
                expected=f"{variable} (external.{name}.variables.{pollutant})",
                found=", ".join(map(str, dataset.data_vars)),
            )
        found[pollutant] = variable
    levelled: dict[str, str] = {}
    standard = {VARIABLES[target].standard_name: target for target in (*TARGETS, "temp", "psfc")}
    for variable in map(str, dataset.data_vars):
        known = standard.get(dataset[variable].attrs.get("standard_name", ""))
        known = known or canonical_name(variable)
        if known in standard.values() and set(dataset[variable].dims) >= set(dims):
            flat = dataset[variable].ndim == len(dims)
            (found if flat else levelled).setdefault(str(known), variable)
    found = {name: levelled[name] for name in TARGETS if name in levelled} | found
    if not set(found) & set(TARGETS):
        raise AirshedError(
            "a forecast has no pollutant that is known",
            where=settings.path,
            expected=f"one of {', '.join(TARGETS)} over ({', '.join(dims)})",
            found=", ".join(f"{n}{dataset[n].dims}" for n in dataset.data_vars),
            hint=f"name them in external.{name}.variables, for example {{pm25: pm2p5}}",
        )
    for pollutant, variable in found.items():
        if set(dataset[variable].dims) != set(dims):
            raise AirshedError(
                "a variable of a forecast has other dimensions",
                where=f"{settings.path}, {variable} ({pollutant})",
                expected=", ".join(dims),
                found=", ".join(map(str, dataset[variable].dims)),
                hint="choose one level or member first",
            )
    chosen = dataset[list(found.values())].rename({v: k for k, v in found.items()})
    return chosen.drop_vars([c for c in chosen.coords if c not in dims])
