"""The report of a study that is not finished: what is there, and the state of the rest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airshed.cluster.squeue import Queue
from airshed.cluster.status import State, TrainingStatus, study_status
from airshed.comparison.study import Tables, write_available_comparisons
from airshed.config import Study
from airshed.config.interventions import InterventionsConfig
from airshed.errors import AirshedError
from airshed.evaluation.roses import wind_roses
from airshed.evaluation.tables import write_stratum_table
from airshed.graph.places import Places
from airshed.integrity.atomic import atomic_path
from airshed.report.loading import load_results
from airshed.report.page import write_report
from airshed.report.results import Unfinished
from airshed.side_by_side.runs import model_settings, trained_in

FOLDER = "partial"  # beside the study's own report, which it never replaces
Run = tuple[str, int]


def build_partial_report(study: Study, results: Path, data: Path, queue: Queue) -> Path:
    """Write the report of what a study has so far into the folder ``partial`` of its results.

    Nothing else is written, and no step of the workflow reads it.

    Returns:
        The page.

    Raises:
        AirshedError: No run is scored yet, or all are.
    """
    missing = _missing(study, results, study_status(study, results, queue))
    wanted = [(variant, seed) for variant in study.variants for seed in study.seeds]
    lacking = {(entry.variant, entry.seed) for entry in missing}
    there = [run for run in wanted if run not in lacking]
    _check_worth_it(results, missing, there)
    reduced = available_study(study, there)
    baselines = sorted(results.glob("baselines/*/scores.nc"))
    scored = [results / "variants" / name / f"seed{seed}" / "scores.nc" for name, seed in there]
    with atomic_path(results / FOLDER) as folder:
        folder.mkdir()
        files = [*scored, *baselines]
        write_available_comparisons(reduced, files, Tables.within(folder))
        write_stratum_table(files, folder / "scores_by_stratum.csv")
        _provide_wind_roses(reduced, results, data, folder / "wind_roses.nc")
        found = load_results(reduced, results, data, runs=there, tables=folder)
        write_report(
            replace(found, unfinished=tuple(missing)),
            folder / "report.html",
            folder / "report.md",
            folder / "figures",
            folder / "tables",
        )
    return results / FOLDER / "report.html"


def available_study(study: Study, there: Sequence[Run]) -> Study:
    """The study without what is missing.

    Variants without a seed are left out, and so are comparisons with them, and what is made of all
    forecasts at once: interventions, stations, other forecasts, episodes and ensembles.
    """
    variants = [name for name in study.variants if any(run[0] == name for run in there)]
    changes: dict[str, Any] = {
        "variants": variants,
        "seeds": [seed for seed in study.seeds if any(run[1] == seed for run in there)],
        "variant_stanzas": {
            name: stanza
            if stanza.reference in variants
            else stanza.model_copy(update={"reference": None})
            for name, stanza in study.variant_stanzas.items()
        },
        "evaluation": study.evaluation.model_copy(update={"ensemble": False}),
    }
    changes |= {"interventions": InterventionsConfig(), "stations": None}
    return study.model_copy(update=changes | {"external": {}, "episodes": {}})


def _provide_wind_roses(study: Study, results: Path, data: Path, output: Path) -> None:
    """Those of the study where it has them already, else new ones."""
    made = results / output.name
    if made.is_file():
        shutil.copy(made, output)
        return
    edges = study.evaluation.wind_speed_edges_ms
    static = data / Places(study).static.name
    wind_roses(data / "hourly.zarr", static, study.splits.test, edges, output)


def _missing(study: Study, results: Path, statuses: Sequence[TrainingStatus]) -> list[Unfinished]:
    found = []
    for row in statuses:
        state, advice = _state(row), row.advice
        if row.state is State.DONE and row.scored:
            changed = _changed_settings(study, results, row)
            if not changed:
                continue
            state = f"trained with other settings: {', '.join(changed)}"
        found.append(Unfinished(row.variant, row.seed, state, advice or "run snakemake"))
    return found


def _state(row: TrainingStatus) -> str:
    """How far a training is, in words."""
    if row.state is State.DONE:
        return "trained, not scored"
    if row.state is State.WAITING:
        return "not started"
    progress = row.facts.progress
    epoch = (
        f" in epoch {progress['epoch']} of {progress['epochs']}" if progress.get("epochs") else ""
    )
    step = f", step {progress['step']} of {progress['steps']}" if progress.get("steps") else ""
    message = f": {row.message}" if row.message else ""
    return f"{row.state}{epoch}{step}{message}"


def _changed_settings(study: Study, results: Path, row: TrainingStatus) -> list[str]:
    """Settings that a finished training had otherwise than the study has them now."""
    folder = results / "variants" / row.variant / f"seed{row.seed}"
    (then,) = (trained.settings() for trained in trained_in(folder).values())
    now = model_settings(study.model_dump(mode="json"), row.variant)
    return sorted(key for key in {*then, *now} if str(then.get(key)) != str(now.get(key)))


def _check_worth_it(results: Path, missing: Sequence[Unfinished], there: Sequence[Run]) -> None:
    if not missing:
        raise AirshedError(
            "every training of the study is finished and scored",
            where=results,
            hint="run snakemake: it makes the report of the whole study",
        )
    if not there:
        raise AirshedError(
            "no training of the study is finished and scored yet, so there is nothing to report",
            where=results,
            found="; ".join(f"{one.variant}, seed {one.seed}: {one.state}" for one in missing),
            hint="airshed status shows how far trainings are",
        )
