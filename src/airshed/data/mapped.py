"""Normalised hours in one file, which every process that reads them maps into its memory.

The first process that needs a file writes it, once for all that come later. What is read stays in
memory as long as there is room: the system keeps one copy for all processes of a machine, and drops
it before memory gets short. A file holds fields in single precision, then a checksum of each hour.
"""

from __future__ import annotations

import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import torch
from torch import Tensor

from airshed.arrays import Floats32
from airshed.errors import AirshedError
from airshed.integrity.alone import LOCK, alone
from airshed.integrity.atomic import DiskError, atomic_path, remove, writing
from airshed.integrity.formats import NORMALISED
from airshed.progress import progress

QUIET_S = 10.0  # writing shows its progress if it takes longer


class MappedHours:
    """Normalised fields of a stretch of hours.

    Args:
        path: The file. Its folder is named after the current data; other folders beside it are of
            replaced data, and are removed when a file is written.
        hours: Positions on the store's time axis, one after the other.
        shape: Of one hour, [V, Y, X].
        normalised: Gives the fields of hours in their order; called if the file is not there.
        share: Of the disk's free room that the file may take.

    Raises:
        DiskError: The file cannot be written.
        AirshedError: It is damaged.
    """

    def __init__(
        self,
        path: Path,
        hours: range,
        shape: tuple[int, ...],
        normalised: Callable[[range], Iterable[Floats32]],
        share: float,
    ) -> None:
        self._path, self._first, self._shape = path, hours.start, (len(hours), *shape)
        if not path.exists():
            with writing(path), alone(path.parent.parent):
                if not path.exists():
                    _remove_unused(path.parent)
                    _check_room(path, self._shape, share)
                    _write(path, self._shape, normalised(hours))
        self._map()

    def _map(self) -> None:
        hours, size, found = self._shape[0], _size(self._shape), self._path.stat().st_size
        if found != size + 4 * hours:
            raise self._damaged(f"{found} of {size + 4 * hours} bytes")
        self._stored = np.memmap(self._path, np.float32, "r", shape=self._shape)
        self._checksums = np.memmap(self._path, np.uint32, "r", offset=size, shape=hours)
        self._sound = np.zeros(hours, dtype=bool)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of torch: the map is read-only
            self._fields = torch.from_numpy(self._stored)

    def __getstate__(self) -> tuple[Any, ...]:
        return self._path, self._first, self._shape

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._path, self._first, self._shape = state
        self._map()

    def fields(self, hours: Sequence[int]) -> list[Tensor]:
        """Fields [V, Y, X] of positions on the store's time axis; NaN where missing.

        Raises:
            AirshedError: An hour has another checksum than when it was written.
        """
        numbers = [hour - self._first for hour in hours]
        for number in numbers:
            if not self._sound[number]:
                if google_crc32c.value(self._stored[number]) != self._checksums[number]:
                    raise self._damaged(f"another checksum of its hour {number}")
                self._sound[number] = True
        return [self._fields[number] for number in numbers]

    def _damaged(self, found: str) -> AirshedError:
        return AirshedError(
            f"{NORMALISED.what} is damaged", where=self._path, found=found, hint=NORMALISED.remake
        )


def _size(shape: tuple[int, ...]) -> int:
    """Bytes of fields."""
    return 4 * math.prod(shape)


def _check_room(path: Path, shape: tuple[int, ...], share: float) -> None:
    wanted = _size(shape)
    free = shutil.disk_usage(path.parent.parent).free
    if wanted > share * free:
        raise DiskError(
            "the normalised hours do not fit on the disk",
            where=f"{path} (loader.hold)",
            expected=f"{wanted / share / 1e9:.1f} GB free",
            found=f"{free / 1e9:.1f} GB",
            hint="make room, or set loader.hold to never",
        )


def _remove_unused(folder: Path) -> None:
    """Remove files of data that were replaced, and what killed processes left."""
    for other in folder.parent.iterdir():
        if other.name not in (folder.name, LOCK):
            remove(other)
    for partial in folder.glob(".*.partial"):
        remove(partial)


def _write(path: Path, shape: tuple[int, ...], fields: Iterable[Floats32]) -> None:
    checksums = []
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _size(shape))  # a full disk shows here
            for hour in progress(fields, "hours normalised", shape[0], delay_s=QUIET_S):
                file.write(hour.data)
                checksums.append(google_crc32c.value(hour))
            file.write(np.array(checksums, dtype=np.uint32).data)
    except FileNotFoundError as error:
        raise DiskError(
            f"{NORMALISED.what} was removed while it was written",
            where=path,
            found="another process writes it too: locks do not hold for all machines here",
            hint="run again when the other one is done, or set loader.hold to never",
        ) from error
