"""One undisturbed run of the small study, which all tests of faults compare with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Study, undisturbed


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The undisturbed run; not to be changed."""
    return undisturbed(tmp_path_factory.mktemp("truth") / "checkout")


@pytest.fixture
def without(truth: Study, tmp_path: Path) -> Callable[[str], Study]:
    """Copies of the undisturbed run in which what a rule wrote is missing."""

    def made(rule: str) -> Study:
        return truth.copy(tmp_path / "checkout").without(rule)

    return made


@pytest.fixture
def mounts() -> None:
    """Skips a test, and says so, where no file system can be mounted."""
    tried = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"NOT TESTED: no file system can be mounted here ({tried.stderr.strip()})")
