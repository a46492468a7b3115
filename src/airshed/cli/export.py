"""A finished study as a file that travels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app


@app.command()
def export(
    results: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="results/<study>, finished.")
    ],
    to: Annotated[Path, typer.Option(help="The zip file to write.")],
    licence: Annotated[
        str | None,
        typer.Option("--license", help="Under which the results are given away: a URL, or words."),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Put the trained networks into it too.")
    ] = False,
) -> None:
    """Write a study as a Workflow Run RO-Crate: tables, report, workflow, a card for each model.

    `airshed verify` checks it, wherever it is. The checksum that is printed at the end stands for
    the whole file: publish it beside it.
    """
    from airshed.config import load_study
    from airshed.export.crate import LICENCE, export_study

    study = load_study([results / "config.resolved.yaml"])
    checksum = export_study(study, results, to, licence or LICENCE, weights)
    typer.echo(f"{to}: {to.stat().st_size / 1e6:.1f} MB, checksums {checksum}")
