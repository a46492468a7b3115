"""Which command tells Snakemake the state of jobs, by what a cluster answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airshed.cluster import slurm_status
from airshed.cluster.slurm_status import StatusQuery, status_query


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which commands stand that go before all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


def put(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_accounting_database_is_asked(
    commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(commands / "sacct", "exit 0")
    assert status_query() == StatusQuery("sacct", 40)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", "storage is disabled"),
        ("exec sleep 60", "within 1 s"),
    ],
    ids=["disabled", "silent"],
)
@pytest.mark.parametrize(("age_s", "first_s"), [(600, 40), (30, 10)])
def test_without_one_the_queue_is_asked_before_it_forgets(
    commands: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    reason: str,
    age_s: int,
    first_s: int,
) -> None:
    monkeypatch.setattr(slurm_status, "TIMEOUT_S", 1 if "sleep" in script else 30)
    put(commands / "sacct", script)
    put(commands / "scontrol", f"echo 'MinJobAge               = {age_s} sec'")
    assert status_query() == StatusQuery("squeue", first_s)
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert f"{age_s} s (MinJobAge)" in line
