"""Options that several steps share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

InputFile = typer.Option(exists=True, dir_okay=False)
InputFolder = typer.Option(exists=True, file_okay=False)

Config = Annotated[
    list[Path],
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Study (see resolve-config; later files override), or files with the step's settings.",
    ),
]
Raw = Annotated[
    Path, typer.Option(exists=True, file_okay=False, help="Folder with the raw archives.")
]
Hourly = Annotated[
    Path, typer.Option(exists=True, file_okay=False, help="hourly.zarr made by ingest.")
]
Static = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="static.nc made by static-fields.")
]
PatchElevation = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Made by patch-elevation.")
]
Statistics = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Made by statistics.")]
Climatology = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Made by climatology.")
]
Horizons = Annotated[
    list[int] | None,
    typer.Option("--horizon", help="Score this horizon, h; may be repeated. Default: all."),
]
ScanTables = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Made by scan-tables.")]
Output = Annotated[Path, typer.Option(help="Where the result goes; it appears when complete.")]
Observations = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Made by stations, for a study that has them."),
]
SupplementFolder = Annotated[
    Path | None,
    typer.Option(help="Folder for the results at stations and in episodes; else there are none."),
]
Workers = Annotated[int, typer.Option(min=1, help="Tasks at a time on this machine.")]
