"""The paths that a training began with are the ones it continues with."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from airshed.config import Study
from airshed.config.variants import Variant
from airshed.model.attention import Choice, Paths
from airshed.training import attention
from airshed.training.attention import agreed_attention

FOUND = {"kernel": {"ms": 1.0, "error": 1e-6, "error_learned": 1e-6}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets a GPU be measured: the first time kernels win, then tiles do."""
    calls: list[str] = []

    def choose(study: Study, variant: str) -> dict[str, Choice]:
        calls.append(variant)
        path = "kernel" if len(calls) == 1 else "tiled"
        return {"plain": Choice("plain", FOUND), "biased": Choice(path, FOUND)}

    monkeypatch.setattr(attention, "attention_choices", choose)
    return calls


def test_a_training_that_continues_keeps_its_paths(
    study: Study, asked: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began = agreed_attention(study, "physics_mask", tmp_path)
    assert began.paths == Paths("plain", "kernel")
    assert began.found["biased"] == {"path": "kernel", "found": FOUND}
    assert agreed_attention(study, "physics_mask", tmp_path) == began
    assert len(asked) == 1

    file = tmp_path / "attention.json"
    file.write_text(file.read_text().replace('"cpu"', '"cuda"'))
    with caplog.at_level(logging.WARNING):
        assert agreed_attention(study, "physics_mask", tmp_path).paths.biased == "tiled"
    assert "began with {'plain': 'plain', 'biased': 'kernel'} on cuda; it goes on on cpu" in (
        caplog.text
    )


def test_another_training_in_the_folder_chooses_anew(
    study: Study, asked: list[str], tmp_path: Path
) -> None:
    agreed_attention(study, "physics_mask", tmp_path)
    train = study.train.model_copy(update={"batch_size": 2 * study.train.batch_size})
    other = study.model_copy(update={"train": train})
    assert agreed_attention(other, "physics_mask", tmp_path).paths.biased == "tiled"


def test_nothing_is_kept_where_there_was_nothing_to_choose(study: Study, tmp_path: Path) -> None:
    assert agreed_attention(study, "physics_mask", tmp_path).found == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("blocks", "chosen"), [([0], 1), ("all", 0)])
def test_blocks_beside_another_backbone_have_their_paths_agreed_too(
    study: Study, asked: list[str], tmp_path: Path, blocks: str | list[int], chosen: int
) -> None:
    """Messages in one block leave attention in the others; in all blocks they leave none."""
    stanza = Variant.model_validate(
        {"label": "messages", "backbone": {"kind": "wind_graph", "blocks": blocks}}
    )
    other = study.model_copy(update={"variant_stanzas": {"messages": stanza}})
    assert len(agreed_attention(other, "messages", tmp_path).found) == 2 * chosen
    assert len(asked) == chosen
