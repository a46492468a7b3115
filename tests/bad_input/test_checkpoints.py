"""Checkpoints that are not what they should be, through ``airshed evaluate`` and ``train``."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from finished_study import Finished
from refusals import refused

from airshed.config import read_yaml
from airshed.integrity.provenance import sha256
from airshed.training.checkpoints import save_checkpoint
from airshed.variables import INPUTS

TRACE = "code-was-run"
NOTES = ("progress.json",)  # what `airshed status` shows of a training that failed
Write = Callable[[Path, dict[str, Any]], object]


class Code:
    """Runs a command when it is unpickled by a reader that allows that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.folder / TRACE}'",)


def stored(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Write:
    """A checkpoint of this project with other weights."""
    return lambda path, weights: save_checkpoint(path, {"state_dict": change(dict(weights))})


def content(data: bytes) -> Write:
    return lambda path, weights: path.write_bytes(data)


def archive_of_text(path: Path, weights: dict[str, Any]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no tensors")


def with_code(path: Path, weights: dict[str, Any]) -> None:
    torch.save({"sha256": "", "content": Code(path.parent), "state_dict": weights}, path)


def old_pickle_with_code(path: Path, weights: dict[str, Any]) -> None:
    path.write_bytes(pickle.dumps(Code(path.parent)))


def with_a_module(path: Path, weights: dict[str, Any]) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


FOREIGN: dict[str, tuple[Write, tuple[str, ...]]] = {
    "an empty file": (content(b""), ("cannot be read", "EOFError")),
    "a page of HTML": (content(b"<!DOCTYPE html><html>"), ("cannot be read",)),
    "random bytes": (content(bytes(range(256))), ("cannot be read",)),
    "a zip of text": (archive_of_text, ("cannot be read",)),
    "code": (with_code, ("cannot be read", "tensors and plain values")),
    "code in an old pickle": (old_pickle_with_code, ("cannot be read", "UnpicklingError")),
    "a module": (with_a_module, ("cannot be read", "UnpicklingError")),
    "a tensor alone": (lambda path, _: torch.save(torch.ones(2), path), ("cannot be read",)),
    "a list": (lambda path, _: torch.save([1, 2], path), ("cannot be read",)),
    "a state dict alone": (lambda path, weights: torch.save(weights, path), ("cannot be read",)),
}
UNFIT: dict[str, tuple[Write, tuple[str, ...]]] = {
    "a tensor too few": (
        stored(lambda w: {name: w[name] for name in w if name != "pos_embed"}),
        ("does not fit the network", "pos_embed"),
    ),
    "a tensor too many": (
        stored(lambda w: w | {"other": torch.ones(1)}),
        ("does not fit the network", "other"),
    ),
    "another shape": (
        stored(lambda w: w | {"pos_embed": torch.ones(1, 7, 16)}),
        ("does not fit the network", "pos_embed", "[1, 7, 16]"),
    ),
    "another width": (
        stored(lambda w: {name: tensor.repeat_interleave(2, -1) for name, tensor in w.items()}),
        ("does not fit the network", "32"),
    ),
    "more blocks": (
        stored(lambda w: w | {n.replace("blocks.0", "blocks.9"): w[n] for n in w if "s.0" in n}),
        ("does not fit the network", "blocks.9"),
    ),
    "no weights": (stored(lambda w: {}), ("does not fit the network", "Missing key")),
}


@pytest.mark.parametrize("case", FOREIGN | UNFIT)
def test_a_wrong_checkpoint_is_not_scored(finished: Finished, tmp_path: Path, case: str) -> None:
    """The record has the checksum of what lies there: the file itself has to be refused."""
    write, said = (FOREIGN | UNFIT)[case]
    checkpoint = tmp_path / "checkpoints/best.ckpt"
    checkpoint.parent.mkdir()
    write(checkpoint, finished.weights)
    record = json.loads((finished.folder / "run.json").read_text())
    record["checkpoint"]["sha256"] = sha256(checkpoint)
    (tmp_path / "run.json").write_text(json.dumps(record))
    command = finished.evaluation(tmp_path / "run.json", tmp_path / "scores.nc")
    text = refused(tmp_path, command, *said)
    assert str(tmp_path) in text
    assert not list(tmp_path.rglob(TRACE))


def test_a_checkpoint_that_was_changed_is_not_scored(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.folder / "checkpoints", tmp_path / "checkpoints")
    shutil.copy(finished.folder / "run.json", tmp_path)
    path = tmp_path / "checkpoints/best.ckpt"
    save_checkpoint(path, {"state_dict": finished.weights, "other": 1})
    command = finished.evaluation(tmp_path / "run.json", tmp_path / "scores.nc")
    refused(tmp_path, command, path, "not the one that run.json was written for")
    path.unlink()
    refused(tmp_path, command, path, "is missing")


PRETRAINED: dict[str, tuple[Write, tuple[str, ...]]] = {
    "an empty file": (content(b""), ("damaged or holds more", "EOFError")),
    "a page of HTML": (content(b"<!DOCTYPE html><html>"), ("damaged or holds more",)),
    "a zip of text": (archive_of_text, ("damaged or holds more",)),
    "code": (with_code, ("damaged or holds more", "UnpicklingError")),
    "code in an old pickle": (old_pickle_with_code, ("damaged or holds more", "Unsupported")),
    "a module": (with_a_module, ("damaged or holds more", "torch.nn")),
    "a list": (lambda path, _: torch.save([1, 2], path), ("lacks a part of ClimaX", "0 tensors")),
    "another network": (
        lambda path, _: torch.save(torch.nn.Linear(2, 2).state_dict(), path),
        ("lacks a part of ClimaX", "weight, bias"),
    ),
    "another width": (
        lambda path, w: torch.save({n: t.repeat_interleave(2, -1) for n, t in w.items()}, path),
        ("a checkpoint", "16"),
    ),
    "a value that is no number": (
        lambda path, w: torch.save(w | {"pos_embed": w["pos_embed"] * torch.nan}, path),
        ("damaged", "finite", "pos_embed"),
    ),
    "a block of another shape": (
        lambda path, w: torch.save(w | {"blocks.0.attn.qkv.weight": torch.ones(3, 3)}, path),
        ("blocks.0.attn.qkv.weight", "(3, 3)"),
    ),
}


@pytest.mark.parametrize("case", PRETRAINED)
def test_a_wrong_pretrained_checkpoint_is_not_trained_from(
    finished: Finished, tmp_path: Path, case: str
) -> None:
    write, said = PRETRAINED[case]
    path = tmp_path / "climax.ckpt"
    write(path, finished.weights)
    command = finished.training(pretrained(finished, tmp_path), tmp_path, "--start", path)
    refused(tmp_path, command, path, *said, notes=NOTES)
    assert not list(tmp_path.rglob(TRACE))


def pretrained(finished: Finished, folder: Path) -> Path:
    """The study, with a variant that starts from a checkpoint of all 15 variables."""
    values = read_yaml(finished.study)
    stanza = values["variant_stanzas"]["wind_baseline"]
    stanza["pretrained"] = {
        "checkpoint": "climax.ckpt",
        "variables": list(INPUTS),
        "patch_grid": {"rows": 2, "columns": 3},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_a_start_that_nothing_asks_for_is_refused(finished: Finished, tmp_path: Path) -> None:
    path = tmp_path / "climax.ckpt"
    torch.save(finished.weights, path)
    command = finished.training(finished.study, tmp_path, "--start", path)
    refused(
        tmp_path, command, "variants.wind_baseline", "no weights to start from", path, notes=NOTES
    )
    asked = finished.training(pretrained(finished, tmp_path), tmp_path)
    refused(
        tmp_path, asked, "variants.wind_baseline", "the weights of climax.ckpt", "none", notes=NOTES
    )
