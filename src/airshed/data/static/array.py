"""A bare array of elevation or population: values of the study grid's cells, without positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.static.cells import Cells
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.mask import in_order_of, saved_array
from airshed.data.static.wanted import Wanted
from airshed.errors import AirshedError

START = b"\x93NUM"
"""How a file begins that numpy.save wrote."""


@dataclass(frozen=True)
class BareArray:
    """A field [Y, X] of the study grid.

    Attributes:
        where: The file, for messages.
        values: In the array's own row order; NaN is missing.
        rows: How they run: ``north_first`` or ``south_first``.
        units: None: an array has none.
    """

    where: str
    values: Floats
    rows: str
    units: None = None

    def on(self, cells: Cells) -> Curvilinear:
        """The field with the positions of the study grid, its rows in the grid's order.

        Raises:
            AirshedError: It has another shape.
        """
        if self.values.shape != cells.shape:
            raise _unfit(self.where, f"{cells.shape[0]} x {cells.shape[1]} numbers", self.values)
        values = in_order_of(cells.lat_deg, self.values, self.rows)
        return Curvilinear(self.where, self.units, values, cells.lat_deg, cells.lon_deg)


def open_array(wanted: Wanted) -> BareArray:
    """The array, if its row order is configured.

    Raises:
        AirshedError: It cannot be read, holds no real numbers, or its rows may run either way.
    """
    what = f"the file with {wanted.name} cannot be read"
    stored = saved_array(wanted.path, what, wanted.path, wanted.fetch_again)
    if stored.dtype.kind not in "iuf":
        raise _unfit(str(wanted.path), "real numbers, one for each cell", stored)
    if wanted.rows is None:
        raise AirshedError(
            f"how the rows of the array with {wanted.name} run is not known",
            where=wanted.path,
            expected="dataset.static_rows: north_first or south_first",
            found="an array, which has no positions",
            hint="set it as the array is written",
        )
    return BareArray(str(wanted.path), stored.astype(np.float64), wanted.rows)


def _unfit(where: str, expected: str, found: np.ndarray[Any, Any]) -> AirshedError:
    return AirshedError(
        "an array does not fit the study grid",
        where=where,
        expected=f"{expected} (dataset.grid)",
        found=f"shape {found.shape}, type {found.dtype}",
        hint="give a file with positions (NetCDF, GeoTIFF): it is averaged to the study grid",
    )
