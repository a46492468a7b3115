"""The conda environments and the constraints file name the same versions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from audit import pins
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from airshed import __version__

STAGES = ("data", "train", "report")
PIP_NAMES = {"pytorch": "torch", "dask-core": "dask"}


FIXED_IN = {
    "aiohttp": ("3.12.14", "CVE-2025-53643"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "pillow": ("11.3.0", "CVE-2025-48379"),
    "protobuf": ("6.31.1", "CVE-2025-4565"),
    "pyarrow": ("14.0.1", "CVE-2023-47248"),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "torch": ("2.6.0", "CVE-2025-32434"),
    "tornado": ("6.5", "CVE-2025-47287"),
    "urllib3": ("2.5.0", "CVE-2025-50181"),
    "werkzeug": ("3.0.6", "CVE-2024-49767"),
}
"""Packages that meet files or connections from elsewhere, and a version that mended something."""


TRITON_OF_TORCH = {"2.13.0": "3.7.1"}
"""What the CUDA build of a torch asks for, as its metadata on PyPI says."""


def test_torch_is_pinned_and_triton_to_what_its_cuda_build_asks_for(root: Path) -> None:
    assert pins()["torch"] == "2.13.0"
    assert pins()["triton"] == TRITON_OF_TORCH[pins()["torch"]]
    (wanted,) = map(Requirement, extras(root)["triton"])
    assert wanted.name == "triton"
    assert wanted.specifier == SpecifierSet(f"=={pins()['triton']}")
    assert wanted.marker is not None
    assert wanted.marker.evaluate({"platform_system": "Linux"})
    assert not wanted.marker.evaluate({"platform_system": "Darwin"})


def test_the_demo_does_without_triton(root: Path, tmp_path: Path) -> None:
    def commands(target: str) -> str:
        make = ["make", "--dry-run", target, f"VENV={tmp_path / 'new'}"]
        return subprocess.run(make, cwd=root, capture_output=True, text=True, check=True).stdout

    assert ",docs,triton]'" in commands("unit")
    assert "'.[dev]'" in commands("demo")
    assert "triton]" not in commands("demo")


def test_the_version_that_is_cited_is_the_packages(root: Path) -> None:
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == __version__
    assert cited["license"] == project(root)["license"]


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
        expected = pins()[canonicalize_name(PIP_NAMES.get(name, name))]
        assert re.sub(r"\.post\d+$", "", expected) == version, name


def test_every_dependency_is_pinned(root: Path) -> None:
    wanted = chain(project(root)["dependencies"], *extras(root).values())
    assert {canonicalize_name(Requirement(entry).name) for entry in wanted} <= set(pins())


def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def extras(root: Path) -> dict[str, list[str]]:
    return project(root)["optional-dependencies"]


def needed(name: str, extras: set[str], found: dict[str, str]) -> dict[str, str]:
    """Versions of an installed package and of all that it needs, by plain names."""
    if canonicalize_name(name) in found:
        return found
    package = distribution(name)
    found[canonicalize_name(name)] = package.version
    for line in package.requires or []:
        requirement = Requirement(line)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in (extras or {""})
        )
        if wanted:
            needed(requirement.name, requirement.extras, found)
    return found


def test_what_is_installed_is_what_is_pinned() -> None:
    """Everything that the package needs, transitively: nothing else has been looked at."""
    pinned = pins()
    installed = needed("airshed", {"dev", "docs", "triton"}, {})
    del installed["airshed"]
    assert len(installed) > 100
    assert {n: v.split("+")[0] for n, v in installed.items()} == {
        n: pinned.get(n) for n in installed
    }


def test_pins_are_versions_and_nothing_is_fetched_from_elsewhere(root: Path) -> None:
    lines = (root / "envs/constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_installed_packages_fit_each_other() -> None:
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", FIXED_IN)
def test_no_pin_goes_back_behind_a_known_repair(name: str) -> None:
    """Without a network; ``make audit`` and ``make audit-offline`` ask whole databases."""
    fixed, advisory = FIXED_IN[name]
    assert Version(pins()[name]) >= Version(fixed), advisory


ADVISORY = """
id: PYSEC-0000-1
affected:
- package: {name: jinja2, ecosystem: PyPI}
  ranges:
  - type: GIT
    events: [{introduced: '0'}]
  - type: ECOSYSTEM
    events: [{introduced: '0'}, {fixed: '2.0'}, {introduced: '3.0'}, {fixed: FIXED}]
  versions: ['2.5']
"""


@pytest.mark.parametrize(
    ("fixed", "more", "code"),
    [("'99'", "", 1), ("'3.0.1'", "", 0), ("'99'", "withdrawn: 2024-01-01\n", 0)],
)
def test_an_affected_pin_is_named(
    root: Path, tmp_path: Path, fixed: str, more: str, code: int
) -> None:
    folder = tmp_path / "a database/vulns/jinja2"
    folder.mkdir(parents=True)
    (folder / "PYSEC-0000-1.yaml").write_text(more + ADVISORY.replace("FIXED", fixed))
    command = [sys.executable, root / "envs/audit.py", folder.parents[1]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("jinja2" in done.stdout) is bool(code)
    wrong = subprocess.run([*command[:2], tmp_path], capture_output=True, text=True)
    assert wrong.returncode == 1
    assert "no folder 'vulns'" in wrong.stderr
