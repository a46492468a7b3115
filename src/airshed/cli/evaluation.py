"""Scores, and their comparison."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import (
    Climatology,
    Config,
    Damping,
    Horizons,
    Hourly,
    Observations,
    Output,
    Static,
    StudyFiles,
    SupplementFolder,
    claim_devices,
    existing_file,
    existing_folder,
)
from airshed.evaluation.baselines import BASELINES

Baseline = StrEnum("Baseline", {name: name for name in BASELINES})  # type: ignore[misc]
SaveForecasts = Annotated[
    Path | None,
    typer.Option(help="Archive the forecasts too: NetCDF if it ends in .nc, else Zarr."),
]
OptionalFile = Annotated[Path | None, existing_file("Made by the step of that name.")]
WithTruth = Annotated[
    bool, typer.Option("--with-truth", help="Store the observed fields beside them.")
]


@app.command()
def climatology(config: Config, hourly: Hourly, static: Static, output: Output) -> None:
    """Fit the climatology of each hour of the day and day of the year, from the training split."""
    from airshed.data.climatology import fit_climatology
    from airshed.graph.notes import making

    with making("climatology", config, output, read={"hourly": hourly, "static": static}) as study:
        harmonics = study.climatology.harmonics
        targets = study.target_variables
        fit_climatology(hourly, static, study.splits.train, targets, harmonics, output)


@app.command()
def damping(
    config: Config, hourly: Hourly, static: Static, climatology: Climatology, output: Output
) -> None:
    """Fit how much of an anomaly is left after each horizon, from the training split."""
    from airshed.data.damping import fit_damping
    from airshed.graph.notes import making

    fields = {"hourly": hourly, "static": static}
    with making("damping", config, output, read=fields | {"climatology": climatology}) as study:
        split, horizons, targets = study.splits.train, study.horizons_h, study.target_variables
        fit_damping(hourly, static, climatology, split, horizons, targets, output)


@app.command()
def wind_roses(config: Config, hourly: Hourly, static: Static, output: Output) -> None:
    """Count how often the wind comes from where in parts of the domain, over the test split."""
    from airshed.evaluation.roses import wind_roses as run
    from airshed.graph.notes import making

    with making("wind_roses", config, output, read={"hourly": hourly, "static": static}) as study:
        run(hourly, static, study.splits.test, study.evaluation.wind_speed_edges_ms, output)


@app.command()
def evaluate(
    run: Annotated[Path | None, existing_file("run.json of a training.")] = None,
    config: Annotated[
        list[Path] | None, existing_file("Study, or files with the step's settings.")
    ] = None,
    hourly: Annotated[Path | None, existing_folder("hourly.zarr made by ingest.")] = None,
    static: OptionalFile = None,
    patch_elevation: OptionalFile = None,
    statistics: OptionalFile = None,
    scan_tables: OptionalFile = None,
    climatology: OptionalFile = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the scores go; they appear when complete.")
    ] = None,
    horizon: Horizons = None,
    save_forecasts: SaveForecasts = None,
    with_truth: WithTruth = False,
    observations: Observations = None,
    supplement: SupplementFolder = None,
    take_over: Annotated[
        Path | None,
        existing_file("scores.nc of the same run in another study: use that instead of scoring."),
    ] = None,
    study: StudyFiles = None,
    variant: Annotated[str | None, typer.Option(help="With --study: which variant.")] = None,
    seed: Annotated[int | None, typer.Option(help="With --study: which seed.")] = None,
) -> None:
    """Score a trained run on the test split at each horizon, in physical units.

    Say which run by --study, --variant and --seed, or give every path, as the workflow does. With
    --study the scores are written beside the archived forecasts, or where --output says.
    """
    from airshed.cli.given import Given, of_study
    from airshed.graph.identity import scores_identity
    from airshed.graph.notes import Making, check_read
    from airshed.graph.places import FORECASTS
    from airshed.graph.settings import step_settings
    from airshed.integrity.formats import RUN, read_json

    if study is not None:
        given = of_study(study, variant, seed, output, save_forecasts)
    else:
        paths = (hourly, static, patch_elevation, statistics, scan_tables)
        given = Given.complete(config, run, paths, climatology, output, observations)
    run, prepared = given.run, given.prepared
    read = {"climatology": given.climatology, "observations": given.observations}
    record = read_json(run, RUN)
    check_read("scores", given.config, vars(prepared) | read, record["variant"])
    settings = step_settings(given.config, "scores")
    made = Making("scores", settings, given.output)
    weights = record["checkpoint"]["sha256"]
    identity = scores_identity(settings, weights, prepared, given.climatology, given.observations)
    if take_over is not None:
        from airshed.evaluation.taking_over import take_over_scores

        take_over_scores(identity, take_over, given.output, supplement)
    else:
        claim_devices(settings)
        from airshed.evaluation.evaluate import Evaluation
        from airshed.evaluation.network import evaluate_run

        of = (prepared.hourly, prepared.static, given.climatology, given.output)
        horizons, observed = tuple(horizon or ()), given.observations
        if save_forecasts is None and settings.evaluation.save_forecasts:
            save_forecasts = given.output.with_name(FORECASTS)
        kept = (supplement, save_forecasts, with_truth)
        evaluate_run(settings, run, prepared, Evaluation(*of, horizons, observed, *kept))
    made.done("" if horizon else identity)


@app.command()
def baseline(
    name: Annotated[Baseline, typer.Argument(help="Which baseline.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    climatology: Climatology,
    output: Output,
    damping: Damping = None,
    horizon: Horizons = None,
    save_forecasts: SaveForecasts = None,
    with_truth: WithTruth = False,
    observations: Observations = None,
    supplement: SupplementFolder = None,
) -> None:
    """Score a forecast that needs no network, on the same samples as the trained runs."""
    from airshed.evaluation.evaluate import Evaluation, evaluate_baseline
    from airshed.graph.notes import making

    wanted = (tuple(horizon or ()), observations, supplement, save_forecasts, with_truth)
    evaluation = Evaluation(hourly, static, climatology, output, *wanted)
    fields = {"hourly": hourly, "static": static, "climatology": climatology}
    read = {**fields, "damping": damping, "observations": observations}
    with making("baseline", config, output, read=read) as study:
        evaluate_baseline(study, name.value, evaluation, damping)


@app.command()
def score_tables(
    by_stratum: Annotated[Path, typer.Option(help="Table of scores by stratum to write.")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="scores.nc of every run.")],
) -> None:
    """Write the scores by season, elevation, ruggedness and wind speed as one table."""
    from airshed.evaluation.tables import write_stratum_table

    write_stratum_table(files, by_stratum)


@app.command()
def compare_study(
    config: Config,
    scores: Annotated[Path, typer.Option(help="Table of all scores to write.")],
    comparisons: Annotated[Path, typer.Option(help="Table of paired comparisons to write.")],
    by_score: Annotated[Path, typer.Option(help="Table of those by other scores to write.")],
    files: Annotated[list[Path], typer.Argument(exists=True, help="scores.nc of every run.")],
) -> None:
    """Compare each variant with its reference: change of RMSE, interval, verdict."""
    from airshed.comparison.study import Tables, write_comparisons
    from airshed.comparison.table import overall_verdicts
    from airshed.graph.notes import making
    from airshed.training.mlflow_runs import note_verdicts

    with making("comparison", config, comparisons) as study:
        write_comparisons(study, files, Tables(scores, comparisons, by_score))
    note_verdicts(comparisons.parent, overall_verdicts(comparisons))


@app.command()
def verdicts(comparisons: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Print the verdicts of a finished study as a table."""
    from airshed.comparison.table import verdict_table

    typer.echo(verdict_table(comparisons))
