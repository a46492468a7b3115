"""Scoring forecasts on the samples of the test split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import xarray as xr

from airshed.config import Study
from airshed.data.climatology import open_climatology
from airshed.data.damping import open_damping
from airshed.data.samples import sample_index
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.archive import ForecastArchive
from airshed.evaluation.baselines import BASELINES, baseline
from airshed.evaluation.baselines.known import Known
from airshed.evaluation.batch import Domain, Forecaster, Scorer
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.loop import Savepoint, batches_of, score_forecasts
from airshed.evaluation.reading import SampleReader
from airshed.evaluation.scores import Kind, Subject, write_scores
from airshed.evaluation.supplement import Supplement
from airshed.graph.identity import hours, identity
from airshed.integrity.provenance import sha256
from airshed.variables import STATIC

PRODUCT_OF: dict[Kind, str] = {
    "baseline": "baseline",
    "external": "external",
    "intervention": "interventions",
}
"""What scores of a kind are among the products; all else are scores of trainings."""


@dataclass(frozen=True)
class Evaluation:
    """What is scored, against what, and where results go.

    Attributes:
        hourly: The hourly store.
        static: The static fields, with the domain mask.
        climatology: Climatology of the training split.
        output: Where ``scores.nc`` goes.
        horizons_h: The horizons to score, of those of the study; all if none is named. The samples
            are the same either way: those of the named horizons among all.
        observations: Observations at stations, if the study has stations.
        supplement: Folder for the results at stations and in episodes; None leaves them out.
        forecasts: Where a Zarr store with the forecasts goes, if anywhere.
        with_observed: Whether that store holds the observed fields as well.
        scorers: Further scorers, by name; they get every batch.
    """

    hourly: Path
    static: Path
    climatology: Path
    output: Path
    horizons_h: tuple[int, ...] = ()
    observations: Path | None = None
    supplement: Path | None = None
    forecasts: Path | None = None
    with_observed: bool = False
    scorers: Mapping[str, Scorer] = field(default_factory=dict)


def evaluate_baseline(
    study: Study, name: str, evaluation: Evaluation, damping: Path | None = None
) -> None:
    """Score a baseline on the samples on which the trained runs are scored.

    Raises:
        AirshedError: The baseline is unknown, or the data do not fit the study.
    """
    if name not in BASELINES:
        raise AirshedError("unknown baseline", expected=", ".join(BASELINES), found=name)
    changing = [each for each in study.inputs if each not in STATIC]
    of = study.target_variables, study.horizons_h
    known = Known(
        study,
        open_hourly(evaluation.hourly, None, [*study.targets, *changing]),
        open_static(evaluation.static)["domain_mask"].values.astype(bool),
        open_climatology(evaluation.climatology, study.target_variables),
        None if damping is None else open_damping(damping, *of),
    )
    evaluate(study, Subject.of(study, "baseline", name, seed=-1), baseline(name)(known), evaluation)


def evaluate(
    study: Study,
    subject: Subject,
    forecaster: Forecaster,
    evaluation: Evaluation,
) -> None:
    """Forecast the test split, score it, and write the results.

    An evaluation that was stopped goes on from its savepoint, a file beside the scores that is
    deleted when they are written. The same forecasts give the same bytes, interrupted or not.

    Raises:
        AirshedError: Data do not fit the study, or the study lacks a horizon.
    """
    hourly = open_hourly(evaluation.hourly, None, study.targets)
    grid = open_static(evaluation.static)
    domain, horizons = Domain.of(grid), _horizons(study, evaluation)
    period = Period(init_times(study), horizons, study.target_variables)
    climatology = open_climatology(evaluation.climatology, period.targets)
    samples = test_samples(study, hourly, horizons)
    wanted = study
    if not evaluation.supplement:
        wanted = study.model_copy(update={"stations": None, "episodes": {}})
    supplement = Supplement(wanted, grid, evaluation.observations, period, climatology)
    gridded = GriddedScores(period, domain, climatology, study.evaluation, wanted.episodes)
    scorers = {"gridded": gridded, **supplement.scorers, **evaluation.scorers}
    archive = None
    if evaluation.forecasts is not None:
        scored = replace(period, init_times=pd.DatetimeIndex(samples["init_time"].unique()))
        of = (evaluation.forecasts, scored, domain, subject)
        scorers["archive"] = archive = ForecastArchive(*of, evaluation.with_observed)
    made = _identity(study, subject, evaluation, scorers)
    savepoint = Savepoint.beside(evaluation.output, made, study)
    score_forecasts(
        batches_of(samples, study.evaluation.batch_size),
        forecaster,
        SampleReader(hourly, study.targets, max(horizons)),
        scorers,
        f"scores of {subject}",
        savepoint,
    )
    scores = supplement.add_to(gridded.dataset(subject))
    if archive is not None:
        archive.publish()
    if evaluation.supplement is not None:
        supplement.write(scores, evaluation.supplement)
    write_scores(scores, evaluation.output)
    savepoint.remove()


def test_samples(study: Study, hourly: xr.Dataset, horizons_h: tuple[int, ...]) -> pd.DataFrame:
    """The samples of the test split at these horizons; the index counts those of all horizons."""
    samples = sample_index(
        pd.DatetimeIndex(hourly["time"].values),
        hourly["present"].values,
        study.splits.test,
        study.horizons_h,
    )
    return samples[samples["horizon_h"].isin(horizons_h)]


def init_times(study: Study) -> pd.DatetimeIndex:
    """All init times that the test split can have.

    A missing one leaves a gap in the scores instead of bringing its neighbours together.
    """
    test = study.splits.test
    return pd.date_range(
        test.start,
        test.end + timedelta(days=1),
        freq=pd.Timedelta(hours=test.init_every_h),
        inclusive="left",
        unit="ns",
    )


def _horizons(study: Study, evaluation: Evaluation) -> tuple[int, ...]:
    unknown = set(evaluation.horizons_h) - set(study.horizons_h)
    if unknown:
        raise AirshedError(
            "a horizon is not one of the study",
            expected=", ".join(f"{horizon} h" for horizon in study.horizons_h),
            found=", ".join(f"{horizon} h" for horizon in sorted(unknown)),
        )
    wanted = evaluation.horizons_h or study.horizons_h
    return tuple(horizon for horizon in study.horizons_h if horizon in wanted)


def _identity(
    study: Study, subject: Subject, evaluation: Evaluation, scorers: Iterable[str]
) -> str:
    """What results depend on; of the hourly fields those of the splits that are read."""
    splits = [study.splits.test, *([study.splits.train] if subject.kind == "baseline" else [])]
    parts = {
        "subject": vars(subject),
        "files": [sha256(path) for path in (evaluation.static, evaluation.climatology)],
        "hours": [hours(evaluation.hourly, split) for split in splits],
        "horizons_h": evaluation.horizons_h,
        "forecasts": [str(evaluation.forecasts), evaluation.with_observed],
        "scorers": sorted(scorers),
    }
    product = PRODUCT_OF.get(subject.kind, "scores")
    return identity(product, study, None, parts)
