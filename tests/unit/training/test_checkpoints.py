"""Checkpoints: complete or absent, checked when read, two states beside the best weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from airshed.errors import AirshedError
from airshed.integrity.provenance import sha256
from airshed.training.checkpoints import (
    BEST,
    COMPLETE,
    LAST,
    PREVIOUS,
    Checkpoints,
    load_checkpoint,
    save_checkpoint,
)


def state(step: int) -> dict[str, Any]:
    return {"step": step, "history": {"val_loss": []}, "network": {"w": torch.full((3,), step)}}


def step_of(path: Path | None) -> int:
    assert path is not None
    return int(load_checkpoint(path)["step"])


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    """Three states were saved."""
    checkpoints = Checkpoints(tmp_path, 1.0, "a")
    for step in (1, 2, 3):
        checkpoints.save_state(state(step))
    return checkpoints


def test_the_newest_two_states_are_kept(kept: Checkpoints) -> None:
    assert sorted(path.name for path in kept.folder.iterdir()) == [LAST, PREVIOUS]
    assert [step_of(kept.folder / name) for name in (LAST, PREVIOUS)] == [3, 2]
    assert step_of(kept.newest()) == 3


@pytest.mark.parametrize("where", [0, 0.3, 0.6, 0.9])
def test_a_changed_bit_is_noticed_wherever_it_is(tmp_path: Path, where: float) -> None:
    """Except in the archive's padding, which holds nothing."""
    path = tmp_path / LAST
    save_checkpoint(path, {"weights": torch.randn(4096), "step": 7})
    content = bytearray(path.read_bytes())
    stored = content.find(torch.load(path)["content"]["weights"].numpy().tobytes())
    content[stored + int(where * 4 * 4096)] ^= 1
    path.write_bytes(content)
    with pytest.raises(AirshedError, match=r"damaged|cannot be read"):
        load_checkpoint(path)


def test_a_changed_plain_value_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(path, {"step": 7})
    stored = torch.load(path)
    torch.save(stored | {"content": {"step": 8}}, path)
    with pytest.raises(AirshedError, match="damaged"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"sha256": "", "content": {"path": Path("x")}}, tmp_path / LAST)
    with pytest.raises(AirshedError, match="cannot be read"):
        load_checkpoint(tmp_path / LAST)


def test_a_process_killed_while_names_change_leaves_the_newest_state(kept: Checkpoints) -> None:
    incoming, last, previous = kept._states()
    save_checkpoint(incoming, state(4) | {"identity": "a"})
    assert step_of(kept.newest()) == 4
    last.replace(previous)
    assert step_of(kept.newest()) == 4
    kept.save_state(state(5))
    assert step_of(kept.newest()) == 5


def test_what_a_killed_process_left_unfinished_is_removed(kept: Checkpoints) -> None:
    (kept.folder / f".new-{LAST}.77.partial").write_bytes(b"half")
    kept.newest()
    assert not list(kept.folder.glob(".*"))


def test_a_run_of_other_settings_starts_anew_and_its_states_are_no_way_back(
    kept: Checkpoints,
) -> None:
    other = Checkpoints(kept.folder, 1.0, "b")
    assert other.newest() is None
    assert [step_of(kept.folder / name) for name in (LAST, PREVIOUS)] == [3, 2]
    other.save_state(state(1))
    assert sorted(path.name for path in kept.folder.iterdir()) == [LAST]
    (kept.folder / LAST).write_bytes(b"damaged")
    with pytest.raises(AirshedError, match="none of the run's checkpoints"):
        other.newest()


def test_a_damaged_state_does_not_lead_back_to_another_run(kept: Checkpoints) -> None:
    (kept.folder / LAST).write_bytes(b"damaged")
    with pytest.raises(AirshedError, match="none of the run's checkpoints"):
        Checkpoints(kept.folder, 1.0, "b").newest()


def finish(checkpoints: Checkpoints) -> dict[str, Any]:
    """Complete a training; its record."""
    checkpoints.save_best({"w": torch.ones(3)})
    record = {"checkpoint": {"sha256": sha256(checkpoints.folder / BEST)}}
    checkpoints.finish(record, "step\n1\n")
    return record


def test_a_finished_run_is_known_without_its_states(kept: Checkpoints) -> None:
    assert kept.finished() is None
    record = finish(kept)
    kept.remove_states()
    assert sorted(path.name for path in kept.folder.iterdir()) == [BEST, COMPLETE]
    assert Checkpoints(kept.folder, 1.0, "a").finished() == (record, "step\n1\n")


@pytest.mark.parametrize("save", ["save_state", "save_best"])
def test_a_run_of_other_settings_takes_the_place_of_a_finished_one(
    kept: Checkpoints, save: str
) -> None:
    """Until it has something of its own, the finished one is there and can be returned to."""
    finish(kept)
    kept.remove_states()
    other = Checkpoints(kept.folder, 1.0, "b")
    assert other.finished() is None
    assert other.newest() is None
    assert kept.finished() is not None
    getattr(other, save)(state(1))
    assert Checkpoints(kept.folder, 1.0, "a").finished() is None


@pytest.mark.parametrize("damage", ["best gone", "best changed", "record cut"])
def test_a_finished_run_that_is_damaged_is_not_trained_anew_by_itself(
    kept: Checkpoints, damage: str
) -> None:
    finish(kept)
    kept.remove_states()
    best, record = kept.folder / BEST, kept.folder / COMPLETE
    if damage == "best gone":
        best.unlink()
    elif damage == "best changed":
        best.write_bytes(best.read_bytes()[:-1])
    else:
        record.write_bytes(record.read_bytes()[:-9])
    with pytest.raises(AirshedError, match=r"(?s)finished training.*delete its run's folder"):
        kept.finished()


def test_a_run_whose_best_weights_are_gone_is_not_continued(kept: Checkpoints) -> None:
    validated = state(4) | {"history": {"val_loss": [0.5]}}
    kept.save_state(validated)
    with pytest.raises(AirshedError, match=BEST):
        kept.newest()
    kept.save_best({"w": torch.ones(3)})
    assert step_of(kept.newest()) == 4
