"""Jobs of this folder in SLURM's queue, where there is a SLURM."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 2.5
FIELDS = "%i|%T|%r|%k|%Z"  # id, state, reason, comment, folder
LOGS = Path(".snakemake/slurm_logs")  # Snakemake's executor makes it with the first job
PENDING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"})


@dataclass(frozen=True)
class Job:
    """One job in the queue; ``comment`` names its rule and wildcards, ``folder`` its workflow."""

    job_id: str
    state: str
    reason: str
    comment: str
    folder: str

    @property
    def pending(self) -> bool:
        """Whether it has not started yet."""
        return self.state in PENDING


class Queue:
    """The user's jobs, as they were when the queue was asked.

    Attributes:
        known: Whether SLURM answered; there may be none.
        unreachable: Whether a SLURM to which this folder has sent jobs does not answer.
    """

    def __init__(self, jobs: Sequence[Job] | None, unreachable: bool = False) -> None:
        self.known, self.unreachable = jobs is not None, unreachable
        self._jobs = list(jobs or ())

    def job(
        self, rule: str, wildcards: Sequence[str], folder: Path, reported_id: object = None
    ) -> Job | None:
        """The job of a step; a running one before a waiting one.

        Args:
            rule: Rule of the step.
            wildcards: Values of the rule's wildcards.
            folder: Where the workflow runs.
            reported_id: Id of the job that the step itself reports, as a training does; the job may
                have been submitted by hand.
        """
        comment = "_".join(  # as Snakemake's executor writes it
            [f"rule_{rule}", *(["wildcards", *wildcards] if wildcards else [])]
        )
        found = [
            job
            for job in self._jobs
            if job.job_id == reported_id or (job.comment, job.folder) == (comment, str(folder))
        ]
        return min(found, key=lambda job: job.pending, default=None)


def read_queue() -> Queue:
    """Ask ``squeue`` for the user's jobs."""
    if shutil.which("squeue") is None:
        return Queue(None)
    command = ["squeue", "--noheader", f"--user={getpass.getuser()}", f"--format={FIELDS}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Queue(None, unreachable=LOGS.is_dir())  # not where no job was ever submitted
    return Queue(parse(done.stdout))


def parse(listing: str) -> list[Job]:
    """The jobs in the lines of ``squeue``."""
    return [Job(*line.split("|", 4)) for line in listing.splitlines() if line.count("|") >= 4]
