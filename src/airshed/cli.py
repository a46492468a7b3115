"""The ``airshed`` command: one subcommand for each step of the workflow.

Every step takes the paths that it reads and writes, so that it runs by hand, under ``srun`` and
under Snakemake alike. Heavy libraries are imported by the step that needs them.
"""

from __future__ import annotations

import json
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airshed import __version__
from airshed.errors import AirshedError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Ablation studies of air-quality forecasting transformers. The workflow (snakemake) calls"
        " these steps in order: simulate, ingest, static-fields, patch-elevation, statistics,"
        " scan-tables, train, evaluate, baseline, compare, report, manifest. Each can be run by"
        " hand too."
    ),
)


class Baseline(StrEnum):
    """Forecasts that need no training."""

    persistence = "persistence"
    climatology = "climatology"


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
ScanTables = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Made by scan-tables.")]
Output = Annotated[Path, typer.Option(help="Where the result goes; it appears when complete.")]


@app.callback()
def _main(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback for errors of use too.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    _Settings.debug = debug
    if version:
        typer.echo(__version__)
        raise typer.Exit


class _Settings:
    debug = False


@app.command()
def resolve_config(
    output: Output,
    values: Annotated[str | None, typer.Option(help="The study as JSON.")] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="YAML files, later ones override earlier ones.")
    ] = None,
) -> None:
    """Validate a study's configuration and write it with every default filled in."""
    from airshed.atomic import write_text
    from airshed.config import dump_study, load_study, validate_study

    if (values is None) == (not files):
        raise AirshedError("give either --values or YAML files")
    study = load_study(files or []) if values is None else validate_study(json.loads(values), "-")
    write_text(output, dump_study(study))


@app.command()
def schema(output: Output) -> None:
    """Write the JSON schema of a study's configuration."""
    from airshed.atomic import write_json
    from airshed.config import json_schema

    write_json(output, json_schema())


@app.command()
def simulate(config: Config, output: Output) -> None:
    """Write simulated raw archives in CAQRA's form, with elevation and population."""
    from airshed.config import load_study
    from airshed.simulate import simulate as run

    run(load_study([config]).dataset, output)


@app.command()
def ingest(
    config: Config,
    raw: Raw,
    hourly: Annotated[Path, typer.Option(help="The Zarr store to write.")],
    report: Annotated[Path, typer.Option(help="JSON with hours present, gaps and ranges.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes that read archives.")] = 1,
) -> None:
    """Read raw archives, check units, regrid to the study grid and write one hourly store."""
    from airshed.config import load_study
    from airshed.data.ingest import ingest as run

    run(load_study([config]).dataset, raw, hourly, report, workers)


@app.command()
def static_fields(config: Config, raw: Raw, hourly: Hourly, output: Output) -> None:
    """Bring elevation and population to the study grid, with the domain mask and grid axes."""
    from airshed.config import load_study
    from airshed.data.static import static_fields as run

    run(load_study([config]).dataset, raw, hourly, output)


@app.command()
def patch_elevation(config: Config, static: Static, output: Output) -> None:
    """Pool elevation over the cells of each patch."""
    from airshed.config import load_study
    from airshed.data.patches import patch_elevation as run

    run(static, load_study([config]).model.patch, output)


@app.command()
def statistics(config: Config, hourly: Hourly, static: Static, output: Output) -> None:
    """Mean and standard deviation of each input over the training split and the domain."""
    from airshed.config import load_study
    from airshed.data.statistics import statistics as run

    run(hourly, static, load_study([config]).splits.train, output)


@app.command()
def scan_tables(config: Config, output: Output) -> None:
    """Tables of the wind scans: the order of a region's patches for each wind sector."""
    from airshed.config import load_study
    from airshed.data.scan_tables import scan_tables as run

    study = load_study([config])
    regions = (study.model.regions.rows, study.model.regions.columns)
    run(study.patch_grid, regions, study.model.sectors, study.model.patch, output)


@app.command()
def train(
    variant: Annotated[str, typer.Option(help="Name of the variant, as in config/variants.yaml.")],
    seed: Annotated[int, typer.Option(min=0)],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    run: Annotated[Path, typer.Option(help="run.json; checkpoints/ is made beside it.")],
    history: Annotated[Path, typer.Option(help="CSV with losses and alpha over the steps.")],
    start: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="For a variant with start_from, that variant's run.json of the same seed;"
            " for one with pretrained, its checkpoint.",
        ),
    ] = None,
) -> None:
    """Train one variant with one seed; continues from its last checkpoint if there is one."""
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.training.run import train as run_training

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    run_training(load_study([config]), variant, seed, prepared, start, run, history)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="run.json of a training.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Output,
) -> None:
    """Score a trained run on the test split at each horizon, in physical units."""
    from airshed.config import load_study
    from airshed.data.prepared import Prepared
    from airshed.evaluation.trained import evaluate_run

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    evaluate_run(load_study([config]), run, prepared, output)


@app.command()
def baseline(
    name: Annotated[Baseline, typer.Argument(help="Which baseline.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    output: Output,
) -> None:
    """Score a forecast that needs no training, on the same samples as the trained runs."""
    from airshed.config import load_study
    from airshed.evaluation.evaluate import evaluate_baseline

    evaluate_baseline(load_study([config]), name.value, hourly, static, output)


@app.command()
def compare(
    config: Config,
    scores: Annotated[Path, typer.Option(help="Table of all scores to write.")],
    comparisons: Annotated[Path, typer.Option(help="Table of paired comparisons to write.")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="scores.nc of every run.")],
) -> None:
    """Compare each variant with its reference: change of RMSE, interval, verdict."""
    from airshed.comparison.compare import compare as run
    from airshed.config import load_study

    run(load_study([config]), files, scores, comparisons)


@app.command()
def report(
    config: Config,
    results: Annotated[Path, InputFolder],
    data: Annotated[Path, InputFolder],
    html: Annotated[Path, typer.Option(help="The page to write.")],
    markdown: Annotated[Path, typer.Option(help="The same in Markdown.")],
    figures: Annotated[Path, typer.Option(help="Folder for figures and their data.")],
) -> None:
    """Write the report of a study."""
    from airshed.config import load_study
    from airshed.report import build_report

    build_report(load_study([config]), results, data, html, markdown, figures)


@app.command()
def verdicts(comparisons: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Print the verdicts of a finished study as a table."""
    from airshed.comparison.table import verdict_table

    typer.echo(verdict_table(comparisons))


@app.command()
def manifest(
    config: Config,
    results: Annotated[Path, InputFolder],
    output: Output,
    inputs: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders.")],
) -> None:
    """Write the checksums of a study's inputs and outputs."""
    from airshed.config import load_study
    from airshed.manifest import write_manifest

    write_manifest(load_study([config]), results, inputs, output)


def main() -> None:
    """Run the command; errors of use end in one message and exit code 1."""
    try:
        app()
    except AirshedError as error:
        if _Settings.debug:
            raise
        sys.exit(f"airshed: {error}")


if __name__ == "__main__":
    main()
