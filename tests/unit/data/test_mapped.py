"""Hours in a file that processes map: written once, checked when read, never half there."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airshed.data.mapped import MappedHours
from airshed.errors import AirshedError
from airshed.integrity.atomic import DiskError

SHAPE, HOURS = (2, 3, 4), range(5, 9)


class Source:
    """Gives hours filled with their number, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, hours: Iterable[int]) -> Iterator[np.ndarray]:
        self.calls += 1
        for hour in hours:
            yield np.full(SHAPE, hour, dtype=np.float32)


def mapped(path: Path, source: Any, hours: range = HOURS, share: float = 1.0) -> MappedHours:
    return MappedHours(path, hours, SHAPE, source, share)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_hours_are_written_once_and_mapped_by_all(tmp_path: Path) -> None:
    path, source = tmp_path / "now/a.f32", Source()
    first = mapped(path, source)
    second = mapped(path, source)
    third: MappedHours = pickle.loads(pickle.dumps(first))  # noqa: S301 (as it travels)
    assert source.calls == 1
    for hours in (first, second, third):
        found = hours.fields([8, 5, 8])
        assert [tuple(field.shape) for field in found] == [SHAPE] * 3
        assert [field[0, 0, 0].item() for field in found] == [8, 5, 8]
    assert files(tmp_path) == ["lock", "now/a.f32"]


def test_files_of_replaced_data_go_and_those_of_the_same_data_stay(tmp_path: Path) -> None:
    mapped(tmp_path / "before/a.f32", Source())
    mapped(tmp_path / "now/a.f32", Source())
    mapped(tmp_path / "now/b.f32", Source(), range(5, 10))
    assert files(tmp_path) == ["lock", "now/a.f32", "now/b.f32"]


def _write(path: Path, written: Any) -> None:
    def source(hours: Iterable[int]) -> Iterator[np.ndarray]:
        with written.get_lock():
            written.value += 1
        return Source()(hours)

    hours = mapped(path, source)
    os._exit(0 if hours.fields([6])[0].max() == 6 else 1)


def test_of_processes_that_start_together_one_writes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    written = context.Value("i", 0)
    processes = [
        context.Process(target=_write, args=(tmp_path / "now/a.f32", written)) for _ in range(6)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 6
    assert written.value == 1


def _write_until_killed(path: Path, ready: Any) -> None:
    def source(hours: Iterable[int]) -> Iterator[np.ndarray]:
        yield np.zeros(SHAPE, dtype=np.float32)
        ready.set()
        signal.pause()

    mapped(path, source)


def test_what_a_killed_process_left_is_not_believed_and_goes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_write_until_killed, args=(tmp_path / "now/a.f32", ready))
    process.start()
    assert ready.wait(60)
    process.kill()
    process.join(60)
    assert any(name.endswith(".partial") for name in files(tmp_path))
    other = mapped(tmp_path / "now/b.f32", Source())
    assert files(tmp_path) == ["lock", "now/b.f32"]
    assert mapped(tmp_path / "now/a.f32", Source()).fields([5])[0].max() == 5
    assert other.fields([5])[0].max() == 5


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(hours: Iterable[int]) -> Iterator[np.ndarray]:
        yield np.zeros(SHAPE, dtype=np.float32)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mapped(tmp_path / "now/a.f32", fail)
    assert files(tmp_path) == ["lock"]
    assert mapped(tmp_path / "now/a.f32", Source()).fields([7])[0].min() == 7


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"(?s)do not fit.*loader\.hold"):
        mapped(tmp_path / "now/a.f32", Source(), range(2**40))
    with pytest.raises(DiskError, match="do not fit"):
        mapped(tmp_path / "now/a.f32", Source(), share=1e-12)
    assert files(tmp_path) == ["lock"]


@pytest.mark.parametrize(
    ("call", "number", "said"),
    [
        ("fcntl.flock", errno.ENOLCK, "cannot be locked"),
        ("os.posix_fallocate", errno.EDQUOT, "the quota is used up"),
        ("pathlib.Path.mkdir", errno.EROFS, "the file system is read-only"),
    ],
)
def test_a_disk_that_refuses_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(call, refuse)
    with pytest.raises(DiskError, match=said):
        mapped(tmp_path / "now/a.f32", Source())
    assert files(tmp_path) in ([], ["lock"])


def test_a_file_that_another_machine_takes_away_is_said(tmp_path: Path) -> None:
    def robbed(hours: Iterable[int]) -> Iterator[np.ndarray]:
        yield from Source()(hours)
        for partial in (tmp_path / "now").iterdir():
            partial.unlink()

    with pytest.raises(DiskError, match="locks"):
        mapped(tmp_path / "now/a.f32", robbed)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "now/a.f32"
    mapped(path, Source())
    whole = path.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 100)):
        broken = bytearray(whole)
        broken[position] ^= 1
        path.write_bytes(bytes(broken))
        with pytest.raises(AirshedError, match=rf"(?s)damaged.*{path}"):
            mapped(path, Source()).fields(HOURS)


@pytest.mark.parametrize("keep", [0, 5, 130, 300, -1, -60])
def test_a_file_cut_off_is_noticed(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "now/a.f32"
    mapped(path, Source())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(AirshedError, match="damaged"):
        mapped(path, Source())
