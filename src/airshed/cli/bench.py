"""Measurements of what a study's models cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import Config, study_with_devices

bench = typer.Typer(no_args_is_help=True, help="Measure what a study's models cost.")
app.add_typer(bench, name="bench")

Optional = typer.Option(exists=True, help="Prepared data; give all five or none.")


@bench.command()
def step(
    config: Config,
    output: Annotated[Path, typer.Option(help="cost.json to write.")] = Path("cost.json"),
    variants: Annotated[
        list[str] | None, typer.Option(help="Variants to measure (default: all of the study).")
    ] = None,
    others: Annotated[
        list[str] | None, typer.Argument(metavar="[VARIANT]...", help="Further variants.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each step is timed.")] = 21,
    hourly: Annotated[Path | None, Optional] = None,
    static: Annotated[Path | None, Optional] = None,
    patch_elevation: Annotated[Path | None, Optional] = None,
    statistics: Annotated[Path | None, Optional] = None,
    scan_tables: Annotated[Path | None, Optional] = None,
) -> None:
    """Time optimiser steps of several variants side by side; peak memory, device-hours.

    Without prepared data, fields and terrain are random: grid, model, precision and scan are the
    study's own all the same.
    """
    study = study_with_devices(config)
    from airshed.bench.cost import cost_table, measure_cost
    from airshed.data.prepared import Prepared
    from airshed.errors import AirshedError

    paths = [hourly, static, patch_elevation, statistics, scan_tables]
    given = [path for path in paths if path is not None]
    if given and len(given) < len(paths):
        raise AirshedError(
            "prepared data are incomplete",
            expected="--hourly, --static, --patch-elevation, --statistics and --scan-tables, or"
            " none of them",
            found=", ".join(map(str, given)),
        )
    prepared = Prepared(*given) if given else None
    names = [*(variants or []), *(others or [])]
    cost = measure_cost(study, names, prepared, rounds, output)
    typer.echo(cost_table(cost))
