"""Inspection of raw archives before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import DEFAULTS, existing_file

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
        list[Path] | None, existing_file("Study (later files override): check it too.")
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
    from airshed.config import load_dataset, load_study
    from airshed.data.inspect import as_text, check_splits, inspect_path
    from airshed.integrity.atomic import write_json

    whole = config is not None and all(path.exists() for path in DEFAULTS)
    files = [*DEFAULTS, *(config or [])] if whole else config
    dataset = load_dataset(files) if files else None
    found = inspect_path(path, dataset, None if every else hours)
    if whole:
        with found.findings:
            check_splits(load_study(files or []), found.hours, found.findings)
    elif config:
        found.findings.remark(
            f"only the dataset was checked: there is no {DEFAULTS[0]}", f"{config[0]}"
        )
    if json is not None:
        write_json(json, found.as_dict())
    typer.echo(as_text(found))
    if not found.accepted:
        raise typer.Exit(1)
