"""What one hourly file holds. The ingest's own reader says what it would refuse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from airshed.config.preprocessing import QualityConfig
from airshed.data.inspect.clock import stated_offset_h
from airshed.data.inspect.findings import Findings
from airshed.data.inspect.tally import Seen, converted
from airshed.data.native import NativeGrid, check_positions
from airshed.data.netcdf_library import GivenUpError, within_limit
from airshed.data.quality import inspect_hour
from airshed.data.rawfile import (
    READ_ERRORS,
    REPLACE,
    Clock,
    RawHour,
    check_time,
    is_field,
    read_fields,
    read_raw_hour,
)
from airshed.errors import AirshedError
from airshed.variables import HOURLY, canonical_name

Floats = npt.NDArray[np.floating[Any]]
NEEDED = (*HOURLY, "lat2d", "lon2d")


@dataclass
class RawFiles:
    """What the hourly files that were looked at hold together.

    Attributes:
        units: Units that the configuration states.
        quality: Policies and limits of the configuration.
        findings: Where problems go.
        variables: By the names that files give them.
        grid: Of the first file that could be read.
        offsets_h: By how much files' names are ahead of their own time coordinates.
        utc_offset_h: By how much they are ahead of UTC, if a study says so.
    """

    units: Mapping[str, str]
    quality: QualityConfig
    findings: Findings
    variables: dict[str, Seen] = field(default_factory=dict)
    grid: NativeGrid | None = None
    offsets_h: set[float] = field(default_factory=set)
    utc_offset_h: float | None = None

    def look(self, content: bytes, where: str, stamp: datetime | None) -> None:
        """Look at one file, named ``where`` in messages, of the hour ``stamp`` by its name."""
        try:
            self._look(content, where, stamp)
        except GivenUpError as problem:
            self.findings.add(problem)  # once more for every file that cannot be looked at now

    def _look(self, content: bytes, where: str, stamp: datetime | None) -> None:
        try:
            stored = within_limit(lambda: self._open(content, where, stamp), where, REPLACE)
        except READ_ERRORS:
            self._read(content, where, NEEDED)
            return
        lacking = tuple(name for name in NEEDED if name not in stored)
        if lacking:
            self._read(content, where, lacking)
        read = self._read_each(content, where, [name for name in NEEDED if name in stored])
        if "lat2d" not in read or "lon2d" not in read:
            return
        if len({field.shape for field in read.values()}) > 1:
            try:
                read_raw_hour(content, where, self.units)
            except AirshedError as problem:
                self.findings.add(problem)
            return
        self._compare(read, where)

    def _open(self, content: bytes, where: str, stamp: datetime | None) -> set[str]:
        """Note what the library finds; the canonical names that are there."""
        with netCDF4.Dataset("raw", memory=content) as file:
            stored = self._describe(file, where)
            if stamp is not None and (ahead := stated_offset_h(file, stamp)) is not None:
                self.offsets_h.add(ahead)
            self._compare_time(file, where, stamp)
        return stored

    def _describe(self, file: Any, where: str) -> set[str]:
        """Note every variable; the canonical names that are there."""
        names = defaultdict(list)
        for stored_as, variable in file.variables.items():
            name = canonical_name(stored_as)
            units = getattr(variable, "units", None)
            units = None if units is None else str(units)  # the ingest refuses other types
            seen = self.variables.setdefault(
                stored_as, Seen(name, stored_as, _dimensions(variable), str(variable.dtype))
            )
            if units not in seen.units:
                seen.units.append(units)
            if name in NEEDED:
                names[name].append(stored_as)
                if is_field(variable):
                    values = np.ma.filled(np.ma.asarray(variable[...]).astype(np.float64), np.nan)
                    seen.add(*converted(values, name, units, dict(self.units), where))
        for name, several in names.items():
            if len(several) > 1 and name in several:
                doubled = f"{' and '.join(several)} both stand for {name}; {name} itself is read"
                self.findings.remark(doubled, where)
        return set(names)

    def _compare_time(self, file: Any, where: str, stamp: datetime | None) -> None:
        if stamp is None or self.utc_offset_h is None:
            return
        time_utc = stamp - timedelta(hours=self.utc_offset_h)
        try:
            check_time(file, Clock(time_utc, self.utc_offset_h), where)
        except AirshedError as problem:
            self.findings.add(problem)

    def _read_each(self, content: bytes, where: str, names: list[str]) -> dict[str, Floats]:
        """What an ingest reads; if it would refuse anything, each variable is asked by itself."""
        try:
            return read_fields(content, where, tuple(names), self.units)
        except AirshedError as problem:
            known = len(self.findings.problems)
            each = [self._read(content, where, (name,)) for name in names]
            if len(self.findings.problems) == known:  # it is in how they fit together
                self.findings.add(problem)
            return {name: field for read in each for name, field in read.items()}

    def _read(self, content: bytes, where: str, names: tuple[str, ...]) -> dict[str, Floats]:
        """What an ingest reads; nothing, and a problem more, if it would refuse."""
        try:
            return read_fields(content, where, names, self.units)
        except AirshedError as problem:
            self.findings.add(problem)
            return {}

    def _compare(self, read: Mapping[str, Floats], where: str) -> None:
        """Compare the grid with the first file's, and the values with what is plausible."""
        lat_deg, lon_deg = read["lat2d"], read["lon2d"]
        fields = np.full((len(HOURLY), *lat_deg.shape), np.nan)
        for number, name in enumerate(HOURLY):
            if name in read:
                fields[number] = read[name]
        hour = RawHour(fields, lat_deg, lon_deg)
        try:
            check_positions(lat_deg, lon_deg, where)
        except AirshedError as problem:
            self.findings.add(problem)
            return
        if self.grid is None:
            whole = np.array([0, lat_deg.shape[0], 0, lat_deg.shape[1]])
            self.grid = NativeGrid(lat_deg, lon_deg, np.isfinite(fields), whole)
        try:
            self.grid.check(hour, where)
        except AirshedError as problem:
            self.findings.add(problem)
            return
        present = np.array([name in read for name in HOURLY])
        self._inspect(fields, self.grid.known & present[:, None, None], where, bool(present.all()))

    def _inspect(self, fields: Floats, known: Any, where: str, complete: bool) -> None:
        """The ingest's own quality control; if it refuses, each variable is asked by itself."""
        try:
            found = inspect_hour(fields, known, self.quality, where)
        except AirshedError:
            for number in range(len(HOURLY)):
                alone, known_alone = np.full_like(fields, np.nan), np.zeros_like(known)
                alone[number], known_alone[number] = fields[number], known[number]
                try:
                    inspect_hour(alone, known_alone, self.quality, where)
                except AirshedError as problem:
                    self.findings.add(problem)
            return
        masked = [name for name, count in found.cells_implausible.items() if count]
        if masked:
            self.findings.remark(f"implausible values of {', '.join(masked)} are masked", where)
        if found.unusable is not None and complete:
            self.findings.remark(f"an hour counts as missing: {found.unusable}", where)


def mean_temperature(content: bytes, where: str) -> float | None:
    """Mean of the air temperature in one file, in whatever unit; None if it cannot be read."""
    try:
        return within_limit(lambda: _mean_temperature(content), where, REPLACE)
    except (*READ_ERRORS, GivenUpError):
        return None


def _mean_temperature(content: bytes) -> float | None:
    with netCDF4.Dataset("raw", memory=content) as file:
        for stored_as, variable in file.variables.items():
            if canonical_name(stored_as) == "temp" and is_field(variable):
                mean = np.ma.mean(variable[...])
                return None if mean is np.ma.masked else float(mean)
    return None


def _dimensions(variable: Any) -> str:
    sizes = zip(variable.dimensions, variable.shape, strict=True)
    return ", ".join(f"{name}={size}" for name, size in sizes) or "none"
