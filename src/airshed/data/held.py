"""Normalised hours in memory that all processes of a machine share.

The fields lie in one file of the memory file system, mapped by every process that reads them: the
ranks of a training and their reader processes share one copy. The first process to come makes it,
the others wait. A process that maps the file holds a shared lock on it, so that the last one to
leave, or the next training to start, can remove what nobody uses.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import psutil

from airshed.errors import AirshedError
from airshed.progress import progress

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
FillHour = Callable[[int, Floats], None]
"""Fills normalised fields [V, Y, X] of a position on the store's time axis."""

# Linux: files here are memory
FOLDER = Path("/dev/shm")  # noqa: S108  # nosec B108
PREFIX = f"airshed-{os.getuid()}-"
LOCK = f"{PREFIX}lock"  # one for all, and never removed: whoever makes or removes a file has it
QUIET_S = 10.0  # filling shows its progress if it takes longer
SHARE = 0.5  # of the memory that is free, at most


class HeldHours:
    """Normalised fields of a stretch of hours, mapped from shared memory.

    Args:
        fill: Reads and normalises one hour; called if no other process has done so.
        identity: Everything that the fields depend on, as plain values.
        stretch: Positions on the store's time axis.
        shape: Of one hour, [V, Y, X].

    Raises:
        AirshedError: The memory does not suffice.
    """

    def __init__(
        self, fill: FillHour, identity: Any, stretch: slice, shape: tuple[int, ...]
    ) -> None:
        self.first = stretch.start
        self.shape = (stretch.stop - stretch.start, *shape)
        content = json.dumps([identity, [stretch.start, stretch.stop]])
        self._path = FOLDER / f"{PREFIX}{hashlib.sha256(content.encode()).hexdigest()[:24]}"
        with _exclusive():
            _remove_unused(except_for=self._path)
            if not self._path.exists():
                _make(self._path, self.shape, fill, self.first)
            self._attach()

    def _attach(self) -> None:
        lock = self._path.open("rb")
        fcntl.flock(lock, fcntl.LOCK_SH)
        # "c": nobody writes, and torch takes no read-only memory
        self._fields = np.memmap(self._path, np.float32, "c", shape=self.shape)
        weakref.finalize(self, _leave, self._path, lock)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_fields"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._attach()  # the process that sent this still holds its lock

    def fields(self, hours: Sequence[int]) -> list[Floats]:
        """Normalised fields [V, Y, X] of positions on the store's time axis; NaN where missing."""
        return [self._fields[hour - self.first] for hour in hours]


def fits(hours: int, shape: tuple[int, ...]) -> bool:
    """Whether so many hours of fields [V, Y, X] fit into memory that is free."""
    if not FOLDER.is_dir():
        return False
    wanted = 4 * hours * int(np.prod(shape))
    free = min(shutil.disk_usage(FOLDER).free, psutil.virtual_memory().available)
    return wanted <= SHARE * free


@contextmanager
def _exclusive(wait: bool = True) -> Iterator[None]:
    """Hold the lock of this user's files; without ``wait``, BlockingIOError if another has it."""
    with (FOLDER / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _make(path: Path, shape: tuple[int, ...], fill: FillHour, first: int) -> None:
    """Fill a file that gets its name when it is complete."""
    partial = path.with_suffix(".partial")
    size = 4 * int(np.prod(shape))
    try:
        with partial.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # memory that is lacking shows here
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise AirshedError(
            "the normalised hours do not fit into shared memory",
            where=f"{FOLDER} (loader.hold)",
            expected=f"{size / 1e9:.1f} GB",
            found=f"{shutil.disk_usage(FOLDER).free / 1e9:.1f} GB free",
            hint="set loader.hold to auto or never",
        ) from error
    fields = np.memmap(partial, np.float32, "r+", shape=shape)
    log.info("holding %d hours, %.1f GB, in %s", shape[0], size / 1e9, FOLDER)
    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as pool:
        done = pool.map(lambda number: fill(first + number, fields[number]), range(shape[0]))
        for _ in progress(done, "hours read", shape[0], delay_s=QUIET_S):
            pass
    partial.replace(path)


def _leave(path: Path, lock: IO[bytes]) -> None:
    """Let go of a file, and remove it if nobody else has it."""
    lock.close()
    try:
        with _exclusive(wait=False):
            _remove_unused(except_for=None)
    except OSError:  # somebody makes a file: a later training removes this one
        log.debug("%s is left for the next training to remove", path)


def _remove_unused(except_for: Path | None) -> None:
    """Delete files of hours that no process has locked, those of killed processes among them."""
    for path in FOLDER.glob(f"{PREFIX}*"):
        if path in (except_for, FOLDER / LOCK):
            continue
        with path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            path.unlink()
