"""A study as a whole: what it will take, how far it is, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airshed.cli.app import app
from airshed.cli.options import StudyFiles, named_study
from airshed.errors import AirshedError

if TYPE_CHECKING:
    from airshed.config import Study

RESULTS = Path("results")


@app.command()
def plan(study: StudyFiles = None) -> None:
    """Print what a study still has to do and will take, before anything is submitted."""
    show_plan(study or [])


def show_plan(files: list[Path]) -> None:
    """Print the plan of the study that YAML files give."""
    from airshed.cluster.dryrun import planned_jobs
    from airshed.cluster.plan import plan_study
    from airshed.cluster.plan_table import show
    from airshed.graph.study import StudyGraph

    resolved = named_study(files)
    for line in StudyGraph(resolved).notices():
        typer.echo(line)
    show(plan_study(resolved, planned_jobs(files), RESULTS))


@app.command()
def status(
    folder: Annotated[
        Path | None, typer.Argument(exists=True, file_okay=False, help="One study's results.")
    ] = None,
    study: StudyFiles = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between refreshes.")] = 5,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also the measurements of attention paths.")
    ] = False,
) -> None:
    """Show what every training, data step and scoring of a study does, and how far it is.

    Without arguments it shows every study below results/. It reads files and SLURM's queue, and
    writes nothing.
    """
    from airshed.cluster import table
    from airshed.cluster.squeue import read_queue
    from airshed.cluster.status import study_status
    from airshed.cluster.steps import data_steps, scoring_steps

    studies = _studies(folder, study)

    def read() -> table.Statuses:
        queue = read_queue()
        return {
            found.study: table.StudyStatus(
                study_status(found, results, queue),
                scoring_steps(found, results, queue),
                data_steps(found, results, queue),
            )
            for results, found in studies.items()
        }

    if watch:
        table.watch(read, every)
    else:
        table.show(read(), verbose)


@app.command()
def remove(
    study: Annotated[Path, typer.Argument(help="Name of the study, or its folder.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a study, and the prepared data that no other study depends on.

    It lists what will be removed and the space that this frees, and asks. Raw data that were not
    simulated are never touched.
    """
    from airshed.removal import CONFIG, plan_removal

    planned = plan_removal(study if (study / CONFIG).exists() else RESULTS / study)
    for path in planned.going:
        typer.echo(f"goes:   {path}")
    for path, others in planned.staying.items():
        typer.echo(f"stays:  {path} (needed by {', '.join(others)})")
    typer.echo(f"{planned.freed_bytes() / 1e9:.2f} GB become free; this cannot be undone.")
    if yes or typer.confirm("Remove?"):
        planned.carry_out()


def _studies(folder: Path | None, files: list[Path] | None) -> dict[Path, Study]:
    """Each study that is asked for, by its results folder."""
    from airshed.config import load_study

    if files:
        study = named_study(files)
        return {RESULTS / study.study: study}
    pattern = RESULTS.glob("*") if folder is None else [folder]
    found = [path for path in pattern if (path / "config.resolved.yaml").exists()]
    if not found:
        raise AirshedError(
            "there is no study to show",
            where=folder or RESULTS,
            expected="config.resolved.yaml, which snakemake writes when it starts",
            hint="give its YAML file with --study, or start it with snakemake",
        )
    return {path: load_study([path / "config.resolved.yaml"]) for path in sorted(found)}
