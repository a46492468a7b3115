"""How Snakemake can ask this cluster for the state of jobs; profiles call it before the workflow.

``sacct`` needs an accounting database, and without one it fails for ever although it is installed.
``squeue`` forgets a job that ended after MinJobAge, so it must be asked more often than that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import NamedTuple

from snakemake_executor_plugin_slurm.job_status_query import get_min_job_age

TIMEOUT_S = 10.0
FIRST_CHECK_S = 40  # the executor's own default
CHECKS_WITHIN_AGE = 3  # below this the executor would ask sacct all the same


class StatusQuery(NamedTuple):
    """The command that tells the state of jobs, and seconds before it is asked first."""

    command: str
    first_check_s: int


def status_query() -> StatusQuery:
    """The command of this cluster; one line is printed if it is not ``sacct``."""
    lacking = _lacks_accounting()
    if lacking is None:
        return StatusQuery("sacct", FIRST_CHECK_S)
    age_s = get_min_job_age()
    first_s = FIRST_CHECK_S if age_s is None else min(FIRST_CHECK_S, age_s // CHECKS_WITHIN_AGE)
    remembered = "an unknown time" if age_s is None else f"{age_s} s"
    sys.stderr.write(
        f"airshed: sacct does not answer ({lacking}); squeue is asked for the state of jobs, which"
        f" remembers those that ended for {remembered} (MinJobAge)\n"
    )
    return StatusQuery("squeue", max(1, first_s))


def _lacks_accounting() -> str | None:
    """Why ``sacct`` cannot be used, None if it can."""
    if shutil.which("sacct") is None:
        return "it is not installed"
    command = ["sacct", "--noheader", "--starttime=now", "--format=JobID"]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        return " ".join(error.stderr.split()) or f"exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        return f"within {TIMEOUT_S:.0f} s"
    return None
