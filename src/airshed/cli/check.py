"""Whether the machine that will train can."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import StudyFiles, claim_devices, named_study
from airshed.errors import AirshedError


@app.command()
def check(
    study: StudyFiles = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Whose training is checked (default: the one that asks for the most)."),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes that train together, see srun.")] = 1,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Devices of each node (default: jobs.devices).")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of all studies.")] = Path("results"),
) -> None:
    """Check in about two minutes what a training needs of the machine that it runs on.

    A line for each thing: fine, slow, or broken and what to do. Exit code 1 means that something is
    broken. `snakemake --profile slurm check` does it in a job that asks for what a training asks
    for.
    """
    from airshed.check.chosen import checked_variant
    from airshed.training.processes import Processes, run_processes

    found = named_study(study or [])
    variant = variant or checked_variant(found)
    if variant not in found.variants:
        raise AirshedError(
            "a variant to be checked is none of the study's",
            where="--variant",
            expected=", ".join(found.variants),
            found=variant,
        )
    processes = Processes(nodes, devices or found.jobs.request(variant).devices)
    start_others = processes.to_be_started_here(os.environ)
    claim_devices(found, processes.devices)
    if start_others:
        raise typer.Exit(
            run_processes(processes.devices, [sys.executable, "-m", "airshed.cli", *sys.argv[1:]])
        )
    from airshed.check.finding import Verdict
    from airshed.check.run import findings

    logging.getLogger("airshed").setLevel(logging.WARNING)
    first = os.environ.get("LOCAL_RANK", "0") == os.environ.get("SLURM_PROCID", "0") == "0"
    worst = Verdict.FINE
    for name, finding in findings(found, variant, processes, results):
        if first:
            typer.echo(finding.line(name))
        if finding.verdict is Verdict.BROKEN:
            worst = finding.verdict
    if worst is Verdict.BROKEN:
        raise typer.Exit(1)
