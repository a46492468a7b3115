"""Fields at any hours of the hourly store, each day read once, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.arrays import Integers
from airshed.data.stores import reading_hours

HOURS_A_BLOCK = 24


class DayReader:
    """Fields at any hours of the store, with a cache of the days that were read last.

    Memory: ``days`` days of the variables in float32, that is 25 MB a day for eight variables at
    128 x 256. Hours asked for in rising order, none of them more than ``days - 1`` days before the
    latest, are read once.

    Args:
        hourly: The hourly store, opened without dask.
        names: Variables, in the order that they are wanted in.
        days: How many days are cached.
    """

    def __init__(self, hourly: xr.Dataset, names: Sequence[str], days: int) -> None:
        self._hourly, self._names, self._days = hourly, tuple(names), days
        self._cache: OrderedDict[int, npt.NDArray[np.float32]] = OrderedDict()

    def fields(self, indices: Integers) -> npt.NDArray[np.float32]:
        """Fields at positions of the time axis.

        Args:
            indices: [B]; a position may occur several times.

        Returns:
            [B, len(names), Y, X] in canonical units, NaN where missing.
        """
        shape = (len(self._names), self._hourly.sizes["y"], self._hourly.sizes["x"])
        fields = np.empty((len(indices), *shape), dtype=np.float32)
        for row, index in enumerate(indices.tolist()):
            fields[row] = self._block(index // HOURS_A_BLOCK)[index % HOURS_A_BLOCK]
        return fields

    def _block(self, number: int) -> npt.NDArray[np.float32]:
        """Fields [hour, variable, Y, X] of a day, counted from the start of the store."""
        if number not in self._cache:
            self._cache[number] = self._read(number)
        self._cache.move_to_end(number)
        while len(self._cache) > self._days:
            self._cache.popitem(last=False)
        return self._cache[number]

    def _read(self, number: int) -> npt.NDArray[np.float32]:
        hours = slice(number * HOURS_A_BLOCK, (number + 1) * HOURS_A_BLOCK)
        block = self._hourly[list(self._names)].isel(time=hours)
        with reading_hours(self._hourly.encoding.get("source")):
            fields = [block[name].values for name in self._names]
        return np.stack(fields, axis=1).astype(np.float32, copy=False)


def days_spanned(hours: int) -> int:
    """Days that hold any hour and the one ``hours`` later, and one more for reading ahead."""
    return -(-hours // HOURS_A_BLOCK) + 2
