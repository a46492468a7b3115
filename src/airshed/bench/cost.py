"""``cost.json``: what each variant of a study costs.

Times of different jobs do not compare: each has its own node, its own neighbours, its own clock.
Here the steps of a variant and of its reference take turns in one process, and the overhead is the
median over the rounds of its time over its reference's in the same round.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from airshed.assembly import assemble, build_network, device_of
from airshed.bench.measure import (
    Times,
    environment,
    interleaved,
    measured,
    peak_mb,
    spread,
)
from airshed.bench.problem import computed_scan, random_geography
from airshed.bench.step import training_step
from airshed.config import Study
from airshed.data.dataset import ForecastDataset
from airshed.data.prepared import Prepared
from airshed.data.samples import sample_index
from airshed.errors import AirshedError
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import COST, VERSION
from airshed.model import Forecaster
from airshed.training.compilation import compile_blocks
from airshed.training.optimisation import masked_squares
from airshed.variables import INPUTS, TARGETS

COMPILED_FORMS = 8  # of one block's code, for each variant; torch's own limit is 8 in all

log = logging.getLogger(__name__)


class MaskedBatch(NamedTuple):
    """A batch (:class:`airshed.data.dataset.Batch`) and the domain mask, on their device."""

    x: Tensor
    y: Tensor
    lead_hours: Tensor
    mask: Tensor


def measure_cost(
    study: Study,
    variants: Sequence[str],
    prepared: Prepared | None,
    rounds: int,
    output: Path,
) -> dict[str, Any]:
    """Measure variants in one process, and write what they cost.

    Args:
        study: The resolved study.
        variants: As for :func:`measured_steps`.
        prepared: As for :func:`measured_steps`.
        rounds: As for :func:`measured_steps`.
        output: Where ``cost.json`` goes.

    Returns:
        What was written.

    Raises:
        AirshedError: A variant is none of the study's, or the prepared data do not fit.
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
        AirshedError: A variant is none of the study's, or the prepared data do not fit.
    """
    names = _with_references(study, variants)
    torch.set_num_threads(study.train.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)  # as in training
    peaks = {}
    for name in names:  # first: nothing of this process's own weighs on them
        log.info("peak memory of %s", name)
        peaks[name] = peak_mb(_one_training, study, name, prepared)
    if study.train.compile != "never":
        limit = COMPILED_FORMS * len(names)
        torch._dynamo.config.recompile_limit = limit
    networks = {name: _network(study, name, prepared) for name in names}
    compiled = [
        compile_blocks(network, study.train.compile, device_of(study))
        for network in networks.values()
    ]
    batch = _batch(study, prepared)
    steps = {name: _step(study, name, network, batch) for name, network in networks.items()}
    times = interleaved(steps, rounds, "optimiser step")
    return {
        VERSION: COST.version,
        "environment": environment(),
        "measured": measured(),
        "fields": "random" if prepared is None else study.dataset.data_source,
        "grid": str(study.dataset.grid),
        "precision": study.train.precision,
        "compiled": any(compiled),
        "samples": _samples(study, prepared),
        "variants": {
            name: _variant(study, name, network, times) | {"peak_memory_mb": round(peaks[name], 1)}
            for name, network in networks.items()
        },
    }


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
    place = cost["environment"]
    head = (
        f"{place['device']}, {place['threads']} threads, {cost['grid']} cells, {cost['precision']},"
        f" fields: {cost['fields']}"
    )
    return f"{head}\n{pd.DataFrame(rows).to_string(index=False)}"


def _with_references(study: Study, variants: Sequence[str]) -> list[str]:
    unknown = [name for name in variants if name not in study.variants]
    if unknown:
        raise AirshedError(
            "a variant to be measured is none of the study's",
            where="--variants",
            expected=", ".join(study.variants),
            found=", ".join(unknown),
        )
    asked = set(variants or study.variants)
    references = {study.variant_stanzas[name].reference for name in asked}
    asked |= {name for name in references if name is not None}
    return [name for name in study.variants if name in asked]


def _one_training(study: Study, variant: str, prepared: Prepared | None) -> Callable[[], None]:
    """Builds a network and makes two steps: weights, gradients and the optimiser's state count.

    Uncompiled, since a compiler's own memory would count too.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    batch = _batch(study, prepared)

    def run() -> None:
        step = _step(study, variant, _network(study, variant, prepared), batch)
        for _ in range(2):
            step()

    return run


def _network(study: Study, variant: str, prepared: Prepared | None) -> Forecaster:
    seed = 0
    if prepared is not None:
        network = build_network(study, variant, prepared, seed)
    else:
        grid, model = study.dataset.grid, study.model
        regions = (model.regions.rows, model.regions.columns)
        scan = study.variant_stanzas[variant].scan
        network = assemble(
            study,
            variant,
            computed_scan(scan, study.patch_grid, regions, model.sectors, model.patch),
            random_geography((grid.rows, grid.columns), model.patch),
            seed,
        )
    return network.to(device_of(study)).train()


def _step(
    study: Study, variant: str, network: Forecaster, batch: MaskedBatch
) -> Callable[[], None]:
    settings = study.for_variant(variant).train
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=study.learning_rate(variant), weight_decay=settings.weight_decay
    )

    def loss() -> Tensor:
        forecast = network(batch.x, batch.lead_hours, TARGETS)
        squares, known = masked_squares(forecast, batch.y, batch.mask)
        return squares / known

    return training_step(
        loss,
        optimizer,
        accumulate=math.ceil(settings.global_batch_size / settings.batch_size),
        clip=settings.clip,
        autocast=torch.bfloat16 if settings.precision == "bf16-mixed" else None,
    )


def _batch(study: Study, prepared: Prepared | None) -> MaskedBatch:
    size, device = study.train.batch_size, device_of(study)
    if prepared is not None:
        samples = _training_samples(study, prepared)
        first = samples.__getitems__(range(size))
        tensors = (*first, samples.mask)
    else:
        generator = torch.Generator().manual_seed(0)
        cells = (study.dataset.grid.rows, study.dataset.grid.columns)
        random = partial(torch.randn, generator=generator)
        lead_hours = torch.tensor(study.horizons_h, dtype=torch.float32).repeat(size)[:size]
        tensors = (
            random(size, len(INPUTS), *cells),
            random(size, len(TARGETS), *cells),
            lead_hours,
            torch.ones(cells, dtype=torch.bool),
        )
    return MaskedBatch(*(tensor.to(device) for tensor in tensors))


def _training_samples(study: Study, prepared: Prepared) -> ForecastDataset:
    return ForecastDataset(
        prepared.hourly,
        prepared.static,
        prepared.statistics,
        study.splits.train,
        study.horizons_h,
        hold="never",
    )


def _samples(study: Study, prepared: Prepared | None) -> int:
    """Samples of an epoch; without data, as if no hour were missing."""
    if prepared is not None:
        return len(_training_samples(study, prepared))
    split = study.splits.train
    hours = pd.date_range(split.start, periods=24 * len(split.days), freq="h")
    present = np.ones(len(hours), dtype=bool)
    return len(sample_index(hours, present, split, study.horizons_h))
