"""Options that several steps share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from airshed.config import Study

DEFAULTS = (Path("config/config.yaml"), Path("config/variants.yaml"))
DEMO = Path("config/studies/demo.yaml")  # what snakemake runs if no study is named


def existing_file(words: str) -> Any:
    """An option that names a file, or several, with its help."""
    return typer.Option(exists=True, dir_okay=False, help=words)


def existing_folder(words: str) -> Any:
    """An option that names a folder, with its help."""
    return typer.Option(exists=True, file_okay=False, help=words)


Config = Annotated[
    list[Path],
    existing_file(
        "Study (see resolve-config; later files override), or files with the step's settings."
    ),
]
RunFile = Annotated[Path, existing_file("run.json of a training.")]
Raw = Annotated[
    Path, typer.Option(help="Folder with the raw files; of a gridded series also a pattern.")
]
Hourly = Annotated[Path, existing_folder("hourly.zarr made by ingest.")]
Static = Annotated[Path, existing_file("static.nc made by static-fields.")]
PatchElevation = Annotated[Path, existing_file("Made by patch-elevation.")]
Statistics = Annotated[Path, existing_file("Made by statistics.")]
ScanTables = Annotated[Path, existing_file("Made by scan-tables.")]
Climatology = Annotated[Path, existing_file("Made by climatology.")]
Damping = Annotated[Path | None, existing_file("Made by damping, for damped persistence.")]
Horizons = Annotated[
    list[int] | None,
    typer.Option("--horizon", help="Score this horizon, h; may be repeated. Default: all."),
]
Output = Annotated[Path, typer.Option(help="Where the result goes; it appears when complete.")]
Observations = Annotated[Path | None, existing_file("Made by stations, if the study has them.")]
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
