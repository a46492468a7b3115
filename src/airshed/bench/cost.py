"""``cost.json``: what each variant of a study costs, all measured on one machine in one run.

Times of different jobs do not compare: each has its own node, its own neighbours, its own clock.
Here the steps of all variants take turns in one process, and a variant's overhead is the median
over the rounds of its time over its reference's in the same round.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
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
    """Measure a step of every variant at the study's own grid, model size and precision.

    Args:
        study: The resolved study.
        variants: Which of its variants; none means all. References are measured with them.
        prepared: Paths of the prepared data; None takes random fields and terrain.
        rounds: How often each variant's step is timed, after one round that is not.
        output: Where ``cost.json`` goes.

    Returns:
        What was written.

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
    networks = {name: _network(study, name, prepared) for name in names}
    compiled = compile_blocks([*networks.values()], study.train.compile, device_of(study))
    batch = _batch(study, prepared)
    steps = {name: _step(study, name, network, batch) for name, network in networks.items()}
    times = interleaved(steps, rounds, "optimiser step")
    optimizer_steps = _optimizer_steps(study, prepared)
    cost: dict[str, Any] = {
        VERSION: COST.version,
        "study": study.study,
        "environment": environment(),
        "measured": measured(),
        "fields": "random" if prepared is None else study.dataset.data_source,
        "grid": str(study.dataset.grid),
        "precision": study.train.precision,
        "compiled": compiled,
        "samples_per_step": study.train.global_batch_size,
        "optimizer_steps": optimizer_steps,
        "variants": {
            name: _variant(study, name, network, times, optimizer_steps)
            | {"peak_memory_mb": round(peaks[name], 1)}
            for name, network in networks.items()
        },
    }
    write_json(output, cost)
    return cost


def _variant(
    study: Study, name: str, network: Forecaster, times: Times, optimizer_steps: int
) -> dict[str, Any]:
    reference = study.references().get(name)
    taken = spread(times[name])
    hours = optimizer_steps * taken["median"] / 3600
    overhead = None
    if reference is not None:
        overhead = {"reference": reference, **_overhead(times[name], times[reference])}
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "attention_path": sorted({core.path for core in network.cores}),
        "seconds_per_step": taken,
        "overhead": overhead,
        "device_hours": {
            "one_training": round(hours, 4),
            "all_seeds": round(hours * len(study.seeds), 4),
        },
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
    asked |= {reference for name, reference in study.references().items() if name in asked}
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
    seed = study.seeds[0]
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
    settings = study.train
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


def _optimizer_steps(study: Study, prepared: Prepared | None) -> int:
    """Steps of one training; without data, as if no hour were missing."""
    split, settings = study.splits.train, study.train
    if prepared is not None:
        samples = len(_training_samples(study, prepared))
    else:
        hours = pd.date_range(split.start, periods=24 * len(split.days), freq="h")
        present = np.ones(len(hours), dtype=bool)
        samples = len(sample_index(hours, present, split, study.horizons_h))
    return settings.epochs * math.ceil(samples / settings.global_batch_size)
