"""Scoring a trained run with its best weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from airshed.assembly import build_network, device_of
from airshed.config import Study
from airshed.data.dataset import ForecastDataset, loader_options
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.baselines import read_targets
from airshed.evaluation.evaluate import ScoredBatch, evaluate_forecasts, score_accumulator
from airshed.evaluation.scores import write_scores
from airshed.progress import progress
from airshed.provenance import code_commit
from airshed.training.trained import read_run, trained_weights
from airshed.variables import TARGETS


def evaluate_run(study: Study, run: Path, prepared: Prepared, output: Path) -> None:
    """Score a trained run on the test split at each horizon, in physical units.

    Args:
        study: The resolved study.
        run: ``run.json`` of the training; the checkpoint that it names lies beside it.
        prepared: Paths of the prepared data.
        output: Where ``scores.nc`` goes.

    Raises:
        AirshedError: The checkpoint is missing, changed or does not fit, or data do not fit.
    """
    torch.set_num_threads(study.train.threads)
    record = read_run(run)
    network = build_network(study, record["variant"], prepared, record["seed"])
    _load_weights(network, run)
    samples = ForecastDataset(
        prepared.hourly,
        prepared.static,
        prepared.statistics,
        study.splits.test,
        study.horizons_h,
        study.loader.hold,
    )
    accumulator = score_accumulator(study, open_static(prepared.static))
    what = f"scores of {record['variant']}, seed {record['seed']}"
    batches = _forecasts(study, network, samples, prepared)
    total = -(-len(samples) // study.evaluation.batch_size)
    evaluate_forecasts(accumulator, progress(batches, what, total=total))
    scores = accumulator.dataset(
        "variant",
        record["variant"],
        seed=record["seed"],
        study=study.study,
        dataset_name=study.dataset.name,
        data_source=study.dataset.data_source,
        commit=code_commit().sha or "unknown",
    )
    write_scores(scores, output)


def _load_weights(network: nn.Module, run: Path) -> None:
    try:
        network.load_state_dict(trained_weights(run))
    except RuntimeError as error:
        raise AirshedError(
            "the checkpoint does not fit the network",
            where=run,
            found=error,
            hint="train this run again",
        ) from error


def _forecasts(
    study: Study, network: nn.Module, samples: ForecastDataset, prepared: Prepared
) -> Iterator[ScoredBatch]:
    """Forecasts of all samples in their order, in physical units, beside what came true."""
    device = device_of(study)
    network.to(device).eval()
    hourly = open_hourly(prepared.hourly, hours_per_task=None)
    normaliser = Normaliser.read(prepared.statistics, TARGETS)
    loader = DataLoader(
        samples,
        batch_size=study.evaluation.batch_size,
        **loader_options(study.loader, study.train.workers),
    )
    for number, batch in enumerate(loader):
        start = number * study.evaluation.batch_size
        rows = samples.samples.iloc[start : start + len(batch["x"])]
        with torch.inference_mode():
            forecast = network(batch["x"].to(device), batch["lead_hours"].to(device), TARGETS)
        physical = normaliser.inverse(forecast.cpu().numpy().astype(np.float64))
        yield rows, physical, read_targets(hourly, rows["target_index"].to_numpy())
