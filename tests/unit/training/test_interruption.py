"""A training that is killed, cancelled or out of time ends where an unbroken one does."""

from __future__ import annotations

import json
import os
import random
import shutil
import zipfile
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, SIGUSR1
from typing import Any

import pytest
from made_once import MadeOnce
from tiny_runs import (
    SEED,
    VARIANT,
    Disturbance,
    assert_same_run,
    finish,
    progress,
    said,
    start,
    tiny_study,
)

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.training.checkpoints import LAST, PREVIOUS
from airshed.training.reuse import TrainingRequest, restore_record
from airshed.training.stopping import EXIT_INTERRUPTED, InterruptedTrainingError, StopRequest

TRAINING, VALIDATION = 8, 4  # forward passes of an epoch: two to each of four steps, then four
CANCELLED, OUT_OF_TIME, IMPATIENT = (SIGTERM,), (SIGUSR1,), (SIGUSR1, SIGTERM, SIGINT)
CTRL_C = (SIGINT, SIGINT)


def study(
    workers: int = 0,
    saved_every_min: float = 1e-9,
    batch_size: int = 4,
    keep_states: bool = True,
) -> Study:
    """Two micro-batches to a step, dropout, and a checkpoint after every step."""
    train = {"workers": workers, "batch_size": batch_size}
    jobs = {"checkpoint_every_min": saved_every_min, "keep_states": keep_states}
    return tiny_study(train=train, jobs=jobs, loader={"start_method": "fork"})


PAIR = study(batch_size=2)  # as many forward passes in each of two processes


@pytest.fixture(scope="module")
def unbroken(prepared: Prepared, made_once: MadeOnce) -> Path:
    return made_once("unbroken", lambda folder: finish(study(), prepared, folder))


@pytest.fixture(scope="module")
def unbroken_pair(prepared: Prepared, made_once: MadeOnce) -> Path:
    return made_once("unbroken_pair", lambda folder: finish(PAIR, prepared, folder, count=2))


def disturbances(seed: int, count: int) -> list[Disturbance]:
    """What befalls the starts of a run: all kinds, at arbitrary forward passes of any process.

    A kill leaves time for a validation and a step, so that each start gets further; together they
    come before the last of the 24 forward passes.
    """
    chance = random.Random(seed)
    kinds = [(SIGKILL,), CTRL_C, OUT_OF_TIME, IMPATIENT]
    chance.shuffle(kinds)
    return [
        Disturbance(
            chance.randint(*((6, 8) if SIGKILL in kind else (1, 5))),
            kind,
            rank=chance.randrange(count),
        )
        for kind in kinds
    ]


@pytest.mark.parametrize(("seed", "workers"), [(0, 0), (1, 0), (2, 2)])
def test_whatever_interrupts_it_the_result_is_the_same(
    prepared: Prepared, unbroken: Path, tmp_path: Path, seed: int, workers: int
) -> None:
    for disturbance in disturbances(seed, 1):
        expected = -SIGKILL if SIGKILL in disturbance.signals else EXIT_INTERRUPTED
        assert start(study(workers), prepared, tmp_path, 1, disturbance) == [expected]
    assert start(study(workers), prepared, tmp_path) == [0]
    assert_same_run(tmp_path, unbroken)
    assert progress(tmp_path)["attempts"] == 5


@pytest.mark.parametrize("seed", [3])
def test_whatever_interrupts_two_processes_the_result_is_the_same(
    prepared: Prepared, unbroken_pair: Path, tmp_path: Path, seed: int
) -> None:
    for disturbance in disturbances(seed, 2):
        codes = start(PAIR, prepared, tmp_path, 2, disturbance)
        if SIGKILL in disturbance.signals:
            assert codes[disturbance.rank] == -SIGKILL
            assert codes[1 - disturbance.rank] == 1
        else:
            assert codes == [EXIT_INTERRUPTED] * 2
    assert start(PAIR, prepared, tmp_path, 2) == [0, 0]
    assert_same_run(tmp_path, unbroken_pair)


@pytest.mark.parametrize(
    ("forward", "step"),
    [(1, 0), (2, 0), (3, 1), (TRAINING, 3), (TRAINING + 1, 4), (TRAINING + 3, 4)],
    ids=["first", "accumulating", "second step", "last step", "validation", "within validation"],
)
def test_a_signal_saves_what_is_done_even_if_nothing_was_saved_before(
    prepared: Prepared, unbroken: Path, tmp_path: Path, forward: int, step: int
) -> None:
    """The step in whose last forward pass the signal comes is still completed."""
    rarely = study(saved_every_min=60.0)
    completed = forward % 2 == 0 and forward <= TRAINING
    assert start(rarely, prepared, tmp_path, 1, Disturbance(forward, CANCELLED)) == [75]
    told = progress(tmp_path)
    assert (told["state"], told["step"]) == ("interrupted", step + completed)
    assert f"stopped by SIGTERM after step {step + completed}; saved" in said(tmp_path)
    assert start(rarely, prepared, tmp_path) == [0]
    assert progress(tmp_path)["resumed_from_step"] == (step + completed or None)
    assert_same_run(tmp_path, unbroken)


def damage(path: Path) -> None:
    """Flip a bit in the largest tensor; between tensors a checkpoint is filled up with zeros."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        tensors = (entry for entry in archive.infolist() if "/data/" in entry.filename)
        largest = max(tensors, key=lambda entry: entry.file_size)
    header = largest.header_offset
    name, extra = (int.from_bytes(content[header + n : header + n + 2], "little") for n in (26, 28))
    content[header + 30 + name + extra + largest.file_size // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_replaced_by_the_one_before_and_named(
    prepared: Prepared, unbroken: Path, tmp_path: Path
) -> None:
    assert start(study(), prepared, tmp_path, 1, Disturbance(7, (SIGKILL,))) == [-SIGKILL]
    last = tmp_path / "checkpoints" / LAST
    damage(last)
    assert start(study(), prepared, tmp_path) == [0]
    assert str(last) in said(tmp_path)
    assert PREVIOUS in said(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_without_a_readable_checkpoint_the_run_stops(prepared: Prepared, tmp_path: Path) -> None:
    assert start(study(), prepared, tmp_path, 1, Disturbance(7, (SIGKILL,))) == [-SIGKILL]
    for name in (LAST, PREVIOUS):
        path = tmp_path / "checkpoints" / name
        path.write_bytes(path.read_bytes()[:1000])
    assert start(study(), prepared, tmp_path) == [1]
    assert "none of the run's checkpoints can be continued from" in said(tmp_path)
    assert progress(tmp_path)["state"] == "failed"


def test_retries_without_progress_come_to_an_end(prepared: Prepared, tmp_path: Path) -> None:
    killed, cancelled = Disturbance(2, (SIGKILL,)), Disturbance(1, CTRL_C)
    codes = [
        start(study(), prepared, tmp_path, 1, disturbance)[0]
        for disturbance in (cancelled, killed, cancelled, killed, killed, None)
    ]
    assert codes == [75, -SIGKILL, 75, -SIGKILL, -SIGKILL, 1]
    assert "the run makes no progress between retries" in said(tmp_path)
    assert "step 0 of epoch 0" in progress(tmp_path)["message"]
    (tmp_path / "checkpoints/attempts.json").unlink()
    assert start(study(), prepared, tmp_path) == [0]


def test_a_finished_run_is_not_trained_again(
    prepared: Prepared, unbroken: Path, tmp_path: Path
) -> None:
    """Asked for again, killed before its states were removed, or in the midst of that."""
    written = ("run.json", "history.csv", "checkpoints/best.ckpt")
    kept = ["attempts.json", "best.ckpt", "finished.json"]
    for number, gone in enumerate([(), (LAST,), (LAST, PREVIOUS)]):
        folder = shutil.copytree(unbroken, tmp_path / str(number))
        for name in ("run.json", "history.csv", *(f"checkpoints/{state}" for state in gone)):
            (folder / name).unlink()
        files = folder / "run.json", folder / "history.csv"
        of = study(keep_states=False)
        assert restore_record(TrainingRequest(of, of, VARIANT, SEED, prepared, None, *files))
        for name in written:
            assert content(folder / name) == content(unbroken / name)
        assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == kept


def content(path: Path) -> bytes | dict[str, Any]:
    """Of a file; of a record without what the study says of its own."""
    if path.suffix != ".json":
        return path.read_bytes()
    record = json.loads(path.read_text())
    return {key: record[key] for key in record if key != "config"}


def test_a_signal_before_the_first_step_ends_at_once_and_later_ones_are_only_noted() -> None:
    for number in (SIGINT, SIGTERM):
        with StopRequest(), pytest.raises(InterruptedTrainingError, match=number.name):
            os.kill(os.getpid(), number)
    with StopRequest() as stop:
        stop.defer()
        for number in (SIGUSR1, SIGTERM, SIGINT):
            os.kill(os.getpid(), number)
        assert stop.received == "SIGUSR1"
