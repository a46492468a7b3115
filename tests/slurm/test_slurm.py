"""A small study on a real cluster: jobs lack time and memory, are cancelled and warned."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Cluster, missing
from forked_airshed import forked_airshed
from workflow_runs import WITHOUT_DASK, checkout, environment, planning_in

from airshed.check.finding import Verdict
from airshed.check.slurm import slurm
from airshed.config import Study
from airshed.integrity.provenance import sha256

HERE = Path(__file__).resolve().parent
STUDY = HERE.parent / "helpers" / "tiny_study.yaml"
STOPPED, TOO_BIG, ON_TWO_NODES = "wind_baseline", "climax", "topoflow"
VARIANTS = [STOPPED, TOO_BIG, ON_TWO_NODES]
TIMEOUT_S = 900
RESULTS = "results/tiny"
SCORES = f"{RESULTS}/scores.csv"
COMPARISONS = f"{RESULTS}/comparisons.csv"  # the rest runs on a cluster like these two

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # CPUs for all jobs at once: none waits for the one that waits for its time limit
    with Cluster(tmp_path_factory.mktemp("slurm"), cpus=4) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the study runs on this machine; so far, what needs no training."""
    folder = checkout(tmp_path_factory.mktemp("undisturbed") / "checkout")
    write_study(folder, jobs={})
    untrained = ("statistics", "patch_elevation", "scan_tables", "baseline")
    run_here(folder, "--until", *untrained)
    return folder


def run_here(folder: Path, *arguments: str) -> None:
    with forked_airshed() as quick:
        run = planning_in(folder, AIRSHED_BIN=str(quick))
        done = run("--cores", "2", "--configfile", "study.yaml", *WITHOUT_DASK, *arguments)
    assert done.returncode == 0, done.stderr


def write_study(folder: Path, jobs: dict[str, Any]) -> None:
    values = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    values |= {"variants": VARIANTS, "seeds": [0], "jobs": jobs}
    values["train"]["accelerator"] = "auto"  # asks for GPUs, which the test's nodes only count
    (folder / "study.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def progress_of(folder: Path, variant: str) -> dict[str, Any]:
    path = folder / RESULTS / "variants" / variant / "seed0" / "progress.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def endings_of(folder: Path, variant: str) -> list[str]:
    """How each process that trained a variant ended, as it noted itself."""
    path = folder / RESULTS / "variants" / variant / "seed0/checkpoints/attempts.json"
    return [start["end"] for start in json.loads(path.read_text())["starts"]]


def scores_of(folder: Path) -> dict[tuple[str, ...], str]:
    with (folder / SCORES).open() as stream:
        rows = list(csv.DictReader(stream))
    keys = ("variant", "seed", "pollutant", "horizon_h", "metric")
    return {tuple(row[key] for key in keys): row["value"] for row in rows}


class Disturbed:
    """A checkout whose study runs on the cluster."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster = checkout(folder), cluster
        self.trouble = folder / "trouble"
        self.trouble.mkdir()
        site = {"bin": str(HERE / "bin"), "max_mem_mb": cluster.memory_mb}
        (folder / "site.yaml").write_text(yaml.safe_dump(site))
        self.status_when_running = ""
        # one device on the machine where snakemake runs: no matter to jobs that run elsewhere
        own = {"TROUBLE": str(self.trouble), "CUDA_VISIBLE_DEVICES": "0"}
        self.environment = environment() | cluster.environment() | own

    def run(self, meanwhile: Callable[[], None]) -> str:
        """Run the study as users do; cancel one job and warn another once they made a step.

        Something else runs here in the meantime.
        """
        profiles = ("--profile", "slurm", "--profile", str(HERE / "profile"))
        with forked_airshed() as quick, (self.folder / "snakemake.log").open("w+") as log:
            with subprocess.Popen(
                [
                    "setpriv",
                    "--pdeathsig",
                    "TERM",
                    sys.executable,
                    str(HERE / "impatient.py"),
                    *profiles,
                    "--configfile",
                    "study.yaml",
                    "--",
                    SCORES,
                    COMPARISONS,
                ],
                cwd=self.folder,
                env=self.environment | {"QUICK": str(quick)},
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process:
                try:
                    with ThreadPoolExecutor(1) as beside:
                        other = beside.submit(meanwhile)
                        self._disturb(process)
                        other.result()
                    process.wait(TIMEOUT_S)
                finally:
                    process.kill()
            log.seek(0)
            said = log.read()
        assert process.returncode == 0, said[-6000:]
        return said

    def status(self) -> str:
        """What ``airshed status`` prints."""
        return subprocess.run(
            ["airshed", "status", "--study", "study.yaml"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def _disturb(self, process: subprocess.Popen[bytes]) -> None:
        # a warning before the time limit is sent like this: to all processes of the job's steps
        signals: dict[str, list[str]] = {STOPPED: [], ON_TWO_NODES: ["--signal=USR1"]}
        deadline = time.monotonic() + TIMEOUT_S
        while signals and process.poll() is None and time.monotonic() < deadline:
            for variant in list(signals):
                progress = progress_of(self.folder, variant)
                step, continued = (progress.get(k) or 0 for k in ("step", "resumed_from_step"))
                if progress.get("state") != "running" or step <= continued:
                    continue
                if variant == STOPPED:
                    if not continued:  # this job waits for its time limit
                        continue
                    self.status_when_running = self.status()
                job = str(progress["slurm_job_id"])
                self.cluster.command("scancel", *signals.pop(variant), job)
            time.sleep(0.5)
        assert not signals, f"{list(signals)} never made a step"


@pytest.fixture(scope="module")
def disturbed(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, undisturbed: Path
) -> Disturbed:
    """The same study on the cluster, from the same prepared data, with trouble.

    While a job waits for its time limit, every training runs here, on one device.
    """
    study = Disturbed(tmp_path_factory.mktemp("disturbed") / "checkout", cluster)
    shutil.copytree(undisturbed / "results", study.folder / "results", symlinks=True)
    own = {STOPPED: {"runtime_min": 1}, TOO_BIG: {"mem_mb": 1500}, ON_TWO_NODES: {"nodes": 2}}
    write_study(study.folder, {"runtime_min": 10, "mem_mb": 2000, "variants": own})
    (study.trouble / f"{ON_TWO_NODES}.slow").write_text("3")
    # two minutes for its eight steps: SLURM may look at a limit of one only half a minute later;
    # then cancelled
    (study.trouble / f"{STOPPED}.slow").write_text("16 6")
    (study.trouble / f"{TOO_BIG}.greedy").write_text("1200")
    study.run(meanwhile=lambda: run_here(undisturbed, "--", SCORES))
    return study


def test_every_job_that_died_was_continued_and_the_scores_are_the_same(
    disturbed: Disturbed, undisturbed: Path
) -> None:
    expected, found = scores_of(undisturbed), scores_of(disturbed.folder)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if key[0] != ON_TWO_NODES:
            assert found[key] == value, key
        elif key[-1] in ("rmse", "mae"):
            assert float(found[key]) == pytest.approx(float(value), rel=1e-3), key
    assert (disturbed.folder / COMPARISONS).exists()


def test_the_check_asks_slurm_itself(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tiny_study: Study
) -> None:
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    for partition, verdict in (("batch", Verdict.FINE), ("nowhere", Verdict.BROKEN)):
        monkeypatch.setenv("AIRSHED_TRAIN_PARTITION", partition)
        found = slurm(tiny_study)
        assert found.verdict is verdict, found.summary
    assert "invalid partition specified: nowhere" in found.summary


def test_every_job_ended_as_it_was_made_to(disturbed: Disturbed) -> None:
    endings = {variant: endings_of(disturbed.folder, variant) for variant in VARIANTS}
    # asked to stop, saved, continued
    assert endings[STOPPED] == ["interrupted", "interrupted", "done"]
    assert (endings[ON_TWO_NODES][0], endings[ON_TWO_NODES][-1]) == ("interrupted", "done")
    for variant in (STOPPED, ON_TWO_NODES):
        assert progress_of(disturbed.folder, variant)["resumed_from_step"] > 0
    assert endings[TOO_BIG][0] == "running"  # killed without a word; a retry has twice as much
    assert endings[TOO_BIG][-1] == "done"
    assert progress_of(disturbed.folder, ON_TWO_NODES)["nodes"] == 2
    finished = (disturbed.cluster.folder / "log/finished_jobs.txt").read_text()
    for state in ("CANCELLED", "TIMEOUT"):
        assert f"JobState={state}" in finished


def test_the_status_follows_the_jobs(disturbed: Disturbed) -> None:
    rows = [line.split() for line in disturbed.status_when_running.splitlines()]
    row = next(row for row in rows if row[:2] == [STOPPED, "0"])
    assert row[2] == "running"
    assert "running" in row[-1]  # the queue's word for its job
    assert "3 done" in disturbed.status()


def test_preprocessing_in_worker_jobs_gives_the_same_store(
    tmp_path: Path, cluster: Cluster, undisturbed: Path
) -> None:
    """Days are ingested by dask workers, each a job of its own that dask-jobqueue submits."""
    resolved = yaml.safe_load((undisturbed / RESULTS / "config.resolved.yaml").read_text())
    workers = {"jobs": 2, "cores_per_job": 1, "memory_per_job_gb": 1.5, "runtime_min": 5}
    resolved["preprocessing"] |= {"cluster": "slurm", **workers}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(resolved))
    raw = undisturbed / "results/data/tiny/raw"
    outputs = {"hourly": "hourly.zarr", "report": "ingest.json", "quality": "quality.csv"}
    done = subprocess.run(
        ["airshed", "ingest", "--config", "study.yaml", "--raw", str(raw)]
        + [word for name, path in outputs.items() for word in (f"--{name}", path)],
        cwd=tmp_path,
        env=environment() | cluster.environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert "dask dashboard" in done.stderr
    assert "dask-worker" in (cluster.folder / "log/finished_jobs.txt").read_text()
    local = undisturbed / "results/data/tiny/8x16"
    assert sha256(tmp_path / "hourly.zarr") == sha256(local / "hourly.zarr")
    assert (tmp_path / "quality.csv").read_bytes() == (local / "quality.csv").read_bytes()
