"""The report of a study, and its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import Config, Output, existing_folder


@app.command()
def report(
    config: Config,
    results: Annotated[Path, existing_folder("results/<study>.")],
    data: Annotated[Path, existing_folder("The study's prepared data.")],
    html: Annotated[Path, typer.Option(help="The page to write.")],
    markdown: Annotated[Path, typer.Option(help="The same in Markdown.")],
    figures: Annotated[Path, typer.Option(help="Folder for figures and their data.")],
    tables: Annotated[Path, typer.Option(help="Folder for the tables as LaTeX.")],
) -> None:
    """Write the report of a study."""
    from airshed.graph.notes import making
    from airshed.report.page import build_report

    with making("report", config, html) as study:
        build_report(study, results, data, html, markdown, figures, tables)


@app.command()
def partial_report(
    results: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="One study, results/<study>.")
    ],
) -> None:
    """Write a report of what an unfinished study has so far into its folder `partial`.

    Trainings that are missing are listed with their state. It may be called while the workflow
    runs; no step of the workflow reads what it writes.
    """
    from airshed.cluster.squeue import read_queue
    from airshed.config import load_study
    from airshed.graph.places import Places
    from airshed.report.partial import build_partial_report

    study = load_study([results / "config.resolved.yaml"])
    data = Places(study, results.parent).data
    typer.echo(f"Partial report: {build_partial_report(study, results, data, read_queue())}")


@app.command()
def manifest(
    config: Config,
    results: Annotated[Path, existing_folder("results/<study>.")],
    output: Output,
    inputs: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders.")],
) -> None:
    """Write the checksums of a study's inputs and outputs."""
    from airshed.graph.notes import making
    from airshed.integrity.manifest import write_manifest

    with making("manifest", config, output) as study:
        write_manifest(study, results, inputs, output)


@app.command()
def verify(
    results: Annotated[
        Path, typer.Argument(exists=True, help="results/<study>, finished, or a study's zip file.")
    ],
    inputs: Annotated[
        bool, typer.Option("--inputs/--no-inputs", help="Hash raw and prepared data too.")
    ] = True,
    against: Annotated[
        Path | None,
        existing_folder("Instead, compare scores.csv and comparisons.csv with this study's."),
    ] = None,
) -> None:
    """Hash a study, or its zip file, and name every file that changed, is missing or is new."""
    from airshed.integrity.crate import verify_crate
    from airshed.integrity.verify import compare_numbers, verify_study

    if results.is_file():
        count, checksum = verify_crate(results)
        typer.echo(f"{count} files are what the crate says; checksums {checksum}")
    elif against is None:
        typer.echo(f"{verify_study(results, inputs)} files are what the manifest says")
    else:
        compare_numbers(results, against)
        typer.echo("scores.csv and comparisons.csv are equal, byte for byte")
