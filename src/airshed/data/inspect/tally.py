"""Names, units and ranges of variables, gathered over the hours that are looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

Floats = npt.NDArray[np.floating[Any]]
LIKELY_UNITS = {"temp": ("K", "degC"), "psfc": ("Pa", "hPa"), "co": ("mg m-3", "ug m-3")}


@dataclass
class Range:
    """Smallest, largest and sum of values, and how many of them are known."""

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
            self.total += known.sum()


@dataclass
class Seen:
    """One variable.

    Attributes:
        name: Canonical name, None for one that is not used.
        stored_as: Name in the files.
        dimensions: With their sizes.
        dtype: As stored.
        units: Attributes that were met, None where there was none.
        ranges: By canonical units; under None those of values whose unit is unknown.
    """

    name: str | None
    stored_as: str
    dimensions: str
    dtype: str
    units: list[str | None] = field(default_factory=list)
    ranges: dict[str | None, Range] = field(default_factory=dict)

    def add(self, values: Floats, units: str | None) -> None:
        """Count the values of one more hour, in canonical units, or unknown ones (None)."""
        self.ranges.setdefault(units, Range()).add(values)

    @property
    def range_units(self) -> str | None:
        """Units of the range that is shown: known ones, where any are."""
        return next((units for units in self.ranges if units is not None), None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the range is None where nothing is known."""
        shown = self.ranges.get(self.range_units, Range())
        return {
            "name": self.name,
            "stored_as": self.stored_as,
            "units": self.units,
            "dimensions": self.dimensions,
            "dtype": self.dtype,
            "range_units": self.range_units,
            "minimum": float(shown.low) if shown.known else None,
            "mean": float(shown.total / shown.known) if shown.known else None,
            "maximum": float(shown.high) if shown.known else None,
            "missing_share": 1 - shown.known / shown.cells if shown.cells else None,
        }


def likely_unit(seen: Seen) -> str | None:
    """A usual unit in which the values whose unit is unknown are plausible, if there is one."""
    unknown = seen.ranges.get(None)
    if seen.name is None or unknown is None or not unknown.known:
        return None
    known = VARIABLES[seen.name]
    for units in LIKELY_UNITS.get(seen.name, (known.units,)):
        factor, offset = linear_conversion(units, known.units)
        if (
            known.low
            <= unknown.low * factor + offset
            <= unknown.high * factor + offset
            <= known.high
        ):
            return units
    return None


def converted(
    values: Floats, name: str, attribute: str | None, units: dict[str, str], where: str
) -> tuple[Floats, str | None]:
    """Values in canonical units with their name, or as they are with None."""
    if name in ("lat2d", "lon2d") and attribute is None:
        attribute = VARIABLES[name].units
    try:
        return to_canonical(values, name, attribute, units, where), VARIABLES[name].units
    except AirshedError:
        return values, None
