"""Hours in memory that processes share: filled once, mapped by all, removed by the last."""

from __future__ import annotations

import fcntl
import multiprocessing
import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airshed.data import held
from airshed.data.held import HeldHours
from airshed.errors import AirshedError

SHAPE, STRETCH = (2, 3, 4), slice(5, 9)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own in place of the machine's shared memory."""
    monkeypatch.setattr(held, "FOLDER", tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != held.LOCK)


class Filler:
    """Fills an hour with its number, and counts."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, hour: int, out: np.ndarray) -> None:
        self.calls.append(hour)
        out[:] = hour


def test_hours_are_filled_once_and_shared(folder: Path) -> None:
    fill = Filler()
    first = HeldHours(fill, ["a"], STRETCH, SHAPE)
    assert sorted(fill.calls) == [5, 6, 7, 8]
    second = HeldHours(fill, ["a"], STRETCH, SHAPE)
    third: HeldHours = pickle.loads(pickle.dumps(first))  # noqa: S301 (as it travels)
    assert len(fill.calls) == 4
    for hours in (first, second, third):
        found = hours.fields([8, 5, 8])
        assert [field.shape for field in found] == [SHAPE] * 3
        assert [field[0, 0, 0] for field in found] == [8, 5, 8]
    assert len(files(folder)) == 1


def test_other_hours_settings_or_grids_are_other_files(folder: Path) -> None:
    fill = Filler()
    kept = [
        HeldHours(fill, ["a"], STRETCH, SHAPE),
        HeldHours(fill, ["b"], STRETCH, SHAPE),
        HeldHours(fill, ["a"], slice(5, 10), SHAPE),
    ]
    assert len(files(folder)) == len(kept)


def test_the_last_to_leave_removes_the_file(folder: Path) -> None:
    first = HeldHours(Filler(), ["a"], STRETCH, SHAPE)
    second = HeldHours(Filler(), ["a"], STRETCH, SHAPE)
    del first
    assert len(files(folder)) == 1
    assert second.fields([6])[0].max() == 6
    del second
    assert files(folder) == []


def _hold_until_killed(folder: str, ready: Any) -> None:
    held.FOLDER = Path(folder)
    hours = HeldHours(Filler(), ["killed"], STRETCH, SHAPE)
    ready.set()
    signal.pause()
    del hours


def test_what_a_killed_process_left_is_removed_by_the_next(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold_until_killed, args=(str(folder), ready))
    process.start()
    assert ready.wait(60)
    other = HeldHours(Filler(), ["a"], STRETCH, SHAPE)
    assert len(files(folder)) == 2  # its hours are in use
    process.kill()
    process.join(60)
    another = HeldHours(Filler(), ["b"], STRETCH, SHAPE)
    assert len(files(folder)) == 2
    assert other.fields([5])[0].max() == another.fields([5])[0].max()


def test_a_fill_that_fails_leaves_nothing_to_be_taken_for_complete(folder: Path) -> None:
    def fail(hour: int, out: np.ndarray) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        HeldHours(fail, ["a"], STRETCH, SHAPE)
    fill = Filler()
    hours = HeldHours(fill, ["a"], STRETCH, SHAPE)
    assert len(fill.calls) == 4
    assert hours.fields([7])[0].min() == 7


def test_memory_that_does_not_suffice_is_refused() -> None:
    with pytest.raises(AirshedError, match=r"loader\.hold"):
        HeldHours(Filler(), ["a"], slice(0, 2**40), SHAPE)
    assert not held.fits(2**40, SHAPE)
    assert held.fits(4, SHAPE)


def test_a_file_that_is_being_read_is_locked(folder: Path) -> None:
    hours = HeldHours(Filler(), ["a"], STRETCH, SHAPE)
    with (folder / files(folder)[0]).open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert hours.fields([5])[0].max() == 5
