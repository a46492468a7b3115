"""Processes that read samples: one that dies, and one that finds damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from tiny_runs import Disturbance, assert_same_run, progress, said, start, tiny_study

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.training import readers
from airshed.training.readers import ReaderDiedError, read


def study(workers: int) -> Study:
    """Read by processes that take every hour from the store."""
    loader = {"start_method": "fork", "hold": "never"}
    return tiny_study(train={"workers": workers}, loader=loader)


def test_a_reader_that_dies_is_said_and_the_training_continues(
    prepared: Prepared, tmp_path: Path
) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert start(study(0), prepared, unbroken) == [0]
    dying = Disturbance(6, (SIGKILL,), readers_only=True)
    assert start(study(2), prepared, broken, 1, dying) == [1]
    assert "a process that reads samples died" in said(broken)
    assert "Traceback" not in said(broken)
    assert progress(broken)["state"] == "failed"
    assert start(study(2), prepared, broken) == [0]
    assert_same_run(broken, unbroken)


@pytest.mark.parametrize("workers", [0, 1])
def test_damage_that_a_reader_finds_is_said_without_its_traceback(
    prepared: Prepared, tmp_path: Path, workers: int
) -> None:
    copied = replace(prepared, hourly=tmp_path / "hourly.zarr")
    shutil.copytree(prepared.hourly, copied.hourly)
    for shard in copied.hourly.glob("temp/c/*/0/0"):
        content = bytearray(shard.read_bytes())
        content[0] ^= 1
        shard.write_bytes(content)
    assert start(study(workers), copied, tmp_path / "run") == [1]
    told = said(tmp_path / "run")
    assert "the hourly store is damaged" in told
    assert "hourly.zarr/temp/c/" in told
    assert "Traceback" not in told


class BrokenOff:
    """A loader whose next batch is an error, with one process that is there or gone."""

    num_workers = 1

    def __init__(self, error: Exception, gone: bool) -> None:
        self.error, self.closed = error, False
        end, other = os.pipe()
        if gone:
            os.close(other)
        self._workers = [SimpleNamespace(sentinel=end, join=lambda: None, exitcode=-SIGKILL)]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> NoReturn:
        raise self.error

    def _shutdown_workers(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        BrokenPipeError(32, "Broken pipe"),
        FileNotFoundError(2, "No such file or directory"),
        EOFError(),
        RuntimeError("received 0 items of ancdata"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
        RuntimeError("Pin memory thread exited unexpectedly"),
    ],
)
def test_whatever_breaks_first_when_a_reader_dies_means_that_it_died(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader: Any = BrokenOff(error, gone=True)
    with pytest.raises(ReaderDiedError, match=rf"\[-9\], {type(error).__name__}"):
        next(read(loader))
    assert loader.closed
    monkeypatch.setattr(readers, "ENDING_S", 0.0)
    loader = BrokenOff(error, gone=False)
    with pytest.raises(type(error)) as raised:
        next(read(loader))
    assert raised.value is error
    assert loader.closed
