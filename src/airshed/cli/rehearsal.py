"""The command that tries a whole study in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.cluster import RESULTS, show_plan
from airshed.cli.options import StudyFiles, named_study
from airshed.errors import AirshedError

FOLDER = RESULTS / "rehearsals"


@app.command()
def rehearse(
    study: StudyFiles = None,
    profile: Annotated[
        str | None, typer.Option(help="Of Snakemake, such as slurm; else on this machine.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Of this machine; else all.")] = None,
) -> None:
    """Run the whole graph of a study on a few of its own days and about twenty optimiser steps.

    What would fail after hours fails in minutes. It has folders of its own; run again, it continues
    where it stopped. It ends with the report's page and with what the study itself will take.
    """
    from airshed.cluster.rehearsal import ingest_estimate, rehearsal_of
    from airshed.config import dump_study
    from airshed.integrity.atomic import write_text

    files = study or []
    resolved = named_study(files)
    rehearsal = rehearsal_of(resolved)
    path = FOLDER / f"{rehearsal.study}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, dump_study(rehearsal))
    typer.echo(f"Rehearsal: days {rehearsal.dataset.period}, as {path} says.")
    _run(path, [*_given("profile", profile), *_given("cores", cores)])
    typer.echo(f"The rehearsal's page: {RESULTS / rehearsal.study / 'report.html'}")
    typer.echo("What the study itself will take, as far as the rehearsal tells:\n")
    show_plan(files)
    typer.echo(ingest_estimate(resolved, rehearsal))


def _given(name: str, value: object) -> list[str]:
    return [] if value is None else [f"--{name}", str(value)]


def _run(study: Path, options: list[str]) -> None:
    snakemake = [sys.executable, "-m", "snakemake", "--logger", "airshed"]
    done = subprocess.run([*snakemake, *options, "--configfile", str(study)])
    if done.returncode:
        raise AirshedError(
            "the rehearsal failed, and so would the study",
            where=study,
            hint="mend the cause that is printed above, and run the command again: it continues",
        )
