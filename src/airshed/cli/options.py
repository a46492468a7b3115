"""Options that several steps share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from airshed.config import Study

DEFAULTS = (Path("config/config.yaml"), Path("config/variants.yaml"))
DEMO = Path("config/studies/demo.yaml")  # what snakemake runs if no study is named

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
    Path, typer.Option(help="Folder with the raw files; of a gridded series also a pattern.")
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
Damping = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Made by damping, for damped persistence."),
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


StudyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--study",
        exists=True,
        dir_okay=False,
        help="A study's YAML file, as for --configfile; may be given several times.",
    ),
]


def named_study(files: list[Path]) -> Study:
    """The study of some YAML files over the defaults; of none, what plain snakemake runs."""
    from airshed.config import load_study

    return load_study([*DEFAULTS, *(files or [DEMO])])


def claim_devices(study: Study, devices: int = 1) -> None:
    """Take devices of this machine for this process; to be called before torch is imported.

    Processes that another one has started for a training share those that it took.
    """
    from airshed.devices import devices_here

    if study.train.accelerator != "cpu" and "LOCAL_RANK" not in os.environ:
        devices_here().claim(devices)
