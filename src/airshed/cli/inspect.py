"""A look at raw archives before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app

SAMPLED_HOURS = 6


@app.command()
def inspect(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder of archives, one archive, NetCDF file or Zarr store; pattern of a series."
        ),
    ],
    config: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="Study (later files override): check its dataset too."
        ),
    ] = None,
    hours: Annotated[
        int, typer.Option(min=1, help="Hours to look at, spread over all days.")
    ] = SAMPLED_HOURS,
    every: Annotated[
        bool, typer.Option("--all", help="Open every archive and look at every hour.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Where the findings go as JSON too.")] = None,
) -> None:
    """Say what raw archives hold and what an ingest would refuse; exit code 1 if anything."""
    from airshed.config import load_dataset
    from airshed.data.inspect import as_text, inspect_path
    from airshed.integrity.atomic import write_json

    dataset = load_dataset(config) if config else None
    found = inspect_path(path, dataset, None if every else hours)
    if json is not None:
        write_json(json, found.as_dict())
    typer.echo(as_text(found))
    if not found.accepted:
        raise typer.Exit(1)
