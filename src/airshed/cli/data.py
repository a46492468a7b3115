"""From raw archives to what training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import Config, Hourly, Output, Raw, Static, Workers


@app.command()
def simulate(config: Config, output: Output) -> None:
    """Write simulated raw archives in CAQRA's form, with elevation and population."""
    from airshed.graph.notes import making
    from airshed.simulate import simulate as run

    with making("raw", config, output) as study:
        run(study.dataset, output)


@app.command()
def ingest(
    config: Config,
    raw: Raw,
    hourly: Annotated[Path, typer.Option(help="The Zarr store to write.")],
    report: Annotated[Path, typer.Option(help="JSON with hours present, gaps and ranges.")],
    quality: Annotated[Path, typer.Option(help="CSV of what was found, by month and variable.")],
    workers: Workers = 1,
) -> None:
    """Read raw archives, check units and quality, regrid to the study grid, write one store."""
    from airshed.data.ingest import Outputs
    from airshed.data.ingest import ingest as run
    from airshed.graph.notes import making

    with making("hourly", config, hourly, read={"raw": raw}) as study:
        run(study.dataset, raw, Outputs(hourly, report, quality), study.preprocessing, workers)


@app.command()
def static_fields(config: Config, raw: Raw, hourly: Hourly, output: Output) -> None:
    """Bring elevation and population to the study grid, with the domain mask and grid axes."""
    from airshed.data.static import static_fields as run
    from airshed.graph.notes import making

    with making("static", config, output, read={"raw": raw, "hourly": hourly}) as study:
        run(study.dataset, raw, hourly, output)


@app.command()
def patch_elevation(config: Config, static: Static, output: Output) -> None:
    """Pool elevation over the cells of each patch."""
    from airshed.data.patch_grid import patch_elevation as run
    from airshed.graph.notes import making

    with making("patch_elevation", config, output, read={"static": static}) as study:
        run(static, study.model.patch, output)


@app.command()
def statistics(
    config: Config, hourly: Hourly, static: Static, output: Output, workers: Workers = 1
) -> None:
    """Mean and standard deviation of each input over training split and domain."""
    from airshed.data.statistics import statistics as run
    from airshed.graph.notes import making

    with making("statistics", config, output, read={"hourly": hourly, "static": static}) as study:
        train, normalisation = study.splits.train, study.normalisation
        run(hourly, static, train, normalisation, study.preprocessing, workers, output)


@app.command()
def scan_tables(config: Config, output: Output) -> None:
    """Tables of the wind scans: the order of a region's patches for each wind sector."""
    from airshed.data.patch_grid import scan_tables as run
    from airshed.graph.notes import making

    with making("scan_tables", config, output) as study:
        regions = (study.model.regions.rows, study.model.regions.columns)
        run(study.patch_grid, regions, study.model.sectors, study.model.patch, output)
