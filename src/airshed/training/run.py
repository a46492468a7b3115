"""One training: from prepared data to checkpoints, ``history.csv`` and ``run.json``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_fabric import Fabric

from airshed.assembly import build_network
from airshed.config import Study
from airshed.config.data import Split
from airshed.data.dataset import ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError, brief
from airshed.graph.identity import training_identity
from airshed.graph.notes import Making
from airshed.integrity.atomic import write_json
from airshed.training.attempts import DONE, FAILED, INTERRUPTED, Attempts
from airshed.training.checkpoints import Checkpoints
from airshed.training.compilation import compile_blocks
from airshed.training.fabric import launch_fabric, lost_connection, shared_store, told_by_first
from airshed.training.history import History
from airshed.training.kept import keep
from airshed.training.learned import learned
from airshed.training.loop import Keepers, Samples, Training
from airshed.training.processes import PARENT, Processes
from airshed.training.progress import TrainingProgress
from airshed.training.readers import reader_died, without_remote_traceback
from airshed.training.record import run_record
from airshed.training.scalars import scalar_writer
from airshed.training.start import load_start
from airshed.training.stopping import InterruptedTrainingError, StopRequest
from airshed.training.watchdog import Watchdog
from airshed.variables import TARGETS

ONE_PROCESS = Processes()


class Endings(list[Callable[[str, str | None], None]]):
    """Who is told how a training ended: its state, and why."""

    def tell(self, state: str, reason: str | None = None) -> None:
        """Tell everyone."""
        for ending in self:
            ending(state, reason)


def train(
    study: Study,
    variant: str,
    seed: int,
    prepared: Prepared,
    start: Path | None,
    run: Path,
    history: Path,
    stop: StopRequest,
    processes: Processes = ONE_PROCESS,
    whole: Study | None = None,
) -> None:
    """Train ``variant`` with ``seed``; continue from the checkpoints beside ``run`` if they fit.

    Args:
        study: The resolved study, or what of it shapes a training and how it is done.
        variant: Name of one of its variants.
        seed: Seed of initial weights, order of samples and dropout, the variant's ``seed_offset``
            apart.
        prepared: Paths of the prepared data.
        start: What the variant's weights start from; see :func:`load_start`.
        run: Where ``run.json`` goes; ``checkpoints/`` and ``progress.json`` are kept beside it.
        history: Where ``history.csv`` goes.
        stop: Notes the signals that ask to stop.
        processes: How many processes train together; each of them calls this function.
        whole: The study as ``run.json`` keeps it, if ``study`` is a part of it.

    Raises:
        AirshedError: The data do not fit the study, no checkpoint can be read, the loss is not
            finite, or another process is lost.
        InterruptedTrainingError: A signal asked to stop.
    """
    settings, folder = study.train, run.parent / "checkpoints"
    fabric = launch_fabric(settings, processes)
    facts = {"variant": variant, "seed": seed, **vars(processes)}
    progress = TrainingProgress(run.with_name("progress.json"), facts, fabric.is_global_zero)
    endings = Endings([progress.end])
    with _told(endings, stop, fabric), _watchdog(settings.timeout_min, fabric, endings) as dog:
        random_seed = study.random_seed(variant, seed)
        network = build_network(study, variant, prepared, random_seed)
        dog.beat(0, "preparing the start")
        started = load_start(network, study, variant, seed, start)
        at_start = learned(network)
        weights = None if started is None else str(started["sha256"])
        fingerprint = training_identity(study, variant, seed, prepared, weights)
        compiled = compile_blocks(network, settings.compile, fabric.device)
        notes = History(settings.log_every_steps)
        checkpoints = Checkpoints(folder, study.jobs.checkpoint_every_min, fingerprint)
        keepers = Keepers(checkpoints, notes, progress, stop, dog)
        dog.beat(0, "preparing samples")
        rate, samples = study.learning_rate(variant), _samples(study, prepared)
        training = Training(fabric, network, samples, settings, rate, random_seed, keepers)
        dog.beat(0, "reading checkpoints")
        training.resume()
        note = Making("training", study, run, variant) if fabric.is_global_zero else None
        attempts = Attempts(folder / "attempts.json", fingerprint)
        told_by_first(fabric, lambda: attempts.begin(*training.position))
        progress.begin(*training.position, training.total_steps, settings.epochs, len(attempts))
        if fabric.is_global_zero:
            endings.append(attempts.end)
            if settings.tensorboard:
                notes.listener = scalar_writer(run.with_name("tensorboard"), training.step)
        training.run()
        found = learned(network).since(at_start)
        if note is not None:
            record = run_record(
                *(whole or study, variant, seed, network, started, notes, found),
                *(fabric.device, folder),
            )
            notes.write_csv(history)
            write_json(
                run, record | {"compiled": compiled, "identity": fingerprint} | vars(processes)
            )
            keep(run, history)
            note.done()


def _samples(study: Study, prepared: Prepared) -> Samples:
    def of(split: Split) -> ForecastDataset:
        return ForecastDataset(
            prepared.hourly,
            prepared.static,
            prepared.statistics,
            split,
            study.horizons_h,
            study.loader.hold,
        )

    train = of(study.splits.train)
    options = loader_options(study.loader, study.train.workers)
    return Samples(train, of(study.splits.validation), train.mask, TARGETS, options)


def _watchdog(timeout_min: float, fabric: Fabric, endings: Endings) -> Watchdog:
    parent = os.environ.get(PARENT)
    return Watchdog(
        60 * timeout_min,
        fabric.global_rank,
        shared_store(fabric),
        fabric.world_size,
        None if parent is None else int(parent),
        lambda message: endings.tell(FAILED, message),
    )


@contextmanager
def _told(endings: Endings, stop: StopRequest, fabric: Fabric) -> Iterator[None]:
    """Tell how the block ends; an error is raised as what it means to the user."""
    try:
        yield
    except BaseException as error:
        state, meant = _meaning(error, stop, fabric)
        endings.tell(state, str(meant) or type(meant).__name__)
        if meant is error:
            raise
        raise meant from error
    endings.tell(DONE)


def _meaning(error: BaseException, stop: StopRequest, fabric: Fabric) -> tuple[str, BaseException]:
    if isinstance(error, InterruptedTrainingError):
        return INTERRUPTED, error
    if isinstance(error, AirshedError):
        return FAILED, without_remote_traceback(error)
    if not isinstance(error, Exception):
        return FAILED, error
    if stop.received is not None:  # what a job that is being ended takes down with it
        saved = f"stopped by {stop.received}, continues from the last checkpoint ({brief(error)})"
        return INTERRUPTED, InterruptedTrainingError(saved)
    if lost_connection(error):
        lost = AirshedError(
            "another process of the training is gone",
            where=f"seen by process {fabric.global_rank} of {fabric.world_size}",
            found=brief(error),
            hint="the messages of the other processes say why",
        )
        return FAILED, lost
    return FAILED, reader_died(error) or error
