"""A fresh copy of the workflow for every test, and one in which a small study has run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_airshed import forked_airshed
from made_once import MadeOnce
from reading import READ
from workflow_runs import WHOLE, Run, Snakemake, checkout, planning_in


@pytest.fixture
def snakemake(tmp_path: Path) -> Snakemake:
    """Plans with snakemake in a fresh copy of the workflow at ``tmp_path``."""
    return planning_in(checkout(tmp_path))


@pytest.fixture(scope="session")
def quickly() -> Iterator[dict[str, str]]:
    """With these variables, steps of the workflow need not import anything."""
    with forked_airshed() as folder:
        yield {"AIRSHED_BIN": str(folder)}


@pytest.fixture(scope="session")
def finished(made_once: MadeOnce, quickly: dict[str, str]) -> Run:
    """The small study, finished; other files than its results may be changed."""

    def make(folder: Path) -> None:
        run = Run(folder / "checkout", **quickly)
        run.configure(WHOLE)
        done = run("--set-threads", "statistics=1")  # the ingest alone starts dask
        assert done.returncode == 0, done.stderr
        assert f"the report is {folder}/checkout/results/tiny/report.html" in done.stderr
        shutil.copy(Path(quickly["AIRSHED_BIN"]) / READ, folder)

    return Run(made_once("study", make) / "checkout", **quickly)
