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
    Damping,
    Hourly,
    PatchElevation,
    ScanTables,
    Static,
    Statistics,
    claim_devices,
    existing_file,
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
    climatology: Annotated[
        Path | None,
        existing_file("Made by climatology, for networks that depart from damped persistence."),
    ] = None,
    damping: Damping = None,
    start: Annotated[
        Path | None,
        existing_file(
            "For a variant with start_from, that variant's run.json of the same seed; for one with"
            " pretrained, its checkpoint."
        ),
    ] = None,
    study: Annotated[
        Path | None,
        existing_file("The whole study, for the record; default: what --config holds."),
    ] = None,
    take_over: Annotated[
        Path | None,
        existing_file("run.json of the same training in another study: use that, do not train."),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes that train together, see srun.")] = 1,
    devices: Annotated[int, typer.Option(min=0, help="Devices of each node to train on.")] = 1,
) -> None:
    """Train one variant with one seed; continues from its last checkpoint if there is one.

    Exit code 75 means: interrupted by a signal, run it again to continue.
    """
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.graph.notes import check_read
    from airshed.graph.settings import step_settings
    from airshed.training import reuse
    from airshed.training.processes import Processes, run_processes
    from airshed.training.stopping import (
        CONTINUES,
        EXIT_INTERRUPTED,
        InterruptedTrainingError,
        StopRequest,
    )

    whole = load_study(config if study is None else [study]).for_variant(variant)
    fields = hourly, static, patch_elevation, statistics, scan_tables
    prepared = Prepared(*fields, climatology, damping)
    check_read("training", config, vars(prepared), variant)
    own = step_settings(config, "training", variant).for_variant(variant)
    request = reuse.TrainingRequest(own, whole, variant, seed, prepared, start, run, history)
    if take_over is not None:
        return reuse.take_over(request, take_over)
    if reuse.restore_record(request, first=os.environ.get("SLURM_PROCID", "0") == "0"):
        return None
    processes = Processes(nodes, devices)
    start_others = processes.to_be_started_here(os.environ)
    with StopRequest() as stop:
        try:
            claim_devices(own, devices)
            if start_others:
                command = [sys.executable, "-m", "airshed.cli", *sys.argv[1:]]
                raise typer.Exit(run_processes(devices, command))
            from airshed.training.run import train as run_training

            run_training(request, stop, processes)
        except InterruptedTrainingError as interruption:
            typer.echo(f"airshed: {interruption}; {CONTINUES}", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from interruption
