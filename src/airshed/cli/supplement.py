"""Supplements to the scores: interpretation, interventions, ensembles, stations, episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import (
    Climatology,
    Config,
    Hourly,
    Observations,
    Output,
    PatchElevation,
    RunFile,
    ScanTables,
    Static,
    Statistics,
    SupplementFolder,
    claim_devices,
)

Folders = Annotated[
    list[Path],
    typer.Argument(exists=True, file_okay=False, help="Folder 'supplement' of every run."),
]


@app.command()
def interpret(
    run: RunFile,
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Annotated[
        Path | None, typer.Option(help="Default: interpretation.json beside run.json.")
    ] = None,
) -> None:
    """Does a trained run use its bias? Losses with alpha at 0 and doubled; attention moved."""
    from airshed.data.prepared import Prepared
    from airshed.graph.notes import making
    from airshed.integrity.formats import RUN, read_json

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    target = run.with_name("interpretation.json") if output is None else output
    variant = read_json(run, RUN)["variant"]
    with making("interpretation", config, target, variant, read=vars(prepared)) as study:
        claim_devices(study)
        from airshed.evaluation.interpretation import interpret as run_interpretation

        run_interpretation(study, run, prepared, target)


@app.command()
def intervene(
    run: RunFile,
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    climatology: Climatology,
    output: Annotated[
        Path, typer.Option(help="List of what was scored; scores lie in a folder of its name.")
    ],
) -> None:
    """Score a trained run with fields or the strength of its bias changed, as the study says."""
    from airshed.data.prepared import Prepared
    from airshed.graph.notes import making
    from airshed.integrity.formats import RUN, read_json

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    read, variant = vars(prepared) | {"climatology": climatology}, read_json(run, RUN)["variant"]
    with making("interventions", config, output, variant, read=read) as study:
        claim_devices(study)
        from airshed.evaluation.interventions.run import intervene as score

        score(study, run, prepared, climatology, output)


@app.command()
def ensemble(
    config: Config,
    hourly: Hourly,
    static: Static,
    patch_elevation: PatchElevation,
    statistics: Statistics,
    scan_tables: ScanTables,
    output: Output,
    runs: Annotated[list[Path], typer.Argument(exists=True, help="run.json of every seed.")],
) -> None:
    """Score the seeds of a variant as an ensemble, on the test split."""
    from airshed.data.prepared import Prepared
    from airshed.graph.notes import making
    from airshed.integrity.formats import RUN, read_json

    prepared = Prepared(hourly, static, patch_elevation, statistics, scan_tables)
    variant = read_json(runs[0], RUN)["variant"]
    with making("ensemble", config, output, variant, read=vars(prepared)) as study:
        claim_devices(study)
        from airshed.evaluation.ensemble.run import score_ensemble

        score_ensemble(study, runs, prepared, output)


@app.command()
def interventions_table(
    config: Config,
    output: Output,
    files: Annotated[
        list[Path], typer.Argument(exists=True, help="interventions.json of every run.")
    ],
) -> None:
    """Compare trained runs under interventions with the same runs as they are."""
    from airshed.comparison.interventions import write_interventions
    from airshed.graph.notes import making

    with making("interventions_table", config, output) as study:
        write_interventions(study, files, output)


@app.command()
def stations(
    config: Config,
    static: Static,
    output: Output,
    report: Annotated[Path, typer.Option(help="Where the counts of rejected observations go.")],
    tables: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Tables of observations.")
    ],
) -> None:
    """Read, check and match observations at stations, for forecasts to be scored against."""
    from airshed.errors import AirshedError
    from airshed.evaluation.stations.observations import write_observations
    from airshed.graph.notes import making

    with making("observations", config, output, read={"static": static}) as study:
        if study.stations is None:
            raise AirshedError(
                "the study has no stations",
                where=", ".join(map(str, config)),
                hint="add the section 'stations'",
            )
        write_observations(study, study.stations, tables, static, output, report)


@app.command()
def stations_summary(output: Output, folders: Folders) -> None:
    """Write one table of the scores at stations of a whole study."""
    from airshed.evaluation.summaries import write_stations

    write_stations([folder / "stations.csv" for folder in folders], output)


@app.command()
def episodes_table(output: Output, folders: Folders) -> None:
    """Write one table of the scores in episodes of a whole study."""
    from airshed.evaluation.summaries import write_episodes

    write_episodes([folder / "episodes.csv" for folder in folders], output)


@app.command()
def external(
    name: Annotated[str, typer.Argument(help="Name of the forecast in section 'external'.")],
    config: Config,
    hourly: Hourly,
    static: Static,
    climatology: Climatology,
    output: Output,
    observations: Observations = None,
    supplement: SupplementFolder = None,
) -> None:
    """Score somebody else's forecast on the samples and cells of the trained runs."""
    from airshed.evaluation.evaluate import Evaluation
    from airshed.evaluation.external.forecaster import evaluate_external
    from airshed.graph.notes import making

    evaluation = Evaluation(hourly, static, climatology, output, (), observations, supplement)
    fields = {"hourly": hourly, "static": static}
    read = {**fields, "climatology": climatology, "observations": observations}
    with making("external", config, output, name, read=read) as study:
        evaluate_external(study, name, evaluation)


@app.command()
def external_table(
    output: Output,
    files: Annotated[list[Path], typer.Argument(exists=True, help="scores.nc of every run.")],
) -> None:
    """Write the RMSE of every run on the samples of each external forecast."""
    from airshed.evaluation.external.common import write_common_table

    write_common_table(files, output)
