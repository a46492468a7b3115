"""One raw file: canonical names and canonical units."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.variables import HOURLY, VARIABLES, canonical_name

Floats = npt.NDArray[np.floating[Any]]
NETCDF_LOCK = threading.Lock()  # the library is not thread-safe


@dataclass(frozen=True)
class RawHour:
    """The content of one hourly file: fields [11, Y, X] in HOURLY order, and its grid.

    Values are as they are in the file, in canonical units; NaN where the file has none.
    """

    fields: Floats
    lat_deg: Floats
    lon_deg: Floats


def read_raw_hour(content: bytes, where: str, units: Mapping[str, str]) -> RawHour:
    """Read one hourly NetCDF file from memory.

    Args:
        content: The bytes of the file.
        where: Its name, for messages.
        units: Units that the configuration states, by canonical name.

    Raises:
        AirshedError: It is no NetCDF, lacks a variable, or holds wrong shapes or units.
    """
    fields = read_fields(content, where, (*HOURLY, "lat2d", "lon2d"), units)
    shape = fields["lat2d"].shape
    for name, field in fields.items():
        if field.shape != shape:
            raise AirshedError(
                "the variables of a raw file differ in shape",
                where=f"{where}, variable {name}",
                expected=f"{shape}, as lat2d has",
                found=field.shape,
                hint="rows come before columns, in every variable",
            )
    stacked = np.stack([fields[name] for name in HOURLY])
    return RawHour(stacked, fields["lat2d"], fields["lon2d"])


def read_fields(
    content: bytes, where: str, names: tuple[str, ...], units: Mapping[str, str]
) -> dict[str, Floats]:
    """Fields [Y, X] of a NetCDF file by canonical name, in canonical units; NaN is missing.

    Raises:
        AirshedError: As for :func:`read_raw_hour`.
    """
    try:
        with NETCDF_LOCK, netCDF4.Dataset("raw", memory=content) as file:
            stored = by_canonical_name(file.variables, where)
            missing = [name for name in names if name not in stored]
            if missing:
                raise AirshedError(
                    "a raw file lacks a variable",
                    where=where,
                    expected=", ".join(missing),
                    found=", ".join(file.variables),
                    hint="aliases of names are listed in src/airshed/variables.py",
                )
            raw = {name: _field(stored[name], f"{where}, {name}") for name in names}
            attributes = {name: getattr(stored[name], "units", None) for name in names}
    except (OSError, RuntimeError) as error:
        raise AirshedError(
            "a raw file is no readable NetCDF",
            where=where,
            found=f"{type(error).__name__}: {error}",
            hint="fetch it again, or remove it to treat its hour as missing",
        ) from error
    return {name: _canonical(raw[name], name, attributes[name], units, where) for name in names}


def by_canonical_name(variables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Variables by canonical name; an exact name goes before its aliases.

    Raises:
        AirshedError: Two names stand for the same variable, and neither is the exact one.
    """
    found: dict[str, Any] = {}
    for key in sorted(variables, key=lambda key: key in VARIABLES):  # exact names last
        name = canonical_name(key)
        if name in found and key != name:
            raise AirshedError(
                "two variables of a raw file stand for the same quantity",
                where=where,
                expected=f"one variable for {name}",
                found=", ".join(each for each in variables if canonical_name(each) == name),
                hint=f"call the right one {name}, or remove the other",
            )
        if name is not None:
            found[name] = variables[key]
    return found


def _field(variable: Any, where: str) -> Floats:
    variable.set_always_mask(False)
    stored = variable[...]
    single = stored.dtype.kind == "f" and stored.dtype.itemsize <= 4
    values = np.ma.filled(stored.astype(np.float32 if single else np.float64), np.nan)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2:
        raise AirshedError(
            "a variable of a raw file has the wrong dimensions",
            where=where,
            expected="rows and columns of one hour",
            found=f"{variable.dimensions} of sizes {variable.shape}",
        )
    return values


def _canonical(
    values: Floats, name: str, attribute: str | None, units: Mapping[str, str], where: str
) -> Floats:
    if name in ("lat2d", "lon2d") and attribute is None:
        attribute = VARIABLES[name].units  # the names say it
    return to_canonical(values, name, attribute, units, f"{where}, variable {name}")
