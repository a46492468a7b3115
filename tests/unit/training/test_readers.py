"""Processes that read samples: one that dies, and one that finds damage."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL

import pytest
from tiny_runs import Disturbance, assert_same_run, progress, said, start, tiny_study

from airshed.config import Study
from airshed.data.prepared import Prepared


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
