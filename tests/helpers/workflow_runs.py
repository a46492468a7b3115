"""Copies of the workflow in other folders, run as a user runs it."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from forked import ended, forked, preload, say_to

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "workflow", "config", "envs", "profiles", "slurm", "lumi")
TIMEOUT_S = 1800
# dask's processes take longer to start than these steps of the small study take in one
WITHOUT_DASK = ("--set-threads", "ingest=1", "statistics=1")
STUDY = ROOT / "tests/helpers/tiny_study.yaml"
# the small study with steps that studies have if they ask for them
WHOLE: dict[str, Any] = {
    "evaluation": {"ensemble": True},
    "interventions": {"apply": ["no_wind", "alpha_zero"], "init_every_h": 6},
}
STANDS_IN = """\
#!/bin/sh
step=$1
while [ $# -gt 0 ]; do
    case $step$1 in
        ingest--hourly|report--figures|report--tables|simulate--output) mkdir -p "$2" ;;
        *--supplement) mkdir -p "$2" ;;
        ingest--report|ingest--quality|stations--report|train--run|train--history) echo > "$2" ;;
        score-tables--by-stratum|report--html|report--markdown) echo > "$2" ;;
        compare-study--scores|compare-study--comparisons|compare-study--by-score) echo > "$2" ;;
        *--output) echo > "$2" ;;
    esac
    shift
done
"""

preload("snakemake.cli", "airshed.config", "airshed.cluster.site", "airshed.report.outline")

Completed = subprocess.CompletedProcess[str]
Snakemake = Callable[..., Completed]


def checkout(folder: Path) -> Path:
    """Copy what a checkout has into ``folder``, which may be new."""
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)
    return folder


def with_stand_in(folder: Path) -> Path:
    """A checkout in which a stand-in for `airshed` only makes the files that a step would."""
    checkout(folder)
    (folder / "bin").mkdir()
    (folder / "bin/airshed").write_text(STANDS_IN, encoding="ascii")
    (folder / "bin/airshed").chmod(0o755)
    (folder / "site.yaml").write_text("bin: bin\n", encoding="ascii")
    return folder


def environment() -> dict[str, str]:
    """Environment variables with this Python's commands first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def snakemake_in(folder: Path, **variables: str) -> Snakemake:
    """A function that runs ``snakemake ARGUMENTS`` in ``folder`` and captures what it says.

    Args:
        folder: A checkout.
        variables: Of the environment, beside those of this process.
    """

    def run(*arguments: str) -> Completed:
        return subprocess.run(
            ["snakemake", *arguments],
            cwd=folder,
            env=environment() | variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    return run


def planning_in(folder: Path, **variables: str) -> Snakemake:
    """The same in a process that need not import Snakemake anew; most runs only plan."""

    def run(*arguments: str) -> Completed:
        with TemporaryDirectory() as outside:
            said = [Path(outside) / name for name in ("stdout", "stderr")]
            process = forked(_snakemake, folder, arguments, environment() | variables, said)
            code = ended(process, TIMEOUT_S)
            return Completed(arguments, code, *(path.read_text() for path in said))

    return run


def _snakemake(
    folder: Path, arguments: tuple[str, ...], variables: dict[str, str], said: list[Path]
) -> None:
    """What the command ``snakemake`` is, in this process."""
    from snakemake.cli import main

    say_to(*said)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["snakemake", *arguments]
    atexit._clear()  # what the process before it wants to run at its own end
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process would leave them out


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command in ``folder``, in a process group that can be killed as a whole."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def jobs(plan: str) -> dict[str, int]:
    """Rule names and counts from the table that a dry run prints."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE)}


class Run:
    """A checkout in which the small study runs."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self._snakemake = planning_in(folder, **variables)
        if not folder.exists():
            checkout(folder)
            self.configure({})

    def configure(self, changes: dict[str, Any]) -> None:
        """Write the study with changes: those of a section are merged into it."""
        values = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
        for key, value in changes.items():
            values[key] = values.get(key, {}) | value if isinstance(value, dict) else value
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def __call__(self, *arguments: str) -> Completed:
        return self._snakemake("--cores", "2", "--configfile", "tiny.yaml", *arguments)

    def planned(self, *arguments: str) -> Completed:
        """A dry run."""
        return self._snakemake("-n", "--configfile", "tiny.yaml", *arguments)

    def path(self, name: str) -> Path:
        return self.folder / "results/tiny" / name
