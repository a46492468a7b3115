"""Variables, ranges and grid of the sampled hours, with the ingest's own checks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import QualityConfig
from airshed.data.native import NativeGrid, native_grid
from airshed.data.problems import Findings
from airshed.data.quality import check_hour
from airshed.data.rawhour import Contents, Stored, as_hour
from airshed.data.units import linear_conversion
from airshed.variables import CAQRA, Quantities

LIKELY_UNITS = {"temp": ("K", "degC"), "psfc": ("Pa", "hPa"), "co": ("mg m-3", "ug m-3")}


@dataclass
class Range:
    """Minimum, maximum and sum of values; number of cells and of those with a value."""

    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    known: int = 0
    cells: int = 0

    def add(self, values: Floats) -> None:
        """Count the values of one more hour; NaN is missing."""
        known = values[np.isfinite(values)]
        self.cells += values.size
        self.known += known.size
        if known.size:
            self.low, self.high = min(self.low, known.min()), max(self.high, known.max())
            self.total += known.sum(dtype=np.float64)


@dataclass
class Seen:
    """One variable.

    Attributes:
        stored: As the first file has it.
        units: Different unit attributes, None where there was none.
        ranges: By canonical units; under None those of values whose unit is unknown.
    """

    stored: Stored
    units: list[str | None] = field(default_factory=list)
    ranges: dict[str | None, Range] = field(default_factory=dict)

    def add(self, stored: Stored) -> None:
        """Count one more hour."""
        units = None if stored.attribute is None else str(stored.attribute)
        if units not in self.units:
            self.units.append(units)
        if stored.values is not None:
            self.ranges.setdefault(stored.units, Range()).add(stored.values)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the range in known units, where any are; None where nothing is known."""
        units = next((units for units in self.ranges if units is not None), None)
        shown, stored = self.ranges.get(units, Range()), self.stored
        sizes = zip(stored.dimensions, stored.shape, strict=True)
        return {
            "name": stored.name,
            "stored_as": stored.stored_as,
            "units": self.units,
            "dimensions": ", ".join(f"{name}={size}" for name, size in sizes) or "none",
            "dtype": stored.dtype,
            "range_units": units,
            "minimum": float(shown.low) if shown.known else None,
            "mean": float(shown.total / shown.known) if shown.known else None,
            "maximum": float(shown.high) if shown.known else None,
            "missing_share": 1 - shown.known / shown.cells if shown.cells else None,
        }

    def likely_unit(self, quantities: Quantities) -> str | None:
        """A common unit in which the values without a unit are plausible, if there is one."""
        unknown = self.ranges.get(None)
        name = self.stored.name
        if name is None or unknown is None or not unknown.known:
            return None
        known = quantities[name]
        for units in LIKELY_UNITS.get(name, (known.units,)):
            factor, offset = linear_conversion(units, known.units)
            low, high = (value * factor + offset for value in (unknown.low, unknown.high))
            if known.low <= low <= high <= known.high:
                return units
        return None


@dataclass
class Tally:
    """What the sampled hours contain; problems are noted.

    Attributes:
        dataset: The study's description of the files, if there is a study.
        findings: Takes problems and remarks.
        variables: By their names in the files.
        grid: Of the first readable hour.
    """

    dataset: DatasetConfig | None
    findings: Findings
    variables: dict[str, Seen] = field(default_factory=dict)
    grid: NativeGrid | None = None

    @property
    def quantities(self) -> Quantities:
        """The study's quantities; without a study, the default ones."""
        return self.dataset.quantities if self.dataset else CAQRA

    def look(self, contents: Contents, where: str) -> None:
        """Add an hour, and check it as an ingest does."""
        self.add(contents, where)
        if {"lat2d", "lon2d"} <= contents.fields.keys():
            with self.findings:
                self._check(contents, where)

    def add(self, contents: Contents, where: str) -> None:
        """Count the variables of an hour."""
        several = defaultdict(list)
        for stored in contents.variables:
            self.variables.setdefault(stored.stored_as, Seen(replace(stored, values=None)))
            self.variables[stored.stored_as].add(stored)
            several[stored.name].append(stored.stored_as)
        for name in self.quantities.read:
            if len(several[name]) > 1 and name in several[name]:
                both = " and ".join(several[name])
                self.findings.remark(f"{both} both stand for {name}; {name} itself is read", where)

    def _check(self, contents: Contents, where: str) -> None:
        quantities = self.quantities
        hour = as_hour(contents, quantities.hourly, where, self.findings)
        quality = self.dataset.quality if self.dataset else QualityConfig()
        if self.grid is None:
            self.grid = native_grid(hour, self.dataset, where, self.findings)
        found = check_hour(hour, self.grid, quantities, quality, where, self.findings)
        if masked := [name for name, count in found.cells_implausible.items() if count]:
            self.findings.remark(f"implausible values of {', '.join(masked)} are masked", where)
        if found.unusable is not None and not hour.invalid:
            self.findings.remark(f"an hour counts as missing: {found.unusable}", where)
