"""One raw file: canonical names and canonical units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import netCDF4
import numpy as np

from airshed.data.netcdf_library import within_limit
from airshed.data.problems import STOP, Problems, passing
from airshed.data.rawhour import Contents, Stored, choose_variables, convert_all, with_air
from airshed.errors import AirshedError
from airshed.variables import Quantities

MAX_CELLS = 2**24  # the full grid has 146,448; a small file can claim any size
SAME_TIME_H = 0.02
REPLACE = "fetch it again, or remove it to treat its hour as missing"
READ_ERRORS = (OSError, RuntimeError, LookupError, ValueError, AttributeError, MemoryError)
"""What the NetCDF library raises for files of another kind, or damaged ones."""


@dataclass(frozen=True)
class Clock:
    """Time of an hour, UTC, and hours by which the clock of the files' names is ahead of UTC."""

    time_utc: datetime
    utc_offset_h: float


def read_contents(
    content: bytes,
    where: str,
    quantities: Quantities,
    clock: Clock | None = None,
    problems: Problems = STOP,
    names: tuple[str, ...] | None = None,
) -> Contents:
    """What an hourly NetCDF file holds, as far as it can be read.

    Args:
        content: The bytes of the file.
        where: Its name, for messages.
        quantities: What the dataset knows.
        clock: Time by the file's name, to be compared with the file's own time coordinate.
        problems: Takes what is wrong.
        names: Canonical variables whose fields are read; what an ingest reads if none are given.

    Raises:
        AirshedError: It is no NetCDF, lacks a variable, holds wrong dimensions or units, or is of
            another time, unless problems are noted.
    """
    found, wanted = Contents(), quantities.read if names is None else names
    with problems:
        _refuse_cut(content, where)
        try:
            read, right = within_limit(
                lambda: _stored(content, where, quantities, wanted, clock, problems, found),
                where,
                REPLACE,
            )
        except READ_ERRORS as error:
            raise AirshedError(
                "a raw file is no readable NetCDF",
                where=where,
                found=f"{type(error).__name__}: {error}",
                hint=REPLACE,
            ) from error
        plane = read["lat2d"].dimensions[-2:] if "lat2d" in read else ()
        ordered = passing(
            problems, right, lambda name: _check_order(read[name], plane, name, where)
        )
        converted = convert_all(read, ordered, quantities, where, problems)
        found.fields = {name: converted[name] for name in converted if name in wanted}
    return found


def _stored(
    content: bytes,
    where: str,
    quantities: Quantities,
    names: tuple[str, ...],
    clock: Clock | None,
    problems: Problems,
    found: Contents,
) -> tuple[dict[str, Stored], tuple[str, ...]]:
    """Describe every variable and read some; those read by canonical name, and the valid ones."""
    with netCDF4.Dataset("raw", memory=content) as file:
        found.variables = [_described(variable, quantities) for variable in file.variables.values()]
        stored = {variable.stored_as: variable for variable in found.variables}
        chosen = choose_variables(stored, names, where, quantities, problems)
        found.stated_utc = _stated_time(file)
        if clock is not None and found.stated_utc is not None:
            with problems:
                _check_time(found.stated_utc, clock, where)
        there = {name: stored[each] for name, each in chosen.items()}
        needed = with_air(names, there, quantities)
        read = {name: there[name] for name in needed if name in there}
        right = passing(
            problems,
            read,
            lambda name: _read(file.variables[chosen[name]], read[name], f"{where}, {name}"),
        )
        return read, right


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


def _stated_time(file: Any) -> datetime | None:
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


def _check_time(stated_utc: datetime, clock: Clock, where: str) -> None:
    """Compare a file's time coordinate, in UTC or by the clock of the names, with its name.

    Raises:
        AirshedError: It is another time.
    """
    behind_h = (clock.time_utc - stated_utc).total_seconds() / 3600
    if min(abs(behind_h), abs(behind_h + clock.utc_offset_h)) > SAME_TIME_H:
        raise AirshedError(
            "the time in a raw file contradicts its name",
            where=where,
            expected=f"{clock.time_utc} UTC (the name, with dataset.utc_offset_h"
            f" {clock.utc_offset_h:g})",
            found=f"{stated_utc}",
            hint=f"set dataset.utc_offset_h: {clock.utc_offset_h + behind_h:g} if the name is ahead"
            " of UTC by that, or rename the file",
        )


def _described(variable: Any, quantities: Quantities) -> Stored:
    return Stored(
        variable.name,
        variable.dimensions,
        variable.shape,
        str(variable.dtype),
        getattr(variable, "units", None),
        name=quantities.canonical_name(variable.name),
    )


def _check_order(stored: Stored, plane: tuple[str, ...], name: str, where: str) -> None:
    """Rows come before columns in every variable; on a square grid sizes do not tell."""
    if len(set(plane)) == 2 and stored.dimensions[-2:] == plane[::-1]:
        raise AirshedError(
            "the variables of a raw file differ in the order of their dimensions",
            where=f"{where}, variable {name}",
            expected=f"{', '.join(plane)}, as lat2d has",
            found=", ".join(stored.dimensions),
            hint="rows come before columns, in every variable",
        )


def _is_field(variable: Any) -> bool:
    """Whether a variable holds numbers, and no more of them than a raw file may."""
    kind = getattr(variable.dtype, "kind", "O")
    packed = all(
        isinstance(getattr(variable, name, 1.0), (int, float, np.number))
        for name in ("scale_factor", "add_offset")
    )
    return kind in "fiu" and packed and 0 < variable.size <= MAX_CELLS


def _read(variable: Any, stored: Stored, where: str) -> None:
    """Read the values of a variable; they must be one hour's."""
    if not _is_field(variable):
        raise AirshedError(
            "a variable of a raw file is not a field of numbers",
            where=where,
            expected=f"1 to {MAX_CELLS:,} numbers, packed by numbers if at all",
            found=f"{variable.dtype}, {variable.dimensions} of sizes {variable.shape}",
        )
    variable.set_always_mask(False)
    packed = variable[...]
    single = packed.dtype.kind == "f" and packed.dtype.itemsize <= 4
    values = np.ma.filled(packed.astype(np.float32 if single else np.float64), np.nan)
    stored.values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if stored.values.ndim != 2:
        raise AirshedError(
            "a variable of a raw file has the wrong dimensions",
            where=where,
            expected="rows and columns of one hour",
            found=f"{variable.dimensions} of sizes {variable.shape}",
        )
