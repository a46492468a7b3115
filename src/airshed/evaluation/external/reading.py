"""Reading a forecast of any origin: which of its variables means what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.config import Study
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError
from airshed.evaluation.external.axes import AXES, axis_of
from airshed.evaluation.external.opening import opened_dataset
from airshed.variables import Quantities

OF_THE_AIR = ("temp", "psfc")
"""What mixing ratios are made concentrations with."""


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
        pollutants: The study's targets that it has, in their order.
    """

    name: str
    fields: xr.Dataset
    lat_deg: Floats
    lon_deg: Floats
    init_times: pd.DatetimeIndex
    lead_hours: npt.NDArray[np.int64]
    pollutants: tuple[str, ...]


def open_external(study: Study, name: str) -> ExternalFields:
    """Open a forecast, read lazily.

    Args:
        study: Says where it is, how its variables are named if not as usual, and the targets.
        name: What the study calls it.

    Raises:
        AirshedError: It cannot be opened, an axis is not found or not understood, a variable that
            the configuration names is missing, or it has no pollutant.
    """
    settings = study.external[name]
    dataset = opened_dataset(name, settings)
    init, lead, lat, lon = (axis_of(dataset, meaning, settings.path) for meaning in AXES)
    inits = _init_times(dataset[init], settings.path)
    hours = lead_hours(dataset[lead], settings.path)
    for values, what in ((inits, "init time"), (pd.Index(hours), "lead time")):
        if values.has_duplicates:
            raise AirshedError(f"a forecast has the same {what} twice", where=settings.path)
    dims = _dimensions(dataset, init, lead, lat, lon, settings.path)
    alone = [dim for dim, size in dataset.sizes.items() if size == 1 and dim not in dims]
    fields = _fields(dataset.squeeze(alone), name, study, dims)
    grid = dims[2:]
    lat_deg, lon_deg = (
        dataset[axis].transpose(*(dim for dim in grid if dim in dataset[axis].dims)).values
        for axis in (lat, lon)
    )
    fields = fields.transpose(*dims).rename({dims[0]: "init_time", dims[1]: "lead_h"})
    pollutants = tuple(target for target in study.targets if target in fields)
    return ExternalFields(name, fields, lat_deg, lon_deg, inits, hours, pollutants)


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


def _fields(dataset: xr.Dataset, name: str, study: Study, dims: Sequence[str]) -> xr.Dataset:
    found: dict[str, str] = {}
    settings, dictionary = study.external[name], study.dataset.dictionary
    wanted = (*study.targets, *OF_THE_AIR)
    given = {each: settings.variables[each] for each in wanted if each in settings.variables}
    for pollutant, variable in given.items():
        if variable not in dataset:
            raise AirshedError(
                "a forecast lacks a variable that the configuration names",
                where=settings.path,
                expected=f"{variable} (external.{name}.variables.{pollutant})",
                found=", ".join(map(str, dataset.data_vars)),
            )
        found[pollutant] = variable
    levelled: dict[str, str] = {}
    standard = {dictionary[each].standard_name: each for each in wanted}
    quantities = Quantities(tuple(dictionary.values()))
    for variable in map(str, dataset.data_vars):
        known = standard.get(dataset[variable].attrs.get("standard_name", ""))
        known = known or quantities.canonical_name(variable)
        if known in standard.values() and set(dataset[variable].dims) >= set(dims):
            flat = dataset[variable].ndim == len(dims)
            (found if flat else levelled).setdefault(str(known), variable)
    found = {name: levelled[name] for name in study.targets if name in levelled} | found
    if not set(found) & set(study.targets):
        raise AirshedError(
            "a forecast has no pollutant that is known",
            where=settings.path,
            expected=f"one of {', '.join(study.targets)} over ({', '.join(dims)})",
            found=", ".join(f"{n}{dataset[n].dims}" for n in dataset.data_vars),
            hint=f"name them in external.{name}.variables, for example"
            f" {{{study.targets[0]}: its_name}}",
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
