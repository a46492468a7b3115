"""Measurements of what a study's models cost."""

from __future__ import annotations

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
    claim_devices,
)

bench = typer.Typer(no_args_is_help=True, help="Measure what a study's models cost.")
app.add_typer(bench, name="bench")

Rounds = Annotated[int, typer.Option(min=1, help="How often each step is timed.")]
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
    rounds: Rounds = 21,
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
    from airshed.config import load_study

    study = load_study(config)
    claim_devices(study)
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


@bench.command()
def variant(
    name: Annotated[str, typer.Argument(help="The variant.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Output,
    rounds: Rounds = 21,
) -> None:
    """Time steps of one variant beside its reference, without what depends on a study's seeds."""
    from airshed.data.prepared import Prepared
    from airshed.graph.notes import making
    from airshed.integrity.atomic import write_json

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    with making("cost", config, output, name, read=vars(prepared)) as study:
        claim_devices(study)
        from airshed.bench.cache import measured_once

        write_json(output, measured_once(study, name, prepared, rounds, output))


@bench.command()
def table(
    config: Config,
    output: Output,
    files: Annotated[
        list[Path], typer.Argument(exists=True, help="cost.json of each variant, in their order.")
    ],
) -> None:
    """Put what was measured of each variant together, with what a study's trainings take."""
    from airshed.bench.cost import cost_of_study, cost_table
    from airshed.graph.notes import making
    from airshed.integrity.atomic import write_json
    from airshed.integrity.formats import COST, read_json

    with making("cost_table", config, output) as study:
        found = {
            name: read_json(path, COST) for name, path in zip(study.variants, files, strict=True)
        }
        cost = cost_of_study(study, found)
        write_json(output, cost)
    typer.echo(cost_table(cost))
