"""The times of a file's fields, in each of the forms that files have.

- CF: a variable whose unit is "... since ...", along a dimension or alone;
- WRF: ``Times``, texts such as 2018-01-01_03:00:00;
- IOAPI (CMAQ): ``TFLAG``, two integers YYYYDDD and HHMMSS for each variable.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.errors import AirshedError, refusing

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
NO_SERIES = ("forecast_reference_time",)
"""Names and standard names of times that are not those of the fields."""


def times_of(dataset: xr.Dataset, where: object) -> tuple[str | None, pd.DatetimeIndex]:
    """The dimension that is time, None if the file holds one time without it, and the times.

    Times are by the file's own clock, to the second, in the file's order.

    Raises:
        AirshedError: The file has no time that is understood, or several.
    """
    if "TFLAG" in dataset.variables:
        return _of_tflag(dataset["TFLAG"], where)
    if "Times" in dataset.variables and dataset["Times"].dims == ("Time",):
        return _of_texts(dataset["Times"], where)
    axis = dataset[_time_variable(dataset, where)]
    alone = axis.squeeze()
    if alone.ndim > 1:
        raise AirshedError(
            "the times of a series lie along several dimensions",
            where=f"{where}, {axis.name}",
            expected="one time for each field",
            found=f"{axis.dims} of sizes {axis.shape}",
            hint="choose one lead time of a forecast first",
        )
    along = alone.dims or tuple(name for name in axis.dims if name in ("time", axis.name))
    return (str(along[0]) if along else None), _decoded(axis, where)


def _time_variable(dataset: xr.Dataset, where: object) -> str:
    """The variable with the times of the fields."""
    stated = [
        str(name)
        for name, each in dataset.variables.items()
        if " since " in str(each.attrs.get("units", "")) and each.dtype.kind in "iuf"
    ]
    bounds = {dataset[name].attrs.get("bounds") for name in stated}
    found = [
        name
        for name in stated
        if name not in bounds
        and not {name, dataset[name].attrs.get("standard_name")} & set(NO_SERIES)
    ]
    axes = [name for name in found if dataset[name].dims == (name,)]
    for chosen in ([name for name in found if name == "valid_time"], axes, found):
        if len(chosen) == 1:
            return chosen[0]
    coordinates = [f"{name} ({dataset[name].attrs.get('units')})" for name in dataset.coords]
    raise AirshedError(
        "the times of a series are not clear" if found else "a series has no times",
        where=where,
        expected="one coordinate whose unit is such as 'hours since 1900-01-01', WRF's Times or"
        " IOAPI's TFLAG",
        found=", ".join(found) if found else f"coordinates {', '.join(coordinates) or 'none'}",
        hint="give files with one time coordinate",
    )


def _decoded(axis: xr.DataArray, where: object) -> pd.DatetimeIndex:
    calendar = str(axis.attrs.get("calendar", "standard")).lower()
    place = f"{where}, {axis.name}"
    if calendar not in CALENDARS:
        raise AirshedError(
            "the calendar of a series is not the standard one",
            where=place,
            expected=", ".join(CALENDARS),
            found=calendar,
            hint="climate model runs have such calendars; give a reanalysis of real days",
        )
    attributes = {"units": axis.attrs["units"], "calendar": calendar}
    plain = xr.Dataset({"times": ("times", np.ravel(axis.values), attributes)})
    expected = "numbers with a unit such as 'hours since 1900-01-01'"
    with _reading(place, expected, "correct the units attribute"):
        times = pd.DatetimeIndex(xr.decode_cf(plain)["times"].values)
    return _whole(times, place)


def _of_texts(texts: xr.DataArray, where: object) -> tuple[str, pd.DatetimeIndex]:
    place = f"{where}, {texts.name}"
    words = [_text(each).replace("_", " ") for each in texts.values]
    with _reading(place, "texts such as 2018-01-01_03:00:00", "mend or remove the file"):
        times = pd.DatetimeIndex(pd.to_datetime(words, format="%Y-%m-%d %H:%M:%S"))
    return str(texts.dims[0]), _whole(times, place)


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _of_tflag(flags: xr.DataArray, where: object) -> tuple[str, pd.DatetimeIndex]:
    place = f"{where}, {flags.name}"
    days, clock = np.moveaxis(flags.values[:, 0].astype(np.int64), -1, 0)
    hint = "a file that does not depend on time (TFLAG 0) is no series"
    with _reading(place, "YYYYDDD and HHMMSS, as IOAPI writes them", hint):
        start = pd.to_datetime([f"{day:07d}" for day in days], format="%Y%j")
    seconds = clock // 10_000 * 3600 + clock // 100 % 100 * 60 + clock % 100
    return str(flags.dims[0]), _whole(start + pd.to_timedelta(seconds, unit="s"), place)


def _reading(place: str, expected: str, hint: str) -> AbstractContextManager[None]:
    errors, what = (ValueError, OverflowError, TypeError), "the times of a series cannot be read"
    return refusing(*errors, what=what, where=place, expected=expected, hint=hint)


def _whole(times: pd.DatetimeIndex, place: str) -> pd.DatetimeIndex:
    """To the second; a time that is missing is refused."""
    missing = np.isnat(times.to_numpy())
    if missing.any():
        raise AirshedError(
            "a time of a series is missing",
            where=place,
            found=f"{int(missing.sum())} of {len(times)} without a value",
            hint="fetch the file again",
        )
    return times.as_unit("ns").round("s")
