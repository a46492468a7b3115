"""What a training tells while it runs: progress.json, the record of its starts, TensorBoard."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from tiny_runs import progress, start, tiny_study

from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.training import progress as progress_module
from airshed.training.attempts import (
    DONE,
    FAILED,
    INTERRUPTED,
    NO_DEVICE_MEMORY,
    Attempts,
    lacks_device_memory,
)
from airshed.training.history import History
from airshed.training.progress import TrainingProgress
from airshed.training.scalars import scalar_writer

FACTS = {"variant": "v", "seed": 0, "nodes": 1, "devices": 1}


def test_progress_says_how_far_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    progress = TrainingProgress(path, FACTS, writes=True)
    content = json.loads(path.read_text())
    assert content["state"] == "running"
    assert content["step"] is content["eta_s"] is content["train_loss"] is None
    progress.begin(step=10, epoch=1, steps=40, epochs=4, attempts=2)
    progress.stepped(11, 1, train_loss=0.5, seconds=2.0)
    progress.stepped(12, 1, train_loss=0.4, seconds=4.0)
    progress.validated(1, val_loss=0.7)
    content = json.loads(path.read_text())
    assert (content["step"], content["steps"], content["epoch"], content["epochs"]) == (
        12,
        40,
        1,
        4,
    )
    assert (content["train_loss"], content["val_loss"]) == (0.4, 0.7)
    assert content["seconds_per_step"] == 3.0
    assert content["eta_s"] == (40 - 12) * 3.0
    assert (content["attempts"], content["resumed_from_step"]) == (2, 10)
    assert datetime.fromisoformat(content["updated"]).utcoffset() is not None
    progress.end("done")
    assert json.loads(path.read_text())["state"] == "done"


def test_a_training_without_a_step_left_keeps_its_losses_speed_and_memory(tmp_path: Path) -> None:
    """Killed after its last step: the process that continues has nothing to compute."""
    before, history = History(1), History(1)
    for loss, seconds in ((0.5, 2.0), (0.3, 4.0)):
        before.stepped(loss, seconds)
        before.add_row(1, 0, 0.1, {})
    before.validated(0.7)
    before.needed(900.0)
    history.load_state_dict(json.loads(json.dumps(before.state_dict())))
    history.needed(100.0)
    assert history.peak_memory_mb == 900.0
    progress = TrainingProgress(tmp_path / "progress.json", FACTS, writes=True)
    progress.recall(history)
    progress.begin(step=2, epoch=1, steps=2, epochs=1, attempts=2)
    progress.end("done")
    content = json.loads((tmp_path / "progress.json").read_text())
    assert [content[key] for key in ("train_loss", "val_loss", "seconds_per_step")] == [
        0.3,
        0.7,
        3.0,
    ]


def test_progress_is_written_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(progress_module, "write_json", lambda _, content: written.append(content))
    progress = TrainingProgress(tmp_path / "progress.json", FACTS, writes=True)
    progress.begin(0, 0, 100, 1, 1)
    for step in range(100):
        progress.stepped(step, 0, 0.5, 0.01)
    assert len(written) == 2


def test_progress_never_makes_a_run_fail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    progress = TrainingProgress(blocked / "progress.json", FACTS, writes=True)
    progress.begin(0, 0, 10, 1, 1)
    progress.end("done")
    assert caplog.text.count("cannot be written") == 1
    progress = TrainingProgress(tmp_path / "progress.json", FACTS, writes=True)
    progress.begin(0, 0, 10, 1, 1)
    progress.stepped(1, 0, float("nan"), 1.0)
    progress.end("failed", "the training loss is not finite")


def starts(path: Path, *ends: str | None, step: int = 5) -> Attempts:
    for end in ends:
        attempts = Attempts(path, "a")
        attempts.begin(step, 1)
        if end is not None:
            attempts.end(end, "because")
    return Attempts(path, "a")


def test_two_starts_in_vain_are_enough(tmp_path: Path) -> None:
    attempts = starts(tmp_path / "attempts.json", DONE, None, FAILED)
    with pytest.raises(AirshedError, match="2 starts there in a row; the last one because"):
        attempts.begin(5, 1)
    assert len(attempts) == 3


@pytest.mark.parametrize(
    "ends", [(None,), (FAILED, INTERRUPTED), (FAILED, INTERRUPTED, None), (INTERRUPTED,) * 5]
)
def test_signals_and_single_failures_are_no_reason_to_stop(
    tmp_path: Path, ends: tuple[str | None, ...]
) -> None:
    starts(tmp_path / "attempts.json", *ends).begin(5, 1)


def test_progress_and_other_settings_are_no_reason_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    starts(path, FAILED, FAILED).begin(6, 1)
    starts(path, FAILED, step=7)
    starts(path, FAILED, step=7).begin(7, 2)
    other = Attempts(path, "b")
    assert len(other) == 0
    other.begin(5, 1)


def test_a_device_whose_memory_did_not_suffice_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    assert not lacks_device_memory(path)
    first = Attempts(path, "a", "a card, 80 MB")
    first.begin(5, 1)
    assert not lacks_device_memory(path)
    first.end(FAILED, f"{NO_DEVICE_MEMORY}: a card, 80 MB")
    assert lacks_device_memory(path)
    with pytest.raises(AirshedError, match=f"(?s){NO_DEVICE_MEMORY}.*must be deleted"):
        Attempts(path, "a", "a card, 80 MB").begin(5, 1)
    Attempts(path, "b", "a card, 80 MB")  # other settings
    larger = Attempts(path, "a", "a card, 140 MB")
    larger.begin(5, 1)
    larger.end(FAILED, "because")
    assert not lacks_device_memory(path)


def test_tensorboard_holds_the_rows_of_the_history(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = History(1, scalar_writer(tmp_path, 0))
    for step, loss in ((1, 0.5), (2, 0.25)):
        history.stepped(loss, 1.0)
        history.add_row(step, 0, 1e-3, {"blocks.0.alpha": 0.2})
    history.validated(0.75)
    found = events.EventAccumulator(str(tmp_path)).Reload()
    assert [(it.step, it.value) for it in found.Scalars("train_loss")] == [(1, 0.5), (2, 0.25)]
    assert [(it.step, it.value) for it in found.Scalars("val_loss")] == [(2, 0.75)]
    assert set(found.Tags()["scalars"]) == {"train_loss", "val_loss", "lr", "alpha_block0"}


def test_tensorboard_is_written_beside_the_run_if_asked_for(
    prepared: Prepared, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    study = tiny_study(train={"tensorboard": True, "epochs": 1})
    assert start(study, prepared, tmp_path) == [0]
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_without_the_package_tensorboard_is_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(AirshedError, match=r"train\.tensorboard"):
        scalar_writer(tmp_path, 0)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_its_checkpoints(
    prepared: Prepared, tmp_path: Path
) -> None:
    study = tiny_study(train={"learning_rate": 1e30, "clip": 1e30, "warmup_steps": 0})
    assert start(study, prepared, tmp_path) == [1]
    assert "loss is not finite" in progress(tmp_path)["message"]
    assert progress(tmp_path)["state"] == "failed"
    record = json.loads((tmp_path / "checkpoints/attempts.json").read_text())
    assert record["starts"][-1]["end"] == FAILED


def test_a_training_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    """A parent that is killed cannot pass on a signal."""
    program = (
        "import os, time; from airshed.training.watchdog import Watchdog; pid = os.fork();"
        "watch = None if pid else Watchdog(60, 0, None, 1, os.getppid(), print).__enter__();"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(pid)) if pid else None;"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        pid = tmp_path / "child"
        deadline = time.monotonic() + 120
        while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        parent.kill()
    child = int(pid.read_text())
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
