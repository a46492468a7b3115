"""What one hourly file holds. The ingest's own reader says what it would refuse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from airshed.data.inspect.clock import stated_offset_h
from airshed.data.inspect.findings import Findings
from airshed.data.inspect.grid import check_same_grid
from airshed.data.inspect.tally import Seen, converted
from airshed.data.rawfile import read_fields
from airshed.errors import AirshedError
from airshed.variables import HOURLY, canonical_name

Floats = npt.NDArray[np.floating[Any]]
NEEDED = (*HOURLY, "lat2d", "lon2d")


@dataclass
class RawFiles:
    """What the hourly files that were looked at hold together.

    Attributes:
        units: Units that the configuration states.
        findings: Where problems go.
        variables: By the names that files give them.
        grid: Latitudes and longitudes [Y, X] of the first file.
        offsets_h: By how much files' names are ahead of their own time coordinates.
        count: Files looked at.
    """

    units: Mapping[str, str]
    findings: Findings
    variables: dict[str, Seen] = field(default_factory=dict)
    grid: tuple[Floats, Floats] | None = None
    offsets_h: set[float] = field(default_factory=set)
    count: int = 0

    def look(self, content: bytes, where: str, stamp: datetime | None) -> None:
        """Look at one file, named ``where`` in messages, of the hour ``stamp`` by its name."""
        self.count += 1
        try:
            with netCDF4.Dataset("raw", memory=content) as file:
                stored = self._describe(file, where)
                if stamp is not None and (ahead := stated_offset_h(file, stamp)) is not None:
                    self.offsets_h.add(ahead)
        except (OSError, RuntimeError):
            self._read(content, where, NEEDED)
            return
        lacking = tuple(name for name in NEEDED if name not in stored)
        if lacking:
            self._read(content, where, lacking)
        read = self._read_each(content, where, [name for name in NEEDED if name in stored])
        self._compare_grids(read.get("lat2d"), read.get("lon2d"), where)

    def _describe(self, file: Any, where: str) -> set[str]:
        """Note every variable; the canonical names that are there."""
        names = defaultdict(list)
        for stored_as, variable in file.variables.items():
            name = canonical_name(stored_as)
            units = getattr(variable, "units", None)
            seen = self.variables.setdefault(
                stored_as, Seen(name, stored_as, _dimensions(variable), str(variable.dtype))
            )
            if units not in seen.units:
                seen.units.append(units)
            if name in NEEDED:
                names[name].append(stored_as)
                values = np.ma.filled(np.ma.asarray(variable[...]).astype(np.float64), np.nan)
                seen.add(*converted(values, name, units, dict(self.units), where))
                if name in HOURLY and not np.isfinite(values).any():
                    self.findings.remark(f"no value of {name}: the hour counts as missing", where)
        for name, several in names.items():
            if len(several) > 1:
                doubled = f"{' and '.join(several)} both stand for {name}; the last is read"
                self.findings.remark(doubled, where)
        return set(names)

    def _read_each(self, content: bytes, where: str, names: list[str]) -> dict[str, Floats]:
        """What an ingest reads; if it would refuse anything, each variable is asked by itself."""
        try:
            return read_fields(content, where, tuple(names), self.units)
        except AirshedError:
            each = [self._read(content, where, (name,)) for name in names]
            return {name: field for read in each for name, field in read.items()}

    def _read(self, content: bytes, where: str, names: tuple[str, ...]) -> dict[str, Floats]:
        """What an ingest reads; nothing, and a problem more, if it would refuse."""
        try:
            return read_fields(content, where, names, self.units)
        except AirshedError as problem:
            self.findings.add(problem)
            return {}

    def _compare_grids(self, lat_deg: Floats | None, lon_deg: Floats | None, where: str) -> None:
        if lat_deg is None or lon_deg is None or lat_deg.shape != lon_deg.shape:
            return
        if self.grid is None:
            self.grid = (lat_deg, lon_deg)
            return
        try:
            check_same_grid(lat_deg, lon_deg, self.grid, where)
        except AirshedError as problem:
            self.findings.add(problem)


def mean_temperature(content: bytes) -> float | None:
    """Mean of the air temperature in one file, in whatever unit; None if it cannot be read."""
    try:
        with netCDF4.Dataset("raw", memory=content) as file:
            for stored_as, variable in file.variables.items():
                if canonical_name(stored_as) == "temp":
                    mean = np.ma.mean(variable[...])
                    return None if mean is np.ma.masked else float(mean)
    except (OSError, RuntimeError):
        pass
    return None


def _dimensions(variable: Any) -> str:
    sizes = zip(variable.dimensions, variable.shape, strict=True)
    return ", ".join(f"{name}={size}" for name, size in sizes) or "none"
