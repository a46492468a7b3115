"""Training of a variant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import (
    Config,
    Hourly,
    PatchElevation,
    ScanTables,
    Static,
    Statistics,
    study_with_devices,
)


@app.command()
def train(
    variant: Annotated[str, typer.Option(help="Name of the variant, as in config/variants.yaml.")],
    seed: Annotated[int, typer.Option(min=0)],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    run: Annotated[Path, typer.Option(help="run.json; checkpoints/ is made beside it.")],
    history: Annotated[Path, typer.Option(help="CSV with losses and alpha over the steps.")],
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="For a variant with start_from, that variant's run.json of the same seed;"
            " for one with pretrained, its checkpoint.",
        ),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes that train together, see srun.")] = 1,
    devices: Annotated[int, typer.Option(min=1, help="Devices of each node to train on.")] = 1,
) -> None:
    """Train one variant with one seed; continues from its last checkpoint if there is one.

    Exit code 75 means: interrupted by a signal, run it again to continue.
    """
    from airshed.training.processes import Processes, run_processes
    from airshed.training.stopping import (
        CONTINUES,
        EXIT_INTERRUPTED,
        InterruptedTrainingError,
        StopRequest,
    )

    processes = Processes(nodes, devices)
    start_others = processes.to_be_started_here(os.environ)
    with StopRequest() as stop:
        try:
            study = study_with_devices(config, variant, devices)
            if start_others:
                command = [sys.executable, "-m", "airshed.cli", *sys.argv[1:]]
                raise typer.Exit(run_processes(devices, command))
            from airshed.data.prepared import Prepared
            from airshed.training.run import train as run_training

            prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
            run_training(study, variant, seed, prepared, start, run, history, stop, processes)
        except InterruptedTrainingError as interruption:
            typer.echo(f"airshed: {interruption}; {CONTINUES}", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from interruption
