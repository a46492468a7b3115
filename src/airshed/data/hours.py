"""Reading hours of the hourly store: single ones, or many in their order, a day at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from airshed.data.hourly import HOURS_A_DAY, PACKING, packing
from airshed.data.stores import damaged_hours, reading_hours

Floats = npt.NDArray[np.float32]


class HourReader:
    """Reads hours of the variables of an hourly store, in float32 and canonical units.

    Fields are NaN where missing. Zarr takes about a millisecond for each array that it reads from,
    whether for an hour or a day.

    Args:
        path: The store.
        names: Variables, in the order in which they are returned.

    Raises:
        AirshedError: A variable is packed in another way than the hourly store is.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = Path(path), tuple(names)
        group = zarr.open_group(path, mode="r")
        self._arrays: list[Any] = [group[name] for name in self.names]
        for name, array in zip(self.names, self._arrays, strict=True):
            packed = {key: array.attrs[key] for key, _ in PACKING if key in array.attrs}
            if packed != packing(name, str(array.dtype)):
                raise damaged_hours(f"{path}, variable {name}", f"packed as {packed}")
        self.shape: tuple[int, int] = self._arrays[0].shape[1:]

    def read(self, hour: int) -> Floats:
        """Fields [V, Y, X] of an hour, by its position on the store's time axis.

        Raises:
            AirshedError: A shard is damaged.
        """
        return self._read(hour, 1)[0]

    def each(self, hours: Iterable[int]) -> Iterator[Floats]:
        """Fields [V, Y, X] of one hour after the other; each day is read at once.

        Args:
            hours: Positions on the store's time axis, rising.

        Raises:
            AirshedError: A shard is damaged.
        """
        for day, of_day in groupby(hours, lambda hour: hour // HOURS_A_DAY):
            fields = self._read(day * HOURS_A_DAY, HOURS_A_DAY)
            for hour in of_day:
                yield fields[hour % HOURS_A_DAY]

    def _read(self, first: int, count: int) -> Floats:
        """Fields [count, V, Y, X] of hours of one day."""
        out = np.empty((count, len(self.names), *self.shape), dtype=np.float32)
        for index, (name, array) in enumerate(zip(self.names, self._arrays, strict=True)):
            with reading_hours(self.path / name / "c" / str(first // HOURS_A_DAY) / "0" / "0"):
                out[:, index] = array[first : first + count]
            scale, offset = (array.attrs.get(key, default) for key, default in PACKING)
            if scale != 1:
                out[:, index] *= scale
            if offset:
                out[:, index] += offset
        return out
