"""One raw file: canonical names and canonical units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from airshed.data.netcdf_library import within_limit
from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.variables import HOURLY, VARIABLES, canonical_name

Floats = npt.NDArray[np.floating[Any]]
MAX_CELLS = 2**24  # the full grid has 146,448; a small file can claim any size
SAME_TIME_H = 0.02
REPLACE = "fetch it again, or remove it to treat its hour as missing"
READ_ERRORS = (OSError, RuntimeError, LookupError, ValueError, AttributeError, MemoryError)
"""What the NetCDF library raises for files that are none, or damaged ones."""


@dataclass(frozen=True)
class Clock:
    """When an hour is: UTC, and by how much names of files are ahead of it."""

    time_utc: datetime
    utc_offset_h: float


@dataclass(frozen=True)
class RawHour:
    """The content of one hourly file: fields [11, Y, X] in HOURLY order, and its grid.

    Values are as they are in the file, in canonical units; NaN where the file has none.
    """

    fields: Floats
    lat_deg: Floats
    lon_deg: Floats


def _refuse_cut(content: bytes, where: str) -> None:
    """Compare a file's size with the one that it states; HDF5 does not do so for files in memory.

    In the superblock, which comes first, the third address is the end of the file (HDF5 File Format
    Specification 3.0, II.A).
    """
    if not content.startswith(b"\x89HDF\r\n\x1a\n") or len(content) < 14:
        return
    version = content[8]
    size, start = (content[13], 24 + 4 * version) if version < 2 else (content[9], 12)
    at = start + 2 * size
    end = int.from_bytes(content[at : at + size], "little")
    if end > len(content) or len(content) < at + size:
        raise AirshedError(
            "a raw file is no readable NetCDF",
            where=where,
            expected=f"{end:,} bytes, as it states itself",
            found=f"{len(content):,} bytes: it is cut",
            hint=REPLACE,
        )


def read_raw_hour(
    content: bytes, where: str, units: Mapping[str, str], clock: Clock | None = None
) -> RawHour:
    """Read one hourly NetCDF file from memory.

    Args:
        content: The bytes of the file.
        where: Its name, for messages.
        units: Units that the configuration states, by canonical name.
        clock: When the hour is by the file's name, to be compared with what the file says.

    Raises:
        AirshedError: It is no NetCDF, lacks a variable, holds wrong shapes or units, or is of
            another time.
    """
    fields = read_fields(content, where, (*HOURLY, "lat2d", "lon2d"), units, clock)
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
    content: bytes,
    where: str,
    names: tuple[str, ...],
    units: Mapping[str, str],
    clock: Clock | None = None,
) -> dict[str, Floats]:
    """Fields [Y, X] of a NetCDF file by canonical name, in canonical units; NaN is missing.

    Raises:
        AirshedError: As for :func:`read_raw_hour`.
    """
    _refuse_cut(content, where)
    try:
        raw, attributes = within_limit(
            lambda: _stored(content, where, names, clock), where, REPLACE
        )
    except READ_ERRORS as error:
        raise AirshedError(
            "a raw file is no readable NetCDF",
            where=where,
            found=f"{type(error).__name__}: {error}",
            hint=REPLACE,
        ) from error
    return {name: _canonical(raw[name], name, attributes[name], units, where) for name in names}


def _stored(
    content: bytes, where: str, names: tuple[str, ...], clock: Clock | None
) -> tuple[dict[str, Floats], dict[str, str | None]]:
    """Fields and units as the file has them."""
    with netCDF4.Dataset("raw", memory=content) as file:
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
        if clock is not None:
            check_time(file, clock, where)
        raw = {name: _field(stored[name], f"{where}, {name}") for name in names}
        _check_order({name: stored[name].dimensions for name in names}, where)
        return raw, {name: _units(stored[name], f"{where}, {name}") for name in names}


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


def stated_time(file: Any) -> datetime | None:
    """The time in a file's own time coordinate, UTC; None if it has none that is understood."""
    for variable in file.variables.values():
        units = getattr(variable, "units", "")
        if variable.size == 1 and isinstance(units, str) and " since " in units:
            calendar = getattr(variable, "calendar", "standard")
            try:
                time = netCDF4.num2date(
                    variable[...].item(), units, calendar, only_use_cftime_datetimes=False
                )
            except (ValueError, TypeError, OverflowError):
                continue
            return time if isinstance(time, datetime) else None  # else of another calendar
    return None


def check_time(file: Any, clock: Clock, where: str) -> None:
    """Compare a file's time coordinate, in UTC or by the clock of the names, with its name.

    Raises:
        AirshedError: It is another time.
    """
    stated = stated_time(file)
    if stated is None:
        return
    behind_h = (clock.time_utc - stated).total_seconds() / 3600
    if min(abs(behind_h), abs(behind_h + clock.utc_offset_h)) > SAME_TIME_H:
        raise AirshedError(
            "the time in a raw file contradicts its name",
            where=where,
            expected=f"{clock.time_utc} UTC (the name, with dataset.utc_offset_h"
            f" {clock.utc_offset_h:g})",
            found=f"{stated}",
            hint=f"set dataset.utc_offset_h: {clock.utc_offset_h + behind_h:g} if the name is ahead"
            " of UTC by that, or rename the file",
        )


def _check_order(dimensions: Mapping[str, tuple[str, ...]], where: str) -> None:
    """Rows come before columns in every variable; on a square grid sizes do not tell."""
    plane = dimensions.get("lat2d", ())[-2:]
    for name, found in dimensions.items():
        if len(set(plane)) == 2 and found[-2:] == plane[::-1]:
            raise AirshedError(
                "the variables of a raw file differ in the order of their dimensions",
                where=f"{where}, variable {name}",
                expected=f"{', '.join(plane)}, as lat2d has",
                found=", ".join(found),
                hint="rows come before columns, in every variable",
            )


def _units(variable: Any, where: str) -> str | None:
    units = getattr(variable, "units", None)
    if units is not None and not isinstance(units, str):
        raise AirshedError(
            "a unit attribute is no text", where=where, expected="such as 'K'", found=repr(units)
        )
    return units


def is_field(variable: Any) -> bool:
    """Whether a variable holds numbers, and no more of them than a raw file may."""
    kind = getattr(variable.dtype, "kind", "O")
    packed = all(
        isinstance(getattr(variable, name, 1.0), (int, float, np.number))
        for name in ("scale_factor", "add_offset")
    )
    return kind in "fiu" and packed and 0 < variable.size <= MAX_CELLS


def _field(variable: Any, where: str) -> Floats:
    if not is_field(variable):
        raise AirshedError(
            "a variable of a raw file is no field of numbers",
            where=where,
            expected=f"1 to {MAX_CELLS:,} numbers, packed by numbers if at all",
            found=f"{variable.dtype}, {variable.dimensions} of sizes {variable.shape}",
        )
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
