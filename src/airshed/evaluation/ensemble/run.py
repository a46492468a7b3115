"""All seeds of a variant, forecast and scored together in one pass over the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from airshed.config import Study
from airshed.data.dataset import ForecastDataset
from airshed.data.prepared import Prepared
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Domain
from airshed.evaluation.ensemble.scores import EnsembleScores, Members
from airshed.evaluation.evaluate import init_times, test_samples
from airshed.evaluation.loop import Savepoint, batches_of, score_forecasts
from airshed.evaluation.network import forecaster_of, trained_network
from airshed.evaluation.reading import SampleReader
from airshed.graph.identity import hours, identity
from airshed.integrity.atomic import atomic_path
from airshed.integrity.provenance import sha256
from airshed.training.finished import read_run


def score_ensemble(study: Study, runs: Sequence[Path], prepared: Prepared, output: Path) -> None:
    """Write the scores of an ensemble: one row for each pollutant and horizon.

    An interrupted one goes on from its savepoint, to the same bytes.

    Raises:
        AirshedError: Runs are of several variants or only one, or a checkpoint does not fit.
    """
    torch.set_num_threads(study.train.threads)
    records = [read_run(run) for run in runs]
    variants = sorted({str(record["variant"]) for record in records})
    if len(variants) != 1 or len(runs) < 2:
        raise AirshedError(
            "an ensemble is made of several seeds of one variant",
            expected="run.json of two seeds or more",
            found=f"{len(runs)} of {', '.join(variants)}",
        )
    samples = ForecastDataset.of(study, prepared, study.splits.test, study.loader.hold)
    networks = [trained_network(study, run, prepared) for run in runs]
    members = Members(
        [forecaster_of(study, one, samples, prepared, reference) for one, reference in networks]
    )
    hourly = open_hourly(prepared.hourly, None, study.targets)
    horizons = tuple(study.horizons_h)
    period = Period(init_times(study), horizons, study.target_variables)
    scores = EnsembleScores(period, Domain.of(open_static(prepared.static)).mask, members)
    parts = {
        "weights": [record["checkpoint"]["sha256"] for record in records],
        "files": [sha256(path) for path in prepared.small_files().values()],
        "hours": hours(prepared.hourly, study.splits.test),
    }
    made = identity("ensemble", study, variants[0], parts)
    savepoint = Savepoint.beside(output, made, study)
    score_forecasts(
        batches_of(test_samples(study, hourly, horizons), study.evaluation.batch_size),
        members,
        SampleReader(hourly, study.targets, max(horizons)),
        {"ensemble": scores},
        f"ensemble of {variants[0]}",
        savepoint,
    )
    with atomic_path(output) as temporary:
        scores.table(variants[0]).to_csv(temporary, index=False)
    savepoint.remove()
