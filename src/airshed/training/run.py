"""One training: from prepared data to checkpoints, ``history.csv`` and ``run.json``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from airshed.assembly import build_network
from airshed.config import Study
from airshed.config.data import Split
from airshed.data.dataset import ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.data.reference import Reference, open_reference
from airshed.errors import AirshedError, brief
from airshed.graph.identity import training_identity
from airshed.graph.notes import Making
from airshed.integrity.atomic import write_text
from airshed.training.attempts import DONE, FAILED, INTERRUPTED, Attempts
from airshed.training.attention import agreed_attention
from airshed.training.checkpoints import Checkpoints
from airshed.training.compilation import compile_blocks
from airshed.training.fabric import launch_fabric, lost_connection, result_of_first, shared_store
from airshed.training.finished import REFERENCE
from airshed.training.history import History
from airshed.training.learned import learned
from airshed.training.lightning import Fabric
from airshed.training.loop import Samples, Services, Training
from airshed.training.memory import device_memory_error, device_name
from airshed.training.processes import PARENT, Processes
from airshed.training.progress import TrainingProgress
from airshed.training.readers import reader_died, without_remote_traceback
from airshed.training.record import outcome
from airshed.training.reuse import CHECKPOINTS, TrainingRequest
from airshed.training.start import load_start
from airshed.training.stopping import InterruptedTrainingError, StopRequest
from airshed.training.trackers import Ending, track
from airshed.training.watchdog import Watchdog

ONE_PROCESS = Processes()
Meaning = Callable[[Exception], AirshedError | None]
Tracked = Callable[[History, int], list[Ending]]


class Endings(list[Ending]):
    """Functions that are called with how a training ended: its state, and why."""

    def notify(self, state: str, reason: str | None = None) -> None:
        """Call all of them."""
        for ending in self:
            ending(state, reason)


def train(request: TrainingRequest, stop: StopRequest, processes: Processes = ONE_PROCESS) -> None:
    """Train a variant with a seed; continue from the checkpoints beside its run if they fit.

    What came out is kept beside the checkpoints before anything is written: if this or what follows
    is interrupted or asked for again, the same record and history are written, and nothing is
    trained. Then the states to continue from are removed, unless ``jobs.keep_states`` is set.

    Args:
        request: What is trained, and where results go.
        stop: Notes the signals that ask to stop.
        processes: How many processes train together; each of them calls this function.

    Raises:
        AirshedError: The data do not fit the study, no checkpoint can be read, the loss is not
            finite, or another process is lost.
        InterruptedTrainingError: A signal asked to stop.
    """
    study, variant, seed, run = request.study, request.variant, request.seed, request.run
    prepared, settings, folder = request.prepared, study.train, run.parent / CHECKPOINTS
    fabric = launch_fabric(settings, processes)
    facts = {"variant": variant, "seed": seed, **vars(processes)}
    progress = TrainingProgress(run.with_name("progress.json"), facts, fabric.is_global_zero)
    endings = Endings([progress.end])
    unfit = partial(device_memory_error, study, variant, processes, fabric.device, run)
    with (
        _recorded_ending(endings, stop, fabric, unfit),
        _watchdog(settings.timeout_min, fabric, endings) as dog,
    ):
        random_seed = study.random_seed(variant, seed)
        attention = result_of_first(fabric, lambda: agreed_attention(study, variant, folder))
        network = build_network(study, variant, prepared, random_seed, attention.paths)
        dog.beat(0, "preparing the start")
        started = load_start(network, study, variant, seed, request.start)
        weights = None if started is None else str(started["sha256"])
        fingerprint = training_identity(study, variant, seed, prepared, weights)
        at_start = learned(network)
        compiled = compile_blocks([network], settings.compile, fabric.device)
        notes = History(settings.log_every_steps)
        reference = open_reference(study, prepared)
        with_it = {} if reference is None else {REFERENCE: reference.state()}
        checkpoints = Checkpoints(folder, study.jobs.checkpoint_every_min, fingerprint, with_it)
        attempts = Attempts(folder / "attempts.json", fingerprint, device_name(fabric.device))
        services = Services(checkpoints, notes, progress, stop, dog)
        dog.beat(0, "preparing samples")
        rates = study.learning_rate(variant), study.strength_learning_rate(variant)
        samples = _samples(study, prepared, reference)
        training = Training(fabric, network, samples, settings, *rates, random_seed, services)
        note = Making("training", study, run, variant) if fabric.is_global_zero else None
        tracked = partial(track, request)
        _run(training, attempts, endings, tracked)
        found = learned(network).since(at_start) | {"reach": training.strength_reach}
        if note is not None:
            # before the record, which takes longer: it asks git, and hashes the best weights
            write_text(request.history, notes.csv())
            record = outcome(study, variant, network, started, notes, found, fabric.device, folder)
            record |= {"compiled": compiled, "attention": attention.found, "identity": fingerprint}
            finished = record | vars(processes), notes.csv()
            checkpoints.finish(*finished)
            request.write(*finished)
            note.done()
            if not study.jobs.keep_states:
                checkpoints.remove_states()


def _run(training: Training, attempts: Attempts, endings: Endings, tracked: Tracked) -> None:
    """Continue a training where its checkpoints lead, to its end."""
    fabric, settings, services = training.fabric, training.settings, training.services
    services.watchdog.beat(0, "reading checkpoints")
    training.resume()
    services.stop.defer()  # from here on a start is noted, and so has to be how it ends
    result_of_first(fabric, lambda: attempts.begin(*training.position))
    steps, epochs = training.total_steps, settings.epochs
    services.progress.recall(services.history)
    services.progress.begin(*training.position, steps, epochs, len(attempts))
    if fabric.is_global_zero:
        endings.append(attempts.end)
        endings += tracked(services.history, training.step)
    training.run()


def _samples(study: Study, prepared: Prepared, reference: Reference | None) -> Samples:
    def of(split: Split) -> ForecastDataset:
        return ForecastDataset.of(study, prepared, split, study.loader.hold, reference)

    train = of(study.splits.train)
    options = loader_options(study.loader, study.train.workers)
    return Samples(train, of(study.splits.validation), train.mask, study.targets, options)


def _watchdog(timeout_min: float, fabric: Fabric, endings: Endings) -> Watchdog:
    parent = os.environ.get(PARENT)
    return Watchdog(
        60 * timeout_min,
        fabric.global_rank,
        shared_store(fabric),
        fabric.world_size,
        None if parent is None else int(parent),
        lambda message: endings.notify(FAILED, message),
    )


@contextmanager
def _recorded_ending(
    endings: Endings, stop: StopRequest, fabric: Fabric, unfit: Meaning
) -> Iterator[None]:
    """Record how the block ends; an error is raised as what it means to the user."""
    try:
        yield
    except BaseException as error:
        state, meant = _meaning(error, stop, fabric, unfit)
        endings.notify(state, str(meant) or type(meant).__name__)
        if meant is error:
            raise
        raise meant from error
    endings.notify(DONE)


def _meaning(
    error: BaseException, stop: StopRequest, fabric: Fabric, unfit: Meaning
) -> tuple[str, BaseException]:
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
    return FAILED, unfit(error) or reader_died(error) or error
