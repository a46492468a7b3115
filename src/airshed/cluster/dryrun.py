"""The jobs that Snakemake would run, from its dry run: what is done already is not among them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airshed.errors import AirshedError

TIMEOUT_S = 600
HEAD = re.compile(r"^(?:local)?rule (\w+):$", re.MULTILINE)


@dataclass(frozen=True)
class PlannedJob:
    """One job that would be run.

    Attributes:
        rule: Its rule.
        wildcards: By their names.
        resources: What it asks for in whole numbers: nodes, devices, mem_mb, runtime (minutes).
    """

    rule: str
    wildcards: dict[str, str]
    resources: dict[str, int]


def planned_jobs(study_files: Sequence[Path]) -> list[PlannedJob]:
    """The jobs of ``snakemake -n`` for a study, without targets that need no job.

    Args:
        study_files: YAML files over the defaults, as for ``--configfile``.

    Raises:
        AirshedError: There is no workflow in this folder, or it refuses the study.
    """
    if not Path("Snakefile").exists():
        raise AirshedError(
            "there is no workflow in this folder",
            where=Path.cwd(),
            hint="go to the project's folder",
        )
    given = ["--configfile", *map(str, study_files)] if study_files else []
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", *given],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise AirshedError("snakemake refuses this study", found="\n".join(output[-12:]))
    return parse(done.stdout)


def parse(output: str) -> list[PlannedJob]:
    """The jobs in the output of a dry run."""
    parts = HEAD.split(output)[1:]
    jobs = [_job(rule, text) for rule, text in zip(parts[::2], parts[1::2], strict=True)]
    return [job for job in jobs if job.rule != "all"]


def _job(rule: str, text: str) -> PlannedJob:
    block = text.split("\n\n", 1)[0]
    wildcards = re.findall(r"(\w+)=([^,\s]+)", _line(block, "wildcards"))
    resources = re.findall(r"(\w+)=(\d+)(?=,|$)", _line(block, "resources"))
    return PlannedJob(rule, dict(wildcards), {name: int(value) for name, value in resources})


def _line(block: str, key: str) -> str:
    found = re.search(rf"^    {key}: (.*)$", block, re.MULTILINE)
    return found.group(1) if found else ""
