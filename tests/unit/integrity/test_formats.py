"""Older and newer versions of everything that is kept: read, or refused with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import xarray as xr

from airshed.config import Study
from airshed.data.hourly import create
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.scores import read_scores
from airshed.integrity import formats, sealed
from airshed.integrity.formats import (
    FOLDER,
    STAMP,
    VERSION,
    Format,
    check_folder,
    read_json,
    stamp_folder,
)
from airshed.training.attempts import Attempts
from airshed.training.checkpoints import content_sha256, load_checkpoint
from airshed.training.finished import read_run

ALL = [kind for kind in vars(formats).values() if isinstance(kind, Format)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.what)
def test_a_newer_version_is_refused_with_what_to_do(kind: Format) -> None:
    kind.check(kind.version, "here")
    for version in kind.also_read:
        kind.check(version, "here")
    with pytest.raises(AirshedError, match=r"(?s)newer Airshed.*here.*update Airshed, or"):
        kind.check(kind.version + 1, "here")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.what)
def test_an_unknown_version_is_refused_with_what_to_do(kind: Format) -> None:
    with pytest.raises(AirshedError, match="older Airshed") as caught:
        kind.check(-1, "here")
    assert kind.remake in str(caught.value)
    assert "update" not in str(caught.value)


def netcdf(reader: Callable[[Path], object]) -> Callable[[Path, int | None], object]:
    """Reads a file of one variable and a given version."""

    def read(path: Path, version: int | None) -> object:
        attrs = {} if version is None else {VERSION: version}
        sealed.write_netcdf(xr.Dataset({"a": ("x", [1.0])}, attrs=attrs), path)
        return reader(path)

    return read


def text(reader: Callable[[Path], object]) -> Callable[[Path, int | None], object]:
    """Reads a JSON file of a given version."""

    def read(path: Path, version: int | None) -> object:
        path.write_text(json.dumps({} if version is None else {VERSION: version}))
        return reader(path)

    return read


def checkpoint(path: Path, version: int | None) -> object:
    content = {"step": 7}
    stored = {"sha256": content_sha256(content), "content": content}
    torch.save(stored if version is None else stored | {VERSION: version}, path)
    return load_checkpoint(path)


READERS = {
    "static": netcdf(open_static),
    "scores": netcdf(read_scores),
    "run": text(read_run),
    "manifest": text(lambda path: read_json(path, formats.MANIFEST)),
    "folder": text(lambda path: check_folder(path.parent)),
    "checkpoint": checkpoint,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("version", [0, 99])
def test_every_reader_asks(tmp_path: Path, name: str, version: int) -> None:
    with pytest.raises(AirshedError, match="of another format version") as caught:
        READERS[name](tmp_path / STAMP, version)
    assert str(tmp_path) in str(caught.value)


def test_a_checkpoint_without_a_version_is_still_read(tmp_path: Path) -> None:
    assert checkpoint(tmp_path / "last.ckpt", None) == {"step": 7}


def test_an_hourly_store_of_another_version_is_refused(tiny_study: Study, tmp_path: Path) -> None:
    path = tmp_path / "hourly.zarr"
    shape = (tiny_study.dataset.grid.rows, tiny_study.dataset.grid.columns)
    field = torch.zeros(shape).numpy()
    create(path, tiny_study.dataset, field, field)
    open_hourly(path)
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"][VERSION] = 99
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(AirshedError, match="newer Airshed"):
        open_hourly(path)


def test_attempts_of_another_version_start_anew(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    start = {"step": 0, "epoch": 0, "end": "failed", "reason": "x"}
    path.write_text(json.dumps({VERSION: 99, "identity": "a", "starts": [start] * 5}))
    Attempts(path, "a").begin(0, 0)
    assert len(json.loads(path.read_text())["starts"]) == 1


def test_a_folder_without_a_stamp_gets_one_and_keeps_it(tmp_path: Path) -> None:
    check_folder(tmp_path)
    stamp_folder(tmp_path)
    assert read_json(tmp_path / STAMP, FOLDER) == {VERSION: FOLDER.version}
    (tmp_path / STAMP).write_text(json.dumps({VERSION: 99}))
    stamp_folder(tmp_path)
    with pytest.raises(AirshedError, match="newer Airshed"):
        check_folder(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_json_that_is_damaged_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(AirshedError, match=r"(?s)record of a run cannot be read.*run\.json"):
        read_run(tmp_path / "run.json")
