"""One training: from prepared data to checkpoints, ``history.csv`` and ``run.json``."""

from __future__ import annotations

import math
from pathlib import Path

from torch.utils.data import DataLoader

from airshed.assembly import build_network
from airshed.atomic import write_json
from airshed.config import Study
from airshed.config.data import Split
from airshed.data.dataset import ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.training.checkpoints import Checkpoints, resumable
from airshed.training.compilation import compile_blocks
from airshed.training.history import History
from airshed.training.module import ForecastModule
from airshed.training.progress import TrainingProgress
from airshed.training.record import identity, run_record
from airshed.training.sampling import ResumableLoader
from airshed.training.start import load_start
from airshed.training.trainer import build_trainer
from airshed.variables import TARGETS


def train(
    study: Study,
    variant: str,
    seed: int,
    prepared: Prepared,
    start: Path | None,
    run: Path,
    history: Path,
) -> None:
    """Train ``variant`` with ``seed``; continue from ``checkpoints/last.ckpt`` if it fits.

    Args:
        study: The resolved study.
        variant: Name of one of its variants.
        seed: Seed of initial weights, order of samples and dropout.
        prepared: Paths of the prepared data.
        start: What the variant's weights start from; see :func:`load_start`.
        run: Where ``run.json`` goes; checkpoints are kept in ``checkpoints/`` beside it.
        history: Where ``history.csv`` goes.

    Raises:
        AirshedError: The data do not fit the study, a checkpoint is damaged, or the loss is not
            finite.
    """
    settings = study.train
    folder = run.parent / "checkpoints"
    samples = _samples(study, prepared, study.splits.train)
    network = build_network(study, variant, prepared, seed)
    started = load_start(network, study, variant, seed, start)
    fingerprint = identity(study, variant, seed, prepared, started)
    options = loader_options(study.loader, settings.workers)
    batches = ResumableLoader(samples, settings.batch_size, seed, **options)
    steps = settings.epochs * math.ceil(len(batches) / settings.accumulate)
    rate = study.learning_rate(variant)
    module = ForecastModule(network, TARGETS, samples.mask, settings, rate, seed, steps)
    events = History(settings.log_every_steps)
    checkpoints = Checkpoints(folder, study.jobs.checkpoint_every_min, fingerprint)
    trainer = build_trainer(settings, [events, TrainingProgress(), checkpoints])
    device = trainer.strategy.root_device
    compiled = compile_blocks(network, settings.compile, device)
    trainer.fit(
        module,
        train_dataloaders=batches,
        val_dataloaders=DataLoader(
            _samples(study, prepared, study.splits.validation),
            batch_size=settings.batch_size,
            **options,
        ),
        ckpt_path=resumable(folder, fingerprint),
        weights_only=True,
    )
    record = run_record(study, variant, seed, network, started, events, device, folder)
    record["compiled"] = compiled
    events.write_csv(history)
    write_json(run, record)


def _samples(study: Study, prepared: Prepared, split: Split) -> ForecastDataset:
    return ForecastDataset(
        prepared.hourly,
        prepared.static,
        prepared.statistics,
        split,
        study.horizons_h,
        study.loader.hold,
    )
