"""Names, units and ranges of variables, gathered over the hours that are looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

Floats = npt.NDArray[np.floating[Any]]
LIKELY_UNITS = {"temp": ("K", "degC"), "psfc": ("Pa", "hPa"), "co": ("mg m-3", "ug m-3")}


@dataclass
class Seen:
    """One variable; ``units`` are the attributes that were met, None where there was none.

    ``minimum``, ``mean`` and ``maximum`` are in ``range_units``: canonical units where the unit is
    known, else as stored (None).
    """

    name: str | None
    stored_as: str
    dimensions: str
    dtype: str
    units: list[str | None] = field(default_factory=list)
    range_units: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    missing_share: float | None = None
    cells: int = 0
    known: int = 0
    total: float = 0.0

    def add(self, values: Floats, units: str | None) -> None:
        """Count the values of one more hour; a range in known units replaces one in unknown."""
        if self.cells and units != self.range_units:
            if units is None:
                return
            self.minimum = self.maximum = None
            self.cells = self.known = 0
            self.total = 0.0
        known = values[np.isfinite(values)]
        self.range_units = units
        self.cells += values.size
        self.known += known.size
        self.missing_share = 1 - self.known / self.cells
        if known.size:
            self.total += float(known.sum())
            self.mean = self.total / self.known
            low, high = float(known.min()), float(known.max())
            self.minimum = low if self.minimum is None else min(low, self.minimum)
            self.maximum = high if self.maximum is None else max(high, self.maximum)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        left_out = ("known", "total", "cells")
        return {key: value for key, value in asdict(self).items() if key not in left_out}


def likely_unit(seen: Seen) -> str | None:
    """A usual unit for a variable without a unit attribute: one in which its range is plausible.

    Where some files have an attribute, theirs.
    """
    if seen.name is None or seen.minimum is None or seen.maximum is None:
        return None
    if seen.range_units is not None:
        return next((units for units in seen.units if units is not None), None)
    known = VARIABLES[seen.name]
    for units in LIKELY_UNITS.get(seen.name, (known.units,)):
        factor, offset = linear_conversion(units, known.units)
        low, high = seen.minimum * factor + offset, seen.maximum * factor + offset
        if known.low <= low and high <= known.high:
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
