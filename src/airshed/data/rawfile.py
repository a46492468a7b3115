"""One hourly raw file: canonical names, canonical units, plausible values."""

from __future__ import annotations

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


@dataclass(frozen=True)
class RawHour:
    """The content of one hourly file: fields [11, Y, X] in HOURLY order, and its grid."""

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
        AirshedError: It is no NetCDF, lacks a variable, or holds wrong shapes, units or values.
    """
    fields = read_fields(content, where, (*HOURLY, "lat2d", "lon2d"), units)
    return RawHour(np.stack([fields[name] for name in HOURLY]), fields["lat2d"], fields["lon2d"])


def read_fields(
    content: bytes, where: str, names: tuple[str, ...], units: Mapping[str, str]
) -> dict[str, Floats]:
    """Fields [Y, X] of a NetCDF file by canonical name, in canonical units; NaN is missing.

    Raises:
        AirshedError: As for :func:`read_raw_hour`.
    """
    try:
        with netCDF4.Dataset("raw", memory=content) as file:
            stored = {canonical_name(key): variable for key, variable in file.variables.items()}
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
    return {name: _checked(raw[name], name, attributes[name], units, where) for name in names}


def _field(variable: Any, where: str) -> Floats:
    values = np.ma.filled(np.ma.asarray(variable[...]).astype(np.float64), np.nan)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2:
        raise AirshedError(
            "a variable of a raw file has the wrong dimensions",
            where=where,
            expected="rows and columns of one hour",
            found=f"{variable.dimensions} of sizes {variable.shape}",
        )
    return values


def _checked(
    values: Floats, name: str, attribute: str | None, units: Mapping[str, str], where: str
) -> Floats:
    place = f"{where}, variable {name}"
    if name in ("lat2d", "lon2d") and attribute is None:
        attribute = VARIABLES[name].units  # the names say it
    converted = to_canonical(values, name, attribute, units, place)
    known = VARIABLES[name]
    wrong = (converted < known.low) | (converted > known.high)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise AirshedError(
            "a value is physically impossible",
            where=f"{place}, row {row}, column {column}",
            expected=f"{known.low:g} to {known.high:g} {known.units}",
            found=f"{converted[row, column]:g} {known.units} ({wrong.sum()} such cells)",
            hint="is the unit right? see dataset.units in the configuration",
        )
    return converted
