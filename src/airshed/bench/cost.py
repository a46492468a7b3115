"""``cost.json``: what each variant of a study costs.

Times of different jobs do not compare: each has its own node, its own neighbours, its own clock.
Here the steps of a variant and of its reference take turns in one process, and the overhead is the
median over the rounds of its time over its reference's in the same round.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from airshed.assembly import device_of
from airshed.bench.measure import (
    Times,
    environment,
    interleaved,
    measured,
    peak_mb,
    spread,
)
from airshed.bench.micro_batches import measure_micro_batches
from airshed.bench.variants import batch_of, network_of, one_training, step_of, training_samples
from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.data.samples import sample_index
from airshed.errors import AirshedError, refusing
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import COST, VERSION
from airshed.model import Forecaster
from airshed.training.attempts import NO_DEVICE_MEMORY
from airshed.training.compilation import compile_blocks
from airshed.training.determinism import ask_for_determinism

log = logging.getLogger(__name__)
SMALLER = "set a smaller train.batch_size, or train.recompute_blocks: true"


def measure_cost(
    study: Study,
    variants: Sequence[str],
    prepared: Prepared | None,
    rounds: int,
    output: Path,
) -> dict[str, Any]:
    """Measure variants in one process, and write what they cost.

    Returns:
        What was written.

    Raises:
        AirshedError: A variant is not in the study, or the prepared data do not fit.
    """
    found = measured_steps(study, variants, prepared, rounds)
    cost = cost_of_study(study, dict.fromkeys(found["variants"], found))
    write_json(output, cost)
    return cost


def cost_of_study(study: Study, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The content of ``cost.json``: what was measured, and how much of it a study takes.

    Args:
        study: The study: its name, seeds, epochs and samples of an optimiser step.
        found: For each variant what was measured where it was, see :func:`measured_steps`.
    """
    first = next(iter(found.values()))
    settings, variants = study.train, {}
    for name, measured_there in found.items():
        own = measured_there["variants"][name]
        batches = math.ceil(measured_there["samples"] / settings.global_batch_size)
        steps = settings.epochs * batches
        hours = steps * own["seconds_per_step"]["median"] / 3600
        variants[name] = own | {
            "device_hours": {
                "one_training": round(hours, 4),
                "all_seeds": round(hours * len(study.seeds), 4),
            }
        }
    facts = {key: value for key, value in first.items() if key not in ("samples", "variants")}
    devices = {name: there["environment"]["device"] for name, there in found.items()}
    if len(set(devices.values())) > 1:
        facts["devices"] = devices
    stanzas = [there["config"]["variant_stanzas"] for there in found.values()]
    facts["config"] |= {"variant_stanzas": {k: v for each in stanzas for k, v in each.items()}}
    return {
        **facts,
        "study": study.study,
        "samples_per_step": settings.global_batch_size,
        "optimizer_steps": steps,
        "variants": variants,
    }


def measured_steps(
    study: Study, variants: Sequence[str], prepared: Prepared | None, rounds: int
) -> dict[str, Any]:
    """Measure a step of variants at the study's own grid and model size, and their own precision.

    Args:
        study: The resolved study.
        variants: Which of its variants; none means all. References are measured with them.
        prepared: Paths of the prepared data; None takes random fields and terrain.
        rounds: How often each variant's step is timed, after one round that is not.

    Returns:
        What was found, without what depends on the number of seeds or epochs.

    Raises:
        AirshedError: A variant is not in the study, the prepared data do not fit, or the device's
            memory does not suffice.
    """
    names = _with_references(study, variants)
    torch.set_num_threads(study.train.threads)
    ask_for_determinism()  # as in training
    # first: nothing of this process's own weighs on them
    memory = {name: _memory(study, name, prepared, rounds) for name in names}
    with refusing(
        torch.OutOfMemoryError,
        what=NO_DEVICE_MEMORY,
        where=f"{', '.join(names)} beside each other, train.batch_size {study.train.batch_size}",
        hint=f"{SMALLER}; or measure fewer variants at once",
    ):
        networks = {name: network_of(study, name, prepared) for name in names}
        compiled = compile_blocks([*networks.values()], study.train.compile, device_of(study))
        batch = batch_of(study, prepared)
        steps = {name: step_of(study, name, network, batch) for name, network in networks.items()}
        times = interleaved(steps, rounds, "optimiser step")
    return {
        VERSION: COST.version,
        "environment": environment(),
        "measured": measured(),
        "fields": "random" if prepared is None else study.dataset.data_source,
        "grid": str(study.dataset.grid),
        "precision": study.train.precision,
        "compiled": compiled,
        "samples": _samples(study, prepared),
        "variants": {
            name: _variant(study, name, network, times) | memory[name]
            for name, network in networks.items()
        },
        "config": study.model_dump(mode="json"),
    }


def _memory(study: Study, variant: str, prepared: Prepared | None, rounds: int) -> dict[str, Any]:
    """Peak memory of a variant; on a GPU also its speed and memory by micro-batches."""
    log.info("peak memory of %s", variant)
    if device_of(study).type == "cpu":
        return {"peak_memory_mb": round(peak_mb(one_training, study, variant, prepared), 1)}
    found = measure_micro_batches(study, variant, prepared, rounds)
    own = next(each for each in found if each["batch_size"] == study.train.batch_size)
    if own["peak_memory_mb"] is None:
        raise AirshedError(
            NO_DEVICE_MEMORY,
            where=f"{variant}: train.batch_size {study.train.batch_size}",
            found=f"samples a second by size: {_by_size(found)}",
            hint=SMALLER,
        )
    return {"peak_memory_mb": own["peak_memory_mb"], "micro_batches": found}


def _variant(study: Study, name: str, network: Forecaster, times: Times) -> dict[str, Any]:
    reference = study.variant_stanzas[name].reference
    overhead = None
    if reference is not None:
        overhead = {"reference": reference, **_overhead(times[name], times[reference])}
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "attention_path": sorted({core.path for core in network.cores}),
        "precision": study.for_variant(name).train.precision,
        "seconds_per_step": spread(times[name]),
        "overhead": overhead,
    }


def _overhead(seconds: list[float], over: list[float]) -> dict[str, float]:
    """Relative extra time, round by round: quartiles, smallest and largest.

    The quartiles are what is shown: on a busy machine single rounds go far astray.
    """
    shares = np.divide(seconds, over) - 1
    names = ("min", "p25", "median", "p75", "max")
    found = dict(zip(names, np.percentile(shares, [0, 25, 50, 75, 100]).round(5), strict=True))
    return {name: float(value) for name, value in found.items()} | {"rounds": len(shares)}


def cost_table(cost: dict[str, Any]) -> str:
    """What was measured, as lines of text."""
    rows = []
    for name, found in cost["variants"].items():
        taken, overhead = found["seconds_per_step"], found["overhead"]
        rows.append(
            {
                "variant": name,
                "s per step": f"{taken['median']:.4g} [{taken['min']:.4g}, {taken['max']:.4g}]",
                "overhead": "-"
                if overhead is None
                else f"{overhead['median']:+.1%} [{overhead['p25']:+.1%}, {overhead['p75']:+.1%}]"
                f" over {overhead['reference']}",
                "peak MB": f"{found['peak_memory_mb']:.0f}",
                "parameters": f"{found['parameters']:,}",
                "device-hours": f"{found['device_hours']['all_seeds']:.3g}",
            }
        )
    lines = [
        f"{name}, samples a second by train.batch_size: {_by_size(found['micro_batches'])}"
        for name, found in cost["variants"].items()
        if "micro_batches" in found
    ]
    place = cost["environment"]
    head = (
        f"{place['device']}, {place['threads']} threads, {cost['grid']} cells, {cost['precision']},"
        f" fields: {cost['fields']}"
    )
    return "\n".join([head, pd.DataFrame(rows).to_string(index=False), *lines])


def _by_size(micro_batches: list[dict[str, Any]]) -> str:
    def rate(found: dict[str, Any]) -> str:
        if found["samples_per_second"] is None:
            return "does not fit"
        return f"{found['samples_per_second']:.4g} ({found['peak_memory_mb']:.0f} MB)"

    return ", ".join(f"{found['batch_size']}: {rate(found)}" for found in micro_batches)


def _with_references(study: Study, variants: Sequence[str]) -> list[str]:
    unknown = [name for name in variants if name not in study.variants]
    if unknown:
        raise AirshedError(
            "a variant to be measured is not in the study",
            where="--variants",
            expected=", ".join(study.variants),
            found=", ".join(unknown),
        )
    asked = set(variants or study.variants)
    references = {study.variant_stanzas[name].reference for name in asked}
    asked |= {name for name in references if name is not None}
    return [name for name in study.variants if name in asked]


def _samples(study: Study, prepared: Prepared | None) -> int:
    """Samples of an epoch; without data, as if no hour were missing."""
    if prepared is not None:
        return len(training_samples(study, prepared))
    split = study.splits.train
    hours = pd.date_range(split.start, periods=24 * len(split.days), freq="h")
    present = np.ones(len(hours), dtype=bool)
    return len(sample_index(hours, present, split, study.horizons_h))
