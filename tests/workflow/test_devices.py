"""Trainings beside each other on one machine's devices, which are names in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_runs import Run, jobs, snakemake_in, with_stand_in

# a training waits until another one has begun, and a moment for a third that must not
LOGGED = """#!/bin/sh
if [ $1 = train ]; then
    echo "+ $CUDA_VISIBLE_DEVICES" >> trained
    for moment in $(seq 600); do [ $(grep -c + trained) -ge 2 ] && break; sleep 0.1; done
    sleep 0.3
    echo - >> trained
fi
exec bin/made "$@"
"""
RUNS = [
    f"results/tiny/variants/{variant}/seed{seed}/run.json"
    for variant in ("wind_baseline", "physics_mask")
    for seed in (0, 1)
]


def study(folder: Path, accelerator: str = "auto", devices: int = 1) -> Run:
    with_stand_in(folder)
    (folder / "bin/airshed").rename(folder / "bin/made")
    (folder / "bin/airshed").write_text(LOGGED, encoding="ascii")
    (folder / "bin/airshed").chmod(0o755)
    run = Run(folder)
    run.configure({"train": {"accelerator": accelerator}, "jobs": {"devices": devices}})
    return run


def at_once(folder: Path, **variables: str) -> int:
    """How many trainings of four ran at a time."""
    given = ("--cores", "4", "--configfile", "tiny.yaml", "--", *RUNS)
    done = snakemake_in(folder, **variables)(*given)
    assert done.returncode == 0, done.stderr[-3000:]
    assert jobs(done.stderr)["train"] == 4
    changes = [1 if line[0] == "+" else -1 for line in (folder / "trained").open()]
    return max(sum(changes[: number + 1]) for number in range(len(changes)))


def test_as_many_trainings_run_at_a_time_as_there_are_devices(tmp_path: Path) -> None:
    study(tmp_path / "two")
    assert at_once(tmp_path / "two", CUDA_VISIBLE_DEVICES="3,5") == 2


def test_a_variant_that_asks_for_more_devices_than_there_are_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where jobs would run; it can be planned all the same, for another machine or a cluster."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    run = study(tmp_path / "three", devices=3)
    refused = run()
    assert refused.returncode != 0
    assert "more devices than this machine has" in refused.stderr
    assert "jobs.devices of wind_baseline" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (run.folder / "results").exists()
    planned = run.planned()
    assert planned.returncode == 0, planned.stderr
    assert jobs(planned.stdout)["train"] == 4
