"""Options that several steps share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from airshed.config import Study

InputFile = typer.Option(exists=True, dir_okay=False)
InputFolder = typer.Option(exists=True, file_okay=False)

Config = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Resolved study (see resolve-config).")
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


def study_with_devices(config: Path, variant: str | None = None, devices: int = 1) -> Study:
    """The study, once this process has devices for it; to be called before torch is imported.

    Processes that another one has started for a training share those that it took.
    """
    from airshed.config import load_study
    from airshed.devices import devices_here

    study = load_study([config])
    if variant is not None:
        study = study.for_variant(variant)
    if study.train.accelerator != "cpu" and "LOCAL_RANK" not in os.environ:
        devices_here().claim(devices)
    return study
