"""Scores, and their comparison."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import (
    Config,
    Hourly,
    Output,
    PatchElevation,
    ScanTables,
    Static,
    Statistics,
)


class Baseline(StrEnum):
    """Forecasts that need no training."""

    persistence = "persistence"
    climatology = "climatology"


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="run.json of a training.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Output,
) -> None:
    """Score a trained run on the test split at each horizon, in physical units."""
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.evaluation.trained import evaluate_run

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    evaluate_run(load_study([config]), run, prepared, output)


@app.command()
def baseline(
    name: Annotated[Baseline, typer.Argument(help="Which baseline.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    output: Output,
) -> None:
    """Score a forecast that needs no training, on the same samples as the trained runs."""
    from airshed.config import load_study
    from airshed.evaluation.evaluate import evaluate_baseline

    evaluate_baseline(load_study([config]), name.value, hourly, static, output)


@app.command()
def compare(
    config: Config,
    scores: Annotated[Path, typer.Option(help="Table of all scores to write.")],
    comparisons: Annotated[Path, typer.Option(help="Table of paired comparisons to write.")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="scores.nc of every run.")],
) -> None:
    """Compare each variant with its reference: change of RMSE, interval, verdict."""
    from airshed.comparison.study import compare_study
    from airshed.config import load_study

    compare_study(load_study([config]), files, scores, comparisons)


@app.command()
def verdicts(comparisons: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Print the verdicts of a finished study as a table."""
    from airshed.comparison.table import verdict_table

    typer.echo(verdict_table(comparisons))
