"""Training of a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import Config, Hourly, PatchElevation, ScanTables, Static, Statistics


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
) -> None:
    """Train one variant with one seed; continues from its last checkpoint if there is one."""
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.training.run import train as run_training

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    run_training(load_study([config]), variant, seed, prepared, start, run, history)
