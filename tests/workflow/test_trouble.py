"""The small study once more, killed and broken; the finished one is only copied."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from threading import Event, Thread
from typing import IO

import xarray as xr
from workflow_runs import WITHOUT_DASK, Run, environment, jobs, started, with_stand_in

DATA = "results/data/tiny"
HOURLY = f"{DATA}/8x16/hourly.zarr"
TRAINED_AGAIN = [f"variants/{name}/seed1/scores.nc" for name in ("wind_baseline", "physics_mask")]


def test_killed_in_the_middle_the_results_are_the_same(
    finished: Run, tmp_path: Path, quickly: dict[str, str]
) -> None:
    """Trained and scored again in another folder, killed at the first checkpoint: the same numbers.

    Until then every step is the command itself, and not one that is forked.
    """
    other = Run(tmp_path / "another folder", **quickly)
    for part in (DATA, ".snakemake"):
        shutil.copytree(finished.folder / part, other.folder / part, symlinks=True)
    wanted = ("--", *(f"results/tiny/{name}" for name in TRAINED_AGAIN))
    command = ("snakemake", "--cores", "2", "--configfile", "tiny.yaml")
    with started(other.folder, *command, *wanted) as process:
        while not list(other.folder.glob("results/tiny/variants/*/*/checkpoints/last.ckpt")):
            assert process.poll() is None, "the run ended before its first checkpoint"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert not any(other.path(name).exists() for name in TRAINED_AGAIN)
    assert other("--unlock").returncode == 0
    done = other(*wanted)
    assert done.returncode == 0, done.stderr
    assert jobs(done.stderr).keys().isdisjoint({"simulate", "ingest", "statistics"})
    for name in TRAINED_AGAIN:
        with xr.open_dataset(other.path(name)) as one, xr.open_dataset(finished.path(name)) as two:
            xr.testing.assert_equal(one, two)


# a job that is asked once to stop, and does so when it may
SLOW = """\
#!/bin/sh
trap 'trap "" INT; kill $!; until [ -e saved ]; do sleep 0.1; done; exit 75' INT
sleep 60 &
echo > started
wait
"""


def test_ctrl_c_pressed_again_and_again_is_one_stop(tmp_path: Path) -> None:
    folder = with_stand_in(tmp_path / "impatient")
    Run(folder).configure({})
    (folder / "bin/airshed").write_text(SLOW, encoding="ascii")
    command = ("snakemake", "--cores", "1", "--configfile", "tiny.yaml", "--", "simulate")
    with started(folder, *command) as process:
        while not (folder / "started").exists():
            assert process.poll() is None, "the run ended before its first job"
            time.sleep(0.05)
        assert process.stdout is not None
        enough = Event()
        pressing = Thread(target=_press, args=(process.pid, enough))
        pressing.start()
        said = _until("Terminating processes on user request", process.stdout)
        for _ in range(2):
            said += _until("stopping; the jobs save what they have", process.stdout)
        enough.set()
        pressing.join()
        (folder / "saved").touch()
        said += process.stdout.read()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert not list((folder / ".snakemake").glob("locks/*"))


def _press(group: int, enough: Event) -> None:
    """Ctrl-C, until it is enough; a run that does not answer within a minute is killed.

    Python may not see one that comes just before it waits, until the next.
    """
    for _ in range(300):
        os.killpg(group, signal.SIGINT)
        if enough.wait(0.2):
            return
    os.killpg(group, signal.SIGKILL)


def _until(words: str, said: IO[str]) -> str:
    """What is said until words are, which are waited for."""
    lines = []
    for line in said:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"{words!r} is not in {''.join(lines)}")


def test_a_study_with_a_killed_training_is_reported_as_partial(
    finished: Run, tmp_path: Path, quickly: dict[str, str]
) -> None:
    other = Run(tmp_path / "partial")
    shutil.copytree(finished.folder / "results", other.folder / "results", symlinks=True)
    killed = other.path("variants/physics_mask/seed1")
    shutil.rmtree(killed)
    target = "results/tiny/variants/physics_mask/seed1/run.json"
    command = ("snakemake", "--cores", "1", "--rerun-triggers", "mtime", "--nolock")
    given = ("--configfile", "tiny.yaml", "--", target)
    with started(other.folder, *command, *given) as process:
        while not (killed / "progress.json").exists():
            assert process.poll() is None, "the training ended before it told anything"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (killed / "run.json").exists(), "the training ended before it was killed"
    complete = other.path("report.html").read_bytes()
    said = subprocess.run(
        [f"{quickly['AIRSHED_BIN']}/airshed", "partial-report", "results/tiny"],
        cwd=other.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said.returncode == 0, said.stderr
    page = other.path("partial/report.html").read_text(encoding="utf-8")
    assert "This report is partial: 3 of 4 trainings are finished and scored." in page
    assert "interrupted" in page
    assert "What next" not in page
    assert other.path("report.html").read_bytes() == complete
    planned = jobs(other.planned("--rerun-triggers", "mtime").stdout)
    assert {"train": 1, "compare": 1, "report": 1}.items() <= planned.items()


def test_a_truncated_archive_is_named_and_nothing_half_written_stays(
    finished: Run, tmp_path: Path, quickly: dict[str, str]
) -> None:
    broken = Run(tmp_path / "broken", **quickly)
    shutil.copytree(finished.folder / DATA / "raw", broken.folder / DATA / "raw")
    archive = broken.folder / DATA / "raw/201602/CN-Reanalysis20160228.tar.gz"
    archive.write_bytes(archive.read_bytes()[:5000])
    done = broken("--rerun-triggers", "mtime", *WITHOUT_DASK, "--", HOURLY)
    said = done.stderr + done.stdout
    assert done.returncode != 0
    assert "CN-Reanalysis20160228.tar.gz" in said
    assert "Traceback" not in said
    assert not (broken.folder / HOURLY).exists()
    assert not (broken.folder / DATA / "8x16/ingest.json").exists()


def test_an_hour_missing_in_the_middle_is_counted_and_reported(
    finished: Run, tmp_path: Path, quickly: dict[str, str]
) -> None:
    gappy = Run(tmp_path / "gappy", **quickly)
    shutil.copytree(finished.folder / DATA / "raw", gappy.folder / DATA / "raw")
    (gappy.folder / DATA / "raw/201602/CN-Reanalysis20160228.tar.gz").unlink()
    done = gappy("--rerun-triggers", "mtime", *WITHOUT_DASK, "--", HOURLY)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((gappy.folder / DATA / "8x16/ingest.json").read_text())
    assert [gap["hours"] for gap in copy.deepcopy(found["gaps"])] == [24]
    assert found["gaps"][0]["start"] == "2016-02-28T00:00:00"
