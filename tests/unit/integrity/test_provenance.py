"""Which changes of a checkout are changes of the code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from airshed.integrity import provenance
from airshed.integrity.provenance import code_commit

IDENTITY = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")


@pytest.fixture
def checkout(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, whose code this package is."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", *IDENTITY, *arguments], cwd=tmp_path, check=True)

    code = tmp_path / "src/airshed/integrity/provenance.py"
    for path in (code, tmp_path / "results/README.md", tmp_path / "config/studies/demo.yaml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was\n", encoding="utf-8")
    shutil.copy(root / ".gitignore", tmp_path)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    monkeypatch.setattr(provenance, "__file__", str(code))
    return tmp_path


def test_results_and_studies_of_ones_own_are_no_changes(checkout: Path, tmp_path: Path) -> None:
    """So that a report names the commit alone."""
    (checkout / "my-studies").mkdir()
    shutil.copy(checkout / "config/studies/demo.yaml", checkout / "my-studies/mine.yaml")
    shutil.rmtree(checkout / "results")
    (checkout / "results").symlink_to(tmp_path / "another disk")
    found = code_commit()
    assert found.dirty is False
    assert found.sha is not None
    assert len(found.sha) == 40


@pytest.mark.parametrize(
    "name", ["src/airshed/integrity/provenance.py", "config/studies/demo.yaml"]
)
def test_an_edited_file_of_the_repository_is_one(checkout: Path, name: str) -> None:
    (checkout / name).write_text("edited\n", encoding="utf-8")
    assert code_commit().dirty is True
