"""How fast a training step is, and what it takes of a GPU, by the samples computed at once.

A global batch in few large parts keeps a GPU busier than in many small ones, as far as its memory
goes. Nothing follows by itself: ``airshed plan`` recommends a ``train.batch_size``, since the draws
of dropout depend on how the batch is split.
"""

from __future__ import annotations

import logging
import math
import statistics
from typing import Any

import torch

from airshed.assembly import device_of
from airshed.bench.measure import in_fresh_process, seconds
from airshed.bench.variants import batch_of, network_of, step_of
from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.model import Forecaster
from airshed.model.dynamo import allow_forms
from airshed.training import graphs
from airshed.training.compilation import compile_blocks
from airshed.training.determinism import ask_for_determinism

log = logging.getLogger(__name__)

SIZES = (2, 4, 8, 16)
WARMUP = 2  # steps: the first one compiles


def measure_micro_batches(
    study: Study, variant: str, prepared: Prepared | None, rounds: int
) -> list[dict[str, Any]]:
    """Samples per second and peak memory by the size of a micro-batch, in a fresh process.

    Args:
        study: The resolved study; its own size is measured beside the others.
        variant: Name of the variant.
        prepared: Paths of the prepared data; None takes random fields and terrain.
        rounds: Steps of each size.

    Returns:
        ``batch_size``, ``samples_per_second`` and ``peak_memory_mb`` of each size; None where the
        memory does not suffice.
    """
    sizes = sorted({*SIZES, study.train.batch_size})
    found: list[dict[str, Any]] = in_fresh_process(
        micro_batches, study, variant, prepared, sizes, rounds
    )
    return found


def micro_batches(
    study: Study, variant: str, prepared: Prepared | None, sizes: list[int], rounds: int
) -> list[dict[str, Any]]:
    """The same in this process, for these sizes."""
    ask_for_determinism()
    network = network_of(study, variant, prepared)
    allow_forms(len(sizes))
    compile_blocks([network], study.train.compile, device_of(study))
    found: list[dict[str, Any]] = []
    fits = True
    # each size has programs of its own, as it has in a training
    with torch._dynamo.config.patch(automatic_dynamic_shapes=False):
        for size in sizes:
            rate, peak = None, None
            if fits:
                train = study.train.model_copy(update={"batch_size": size})
                sized = study.model_copy(update={"train": train})
                try:
                    rate, peak = _rate_and_peak(sized, variant, network, prepared, rounds)
                except torch.OutOfMemoryError:
                    fits = False
            found.append({"batch_size": size, "samples_per_second": rate, "peak_memory_mb": peak})
            log.info("%s, %d samples at once: %s a second, %s MB", variant, size, rate, peak)
    return found


def _rate_and_peak(
    study: Study, variant: str, network: Forecaster, prepared: Prepared | None, rounds: int
) -> tuple[float, float]:
    graphs.forget(network)
    torch.cuda.empty_cache()  # does nothing without a GPU
    if torch.cuda.is_available():  # before passes are recorded: replays are not counted
        torch.cuda.reset_peak_memory_stats()
    step = step_of(study, variant, network, batch_of(study, prepared))
    for _ in range(WARMUP):
        step()
    taken = statistics.median(seconds(step) for _ in range(rounds))
    peak = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else math.nan
    parts = math.ceil(study.train.global_batch_size / study.train.batch_size)
    return round(parts * study.train.batch_size / taken, 3), round(peak, 1)
