"""Every profile plans a study; what is particular to a site comes from outside tracked files."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_runs import Snakemake

from airshed.training.attempts import FAILED, NO_DEVICE_MEMORY, Attempts

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())
SITE = {"account": "project_1", "container": "/images/airshed.sif", "bin": "profiles/lumi/bin"}


def write(path: Path, values: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def resources(said: str, rule: str) -> dict[str, str]:
    """What the first job of a rule asks for, from a dry run."""
    block = re.search(rf"^rule {rule}:\n(.*?)\n\n", said, re.MULTILINE | re.DOTALL)
    assert block is not None, said
    line = re.search(r"resources: (.*)", block.group(1))
    assert line is not None
    return dict(part.split("=", 1) for part in line.group(1).split(", "))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_plans_the_demo_by_its_name_alone(
    snakemake: Snakemake, tmp_path: Path, profile: str
) -> None:
    write(tmp_path / "site.yaml", SITE)
    given = [] if profile == "default" else ["--profile", profile]
    done = snakemake(*given, "-n")
    assert done.returncode == 0, done.stderr
    assert "rule train" in done.stdout
    assert (profile == "default") == ("slurm_account" not in resources(done.stdout, "train"))


@pytest.mark.parametrize("profile", ["slurm", "lumi"])
def test_rules_get_the_sites_account_and_partitions(
    snakemake: Snakemake, tmp_path: Path, profile: str
) -> None:
    partitions = {"cpu_partition": "c", "train_partition": "t", "evaluate_partition": "e"}
    more = {"qos": "long", "constraint": "a100", "reservation": "r", "slurm_extra": "--nice=5"}
    write(tmp_path / "site.yaml", SITE | partitions | more)
    said = snakemake("--profile", profile, "-n").stdout
    for rule, partition in (("ingest", "c"), ("compare", "c"), ("train", "t"), ("evaluate", "e")):
        asked = resources(said, rule)
        assert (asked["slurm_account"], asked["slurm_partition"]) == ("project_1", partition), rule
        assert (asked["qos"], asked["constraint"]) == ("long", "a100")
        warned = "--signal=USR1@" in asked["slurm_extra"]
        assert (warned, "--nice=5" in asked["slurm_extra"]) == (rule == "train", True)
    check = resources(snakemake("--profile", profile, "-n", "--", "check").stdout, "check")
    assert (check["slurm_account"], check["slurm_partition"]) == ("project_1", "t")


def test_without_a_site_slurm_decides(snakemake: Snakemake) -> None:
    asked = resources(snakemake("--profile", "slurm", "-n").stdout, "train")
    assert not asked.keys() & {"slurm_account", "slurm_partition", "gres", "mpi", "tasks"}


def test_a_missing_account_is_a_message(
    snakemake: Snakemake, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = snakemake("--profile", "lumi", "-n")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in ("'account'", "site.yaml", "AIRSHED_ACCOUNT"):
        assert part in done.stderr
    for key, value in SITE.items():
        monkeypatch.setenv(f"AIRSHED_{key.upper()}", value)
    assert snakemake("--profile", "lumi", "-n").returncode == 0


def test_a_wrong_site_file_is_a_message(snakemake: Snakemake, tmp_path: Path) -> None:
    write(tmp_path / "site.yaml", {"acount": "me"})
    for arguments in (("-n",), ("--profile", "slurm", "-n")):
        done = snakemake(*arguments)
        assert done.returncode == 1
        assert "did you mean 'account'" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


def test_variants_ask_for_what_the_study_gives_them(snakemake: Snakemake, tmp_path: Path) -> None:
    own = {"physics_mask": {"nodes": 2, "devices": 4, "mem_mb": 5000, "runtime_min": 70}}
    study = {
        "variants": ["wind_baseline", "physics_mask"],
        "train": {"accelerator": "gpu", "threads": 3},
        "jobs": {"mem_mb": 1000, "variants": own},
    }
    write(tmp_path / "site.yaml", {"gres": "gpu:mi250:{devices}"})
    files = ("--configfile", write(tmp_path / "study.yaml", study))
    target = "results/demo/variants/{}/seed0/run.json"
    alone = snakemake("--profile", "slurm", "-n", *files, "--", target.format("wind_baseline"))
    asked = resources(alone.stdout, "train")
    assert (asked["nodes"], asked["devices"], asked["mem_mb"]) == ("1", "1", "1000")
    assert (asked["gres"], asked["cpus_per_task"]) == ("gpu:mi250:1", "3")
    assert not asked.keys() & {"mpi", "tasks"}
    together = snakemake("--profile", "slurm", "-n", *files, "--", target.format("physics_mask"))
    asked = resources(together.stdout, "train")
    assert (asked["nodes"], asked["devices"], asked["tasks"], asked["mpi"]) == (
        "2",
        "4",
        "8",
        "srun",
    )
    assert (asked["mem_mb"], asked["runtime"], asked["gres"]) == ("5000", "70", "gpu:mi250:4")
    assert "--nodes 2 --devices 4" in together.stdout
    check = snakemake("--profile", "slurm", "-n", *files, "--", "check")
    shared = {"nodes", "devices", "tasks", "mpi", "gres", "cpus_per_task", "mem_mb"}
    tried = resources(check.stdout, "check")
    assert {key: tried[key] for key in shared} == {key: asked[key] for key in shared}
    assert tried["runtime"] == "15"
    assert "airshed check" in check.stdout
    assert "--variant physics_mask --nodes 2 --devices 4" in check.stdout
    scored = target.replace("run.json", "scores.nc").format("physics_mask")
    evaluated = snakemake("--profile", "slurm", "-n", *files, "--", scored)
    assert resources(evaluated.stdout, "evaluate")["gres"] == "gpu:mi250:1"


def test_memory_and_time_grow_with_every_attempt_up_to_the_sites(
    snakemake: Snakemake, tmp_path: Path
) -> None:
    asked = resources(snakemake("-n", "--attempt", "3").stdout, "train")
    assert (asked["mem_mb"], asked["runtime"]) == (str(3000 * 4), str(30 * 4))
    write(tmp_path / "site.yaml", {"max_mem_mb": 10000, "max_runtime_min": 20})
    record = tmp_path / "results/demo/variants/wind_baseline/seed0/checkpoints/attempts.json"
    record.parent.mkdir(parents=True)
    attempts = Attempts(record, "a")
    attempts.begin(0, 0)
    attempts.end(FAILED, NO_DEVICE_MEMORY)  # for which the host's does not help
    told = snakemake("-n", "--attempt", "3").stdout
    asked = resources(told, "train")
    assert asked["runtime"] == "30"  # never less than is asked for
    lacking = r"variant=wind_baseline, seed=0\n"
    trainings = re.findall(r"^rule train:\n(.*?)\n\n", told, re.MULTILINE | re.DOTALL)
    memory = {
        (re.search(lacking, job) is not None, re.search(r"mem_mb=(\d+)", job)[1])  # type: ignore[index]
        for job in trainings
    }
    assert memory == {(True, "3000"), (False, "10000")}


def test_on_lumi_each_process_runs_in_the_container_next_to_its_device(tmp_path: Path) -> None:
    """Checked with commands that only tell how they were called; no LUMI was at hand."""
    for name in ("singularity", "taskset"):
        fake = tmp_path / name
        told = "$MIOPEN_USER_DB_PATH $NCCL_SOCKET_IFNAME"
        rest = (
            f'echo "in {told}: $*"'
            if name == "singularity"
            else 'echo "bound $1 $2"; shift 2; "$@"'
        )
        fake.write_text(f"#!/bin/sh\n{rest}\n")
        fake.chmod(0o755)

    def call(**variables: str) -> str:
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [str(ROOT / "profiles/lumi/bin/airshed"), "train", "--variant", "a b"],
            env={"PATH": path, "USER": "me", "AIRSHED_CONTAINER": "/c.sif", **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    whole = {"SLURM_JOB_ID": "5", "SLURM_NODEID": "1", "SLURM_STEP_TASKS_PER_NODE": "8(x2)"}
    said = call(**whole, SLURM_LOCALID="2")
    assert "bound --cpu-list 17-23" in said
    assert (
        "in /tmp/me-miopen-5-1 hsn0,hsn1,hsn2,hsn3: exec /c.sif airshed train --variant a b" in said
    )
    Path("/tmp/me-miopen-5-1").rmdir()  # noqa: S108
    part = call(
        SLURM_JOB_ID="5", SLURM_NODEID="0", SLURM_STEP_TASKS_PER_NODE="1", SLURM_LOCALID="0"
    )
    Path("/tmp/me-miopen-5-0").rmdir()  # noqa: S108
    assert "bound" not in part
