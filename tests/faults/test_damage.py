"""Files that are damaged after they were written: noticed by who reads them, or of no influence."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import GRID, OUTPUTS, PLACES, SEED, Study, flip

# who reads a file, of one job of each rule
READERS = {
    str(PLACES.static): "statistics",
    str(PLACES.patch_elevation): "train",
    str(PLACES.statistics): "evaluate",
    str(PLACES.scan_tables()): "evaluate",
    str(PLACES.climatology): "baseline",
    str(PLACES.damping): "baseline",
    f"{SEED}/checkpoints/best.ckpt": "evaluate",
    f"{SEED}/scores.nc": "compare",
}


def cut(path: Path, chance: random.Random) -> None:
    """Cut a file off somewhere."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_by_its_reader(
    truth: Study,
    without: Callable[[str], Study],
    name: str,
    damage: Callable[[Path, random.Random], object],
) -> None:
    rule = READERS[name]
    study = without(rule)
    damage(study.folder / name, random.Random(f"{name} {damage.__name__}"))
    done = study.airshed(study.command(rule))
    assert done.returncode == 1, done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert not any((study.folder / output).exists() for output in OUTPUTS[rule])


@pytest.mark.parametrize("rule", ["statistics", "climatology", "train", "evaluate", "baseline"])
def test_damaged_hours_are_said(truth: Study, without: Callable[[str], Study], rule: str) -> None:
    """One bit in every fourth shard, so that every rule reads a damaged one."""
    chance, study = random.Random(rule), without(rule)
    shutil.rmtree(study.folder / GRID / "normalised")  # so that hours come from the store
    shards = sorted((study.folder / GRID / "hourly.zarr").glob("*/c/*/0/0"))
    for path in chance.sample(shards, len(shards) // 4):
        flip(path, chance)
    done = study.airshed(study.command(rule))
    assert done.returncode == 1, done.stderr
    assert "hourly store is damaged" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("rule", ["statistics", "baseline"])
def test_a_lost_shard_is_no_missing_data(without: Callable[[str], Study], rule: str) -> None:
    study = without(rule)
    lost = study.folder / GRID / "hourly.zarr/pm25/c/3/0/0"
    lost.unlink()
    done = study.airshed(study.command(rule))
    assert done.returncode == 1
    assert str(lost.relative_to(study.folder)) in done.stderr
    assert "no such file" in done.stderr


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_training_goes_on_from_the_checkpoint_before_the_damaged_one(
    truth: Study,
    without: Callable[[str], Study],
    damage: Callable[[Path, random.Random], object],
) -> None:
    """Killed after its last step; the newest state damaged; the same weights in the end."""
    study = without("train")
    shutil.copytree(truth.folder / SEED / "checkpoints", study.folder / SEED / "checkpoints")
    (study.folder / SEED / "checkpoints/finished.json").unlink()
    last = study.folder / SEED / "checkpoints/last.ckpt"
    content = last.read_bytes()
    place = len(content) // 2  # within the tensors
    damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    last.write_bytes(damaged if damage is flip else content[:place])
    done = study.make("train")
    assert done.returncode == 0, done.stderr[-3000:]
    said = (study.folder / SEED / "logs/train.log").read_text()
    assert str(last.relative_to(study.folder)) in said
    assert "continuing from" in said
    assert "previous.ckpt" in said
    assert study.content("train") == truth.content("train")
