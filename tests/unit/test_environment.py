"""The conda environments and the constraints file name the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

STAGES = ("data", "train", "report")
PIP_NAMES = {"pytorch": "torch", "dask-core": "dask"}


def pins(root: Path) -> dict[str, str]:
    lines = (root / "envs/constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower(): version for name, version in pairs}


def test_torch_is_pinned(root: Path) -> None:
    assert pins(root)["torch"] == "2.13.0"


@pytest.mark.parametrize("stage", STAGES)
def test_conda_versions_equal_the_constraints(root: Path, stage: str) -> None:
    environment = yaml.safe_load((root / f"envs/{stage}.yaml").read_text(encoding="utf-8"))
    entries = environment["dependencies"]
    by_pip = [pin for entry in entries if isinstance(entry, dict) for pin in entry["pip"]]
    pinned = [entry.split("=") for entry in entries if "=" in entry]
    pinned += [entry.split("==") for entry in by_pip]
    packages = {name: version for name, version in pinned if name != "python"}
    assert len(packages) >= 5
    for name, version in packages.items():
        expected = pins(root)[PIP_NAMES.get(name, name)]
        assert re.sub(r"\.post\d+$", "", expected) == version, name


def test_every_dependency_is_pinned(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=]", entry)[0].lower() for entry in wanted}
    assert names <= set(pins(root))
