"""Two Snakemakes at once, a clock that goes back, and another machine's number of cores."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from faults import NUMBERS, OUTPUTS, Study
from workflow_runs import Run, jobs, started

DAY_S = 86_400
MEND_TIMES = "find results -newermt now -exec touch --no-dereference --date '1 hour ago' {} +"
log = logging.getLogger(__name__)


def test_a_second_snakemake_is_refused_and_the_first_ends_well(
    truth: Study, without: Callable[[str], Study]
) -> None:
    study = without("train")
    command = ("snakemake", "--cores", "1", "--configfile", "tiny.yaml")
    with started(study.folder, *command) as first:
        while not list((study.folder / ".snakemake/locks").glob("*")):
            assert first.poll() is None, "it ended before it had locked the folder"
            time.sleep(0.02)
        second = study.run()
        assert first.poll() is None, "too fast to have a second one beside it"
        assert second.returncode != 0
        assert "cannot be locked" in second.stderr + second.stdout
        first.communicate(timeout=600)
    assert first.returncode == 0
    for name in NUMBERS:
        assert (study.folder / name).read_bytes() == (truth.folder / name).read_bytes()


def test_a_clock_set_back_is_said_and_with_the_files_times_mended_all_is_well(
    truth: Study, without: Callable[[str], Study]
) -> None:
    """To the next run, everything that is there seems to come from tomorrow."""
    study = without("evaluate")
    for path in sorted(study.folder.glob("results/**/*"), reverse=True):
        stat = path.stat()
        os.utime(path, (stat.st_atime + DAY_S, stat.st_mtime + DAY_S))
    refused = study.run()
    assert refused.returncode != 0
    assert "clock skew" in refused.stderr + refused.stdout
    assert not (study.folder / OUTPUTS["evaluate"][0]).exists()
    assert study.airshed(MEND_TIMES).returncode == 0
    done = study.run()
    assert done.returncode == 0, done.stderr[-3000:]
    assert not {"simulate", "ingest", "train"} & jobs(done.stdout + done.stderr).keys()
    for name in NUMBERS:
        assert (study.folder / name).read_bytes() == (truth.folder / name).read_bytes()
    again = study.run()
    assert "Nothing to be done" in again.stdout + again.stderr


def test_elsewhere_on_one_core_and_killed_the_numbers_are_the_same_bytes(
    truth: Study, tmp_path: Path
) -> None:
    """From nothing, in a folder of another name, on one core, killed three times as a whole."""
    run = Run(tmp_path / "another folder")
    chance = random.Random(8)
    command = ("snakemake", "--cores", "1", "--configfile", "tiny.yaml")
    for attempt in range(4):
        with started(run.folder, "taskset", "--cpu-list", "0", *command) as process:
            if attempt < 3:
                moment_s = chance.uniform(5, 45)
                log.info("killed after %.1f s", moment_s)
                time.sleep(moment_s)
                os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate(timeout=900)[0]
        if attempt < 3:
            run("--unlock")
    assert process.returncode == 0, said[-3000:]
    for name in NUMBERS:
        assert (run.folder / name).read_bytes() == (truth.folder / name).read_bytes()
    against = f"airshed verify results/tiny --against {quote(str(truth.folder))}/results/tiny"
    assert Study(run, {}).airshed(against).returncode == 0
