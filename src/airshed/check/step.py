"""Time and memory of an optimiser step at the study's size, on random fields."""

from __future__ import annotations

from functools import partial

import torch

from airshed.bench.variants import batch_of, step_of
from airshed.check.exchange import exchange_seconds
from airshed.check.finding import Finding, fine, slow
from airshed.check.training import CheckedTraining, median_seconds
from airshed.cluster.plan import training_steps
from airshed.errors import AirshedError
from airshed.training.compilation import compile_blocks
from airshed.training.memory import device_memory_error, peak_memory_mb

STRAGGLING = 1.2  # times the median of all processes
NEARLY_ALL = 0.9  # of a memory


def step(training: CheckedTraining) -> Finding:
    """What a step takes beside the limits of the job, and which process all others wait for."""
    measured = training.together(partial(_measured, training))
    seconds, megabytes = measured[training.fabric.global_rank]
    everywhere = sorted(each for each, _ in measured)
    exchanged = exchange_seconds(training)
    pace = everywhere[-1] + exchanged
    hours = training_steps(training.study) * pace / 3600
    has, what, todo = _memory(training)
    took = f"{pace:.3g} s and {megabytes:,.0f} of {has:,.0f} MB of {what}"
    summary = f"{took}: {hours:.3g} h for a training"
    if exchanged > everywhere[-1]:
        return slow(
            f"{summary}, most of it for exchanging gradients",
            "train on fewer devices, or look at the network between the machines",
        )
    if seconds > STRAGGLING * everywhere[len(everywhere) // 2]:
        return slow(
            f"{summary}; here a step takes {seconds:.3g} s, elsewhere {everywhere[0]:.3g} s",
            "leave this machine out (slurm_extra: --exclude=... in site.yaml)",
        )
    if megabytes > NEARLY_ALL * has:
        return slow(summary, todo)
    limit_h = training.study.jobs.request(training.variant).runtime_min / 60
    if hours > limit_h:
        return slow(
            summary,
            f"raise jobs.runtime_min: {limit_h:.3g} h end it before, and each retry continues it",
        )
    return fine(summary)


def _measured(training: CheckedTraining) -> tuple[float, float]:
    """Seconds of a step without the exchange, and the most memory that was taken, MB.

    One micro-batch stands for all that a step accumulates.
    """
    study, device = training.study, training.device
    single = study.train.model_copy(update={"global_batch_size": study.train.batch_size})
    study = study.model_copy(update={"train": single})
    compile_blocks([training.network], single.compile, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        run = step_of(study, training.variant, training.network, batch_of(study, None))
        taken = training.parts * median_seconds(run)
    except RuntimeError as error:
        lacking = _lacking_memory(training, error)
        if lacking is None:
            raise
        raise lacking from error
    return taken, peak_memory_mb(device)


def _lacking_memory(training: CheckedTraining, error: Exception) -> AirshedError | None:
    """What an error means if the device's memory does not suffice, as a training would say it."""
    study, variant, processes = training.study, training.variant, training.processes
    run = training.results / study.study / "variants" / variant / "any seed" / "run.json"
    return device_memory_error(study, variant, processes, training.device, run, error)


def _memory(training: CheckedTraining) -> tuple[float, str, str]:
    """How much a process has, MB, of what, and what to do where that is little."""
    if training.device.type == "cuda":
        total = torch.cuda.get_device_properties(training.device).total_memory / 1e6
        return total, "the device", "set a smaller train.batch_size or train.recompute_blocks: true"
    asked = training.study.jobs.request(training.variant).mem_mb / training.processes.devices
    return asked, "jobs.mem_mb for each process", "raise jobs.mem_mb"
