"""Forecasts from finished trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app


@app.command()
def forecast(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folder of a run; of a variant, or several runs of one, for all their seeds."
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="An hourly store, or raw files in the form of the study's, of any period."
        ),
    ],
    init: Annotated[
        list[str],
        typer.Option(
            help="Hour to start from, UTC, such as 2016-03-08T12, or a stretch of them, such as"
            " 2016-03-01/2016-03-08/6h; may be repeated."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="Where the forecasts go, when complete: NetCDF if it ends in .nc, else Zarr."
        ),
    ],
    horizon: Annotated[
        list[int] | None,
        typer.Option(help="Lead time, h; may be repeated. Default: all of the study."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="As torch calls it, such as cpu or cuda. Default: as the study says."),
    ] = None,
) -> None:
    """Forecast with trained networks from given hours, also those after the study's end."""
    from airshed.forecasting.loading import load
    from airshed.forecasting.times import written
    from airshed.forecasting.writing import write_forecasts

    init_times = written(init)
    loaded = load(runs[0] if len(runs) == 1 else runs, device)
    write_forecasts(loaded, data, init_times, horizon, output)
    typer.echo(f"Written: {output}")
