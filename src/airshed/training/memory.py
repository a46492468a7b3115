"""The memory that a training needs, and what the error means where the device has too little."""

from __future__ import annotations

import resource
from pathlib import Path

import torch

from airshed.cluster.measured import measured
from airshed.config import Study
from airshed.config.jobs import JobRequest
from airshed.errors import AirshedError, brief
from airshed.training.attempts import NO_DEVICE_MEMORY
from airshed.training.processes import Processes

# in other errors than the allocator's own: a library's workspace, a context that is not made
WORDS = ("CUDA error: out of memory", "HIP error: out of memory", "STATUS_ALLOC_FAILED")


def peak_memory_mb(device: torch.device) -> float:
    """Peak of the device's memory so far, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def device_memory_error(
    study: Study,
    variant: str,
    processes: Processes,
    device: torch.device,
    run: Path,
    error: Exception,
) -> AirshedError | None:
    """What an error means if it says that the device's memory was exhausted, else None.

    Args:
        study: The resolved study.
        variant: Name of the variant that was trained.
        processes: How many processes trained together.
        device: The device of this one.
        run: ``run.json`` of the training; what a step needs is looked up in the folder of all
            studies, where it lies.
        error: What was raised.
    """
    exhausted = isinstance(error, torch.OutOfMemoryError)
    if not exhausted and not any(word in str(error) for word in WORDS):
        return None
    request = JobRequest(nodes=processes.nodes, devices=processes.devices)
    # <results>/<study>/variants/<variant>/<seed>/run.json
    results = [*run.absolute().parents][:5][-1]
    found, train = measured(study, variant, request, results), study.train
    need = "how much a step needs was not measured (airshed bench step)"
    if found.device_memory_mb is not None:
        need = f"{found.device_memory_mb:,.0f} MB for a step by the plan ({found.source})"
    ways = ["a smaller train.batch_size"] if train.batch_size > 1 else []
    ways += [] if train.recompute_blocks else ["train.recompute_blocks: true"]
    ways += [] if train.precision == "bf16-mixed" else ["train.precision: bf16-mixed"]
    return AirshedError(
        NO_DEVICE_MEMORY,
        where=f"{variant}: train.batch_size {train.batch_size}, precision {train.precision},"
        f" recompute_blocks {str(train.recompute_blocks).lower()}",
        expected=need,
        found=f"{_memory_of(device)}; {brief(error)}",
        hint=f"{', or '.join([*ways, 'a device with more memory'])}; more memory of the host"
        " (jobs.mem_mb) does not help",
    )


def device_name(device: torch.device) -> str:
    """The device and how much memory it has."""
    if device.type != "cuda":
        return device.type
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / 1e6:,.0f} MB"


def _memory_of(device: torch.device) -> str:
    if device.type != "cuda":
        return device_name(device)
    free, _ = torch.cuda.mem_get_info(device)
    own = torch.cuda.max_memory_allocated(device)
    use = f"{free / 1e6:,.0f} MB free, {own / 1e6:,.0f} MB at most taken here"
    return f"{device_name(device)} ({use})"
