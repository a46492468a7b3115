"""Sums of a source in each cell of the study grid, and the means and totals from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats
from airshed.data.regrid import MIN_COVERED

Convert = Callable[[Floats], Floats]
"""From the values of a file to those that are summed."""

WHOLE = 0.99  # covered share that counts as whole, since outlines of grids are approximate


@dataclass(frozen=True)
class Sums:
    """Sums over the parts of a source's cells that lie in each study cell, all [Y, X].

    Attributes:
        covered: Share of the study cell within the source's extent.
        area_km2: Area of the parts.
        known_km2: Area of those with a value.
        values: Values by the share of the source cell.
        values_km2: Values by area.
        low: Smallest value of any part; NaN where there is none.
        high: Largest.
    """

    covered: Floats
    area_km2: Floats
    known_km2: Floats
    values: Floats
    values_km2: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Gathered:
    """A source's field on the study grid, [Y, X], and the share of each cell that it covers."""

    values: Floats
    covered: Floats


def mean(sums: Sums) -> Gathered:
    """Means weighted by area, over the known part of each cell; missing where that is too small."""
    enough = (sums.known_km2 > 0) & (sums.known_km2 >= MIN_COVERED * sums.area_km2)
    missing = np.full(enough.shape, np.nan)
    means = np.divide(sums.values_km2, sums.known_km2, out=missing, where=enough)
    return _where_covered(means, sums)


def total(sums: Sums, per_km2: bool) -> Gathered:
    """Sums over the known part of each cell; missing only where nothing is known.

    So the sum over all cells is that of the source within their outline.

    Args:
        sums: Of counts per source cell, or per square kilometre.
        per_km2: Whether the source is a density.
    """
    found = sums.values_km2 if per_km2 else sums.values
    return _where_covered(np.where(sums.known_km2 > 0, found, np.nan), sums)


def _where_covered(values: Floats, sums: Sums) -> Gathered:
    return Gathered(np.where(sums.covered >= WHOLE, values, np.nan), sums.covered)
