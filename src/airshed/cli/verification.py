"""What is checked beyond the scores of the trained runs."""

from __future__ import annotations

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
)


@app.command()
def interpret(
    run: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="run.json of a training.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Annotated[
        Path | None, typer.Option(help="Default: interpretation.json beside run.json.")
    ] = None,
) -> None:
    """Does a trained run use its bias? Losses with alpha at 0 and doubled; attention moved."""
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.evaluation.interpretation import interpret as run_interpretation

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    target = run.with_name("interpretation.json") if output is None else output
    run_interpretation(load_study([config]), run, prepared, target)
