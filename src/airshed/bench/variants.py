"""A variant's network, a batch for it, and its optimiser step as training makes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from airshed.assembly import assemble, build_network, device_of, wind_channels
from airshed.bench.problem import computed_scan, random_geography
from airshed.bench.step import training_step
from airshed.config import Study
from airshed.data.dataset import ForecastDataset
from airshed.data.prepared import Prepared
from airshed.model import Forecaster
from airshed.training import graphs
from airshed.training.determinism import ask_for_determinism
from airshed.training.optimisation import adamw, masked_squares


class MaskedBatch(NamedTuple):
    """A batch (:class:`airshed.data.dataset.Batch`) and the domain mask, on their device."""

    x: Tensor
    y: Tensor
    lead_hours: Tensor
    init_hours: Tensor
    mask: Tensor


def one_training(study: Study, variant: str, prepared: Prepared | None) -> Callable[[], None]:
    """Builds a network and makes two steps: weights, gradients and the optimiser's state count.

    Uncompiled, since a compiler's own memory would count too.
    """
    ask_for_determinism()
    batch = batch_of(study, prepared)

    def run() -> None:
        step = step_of(study, variant, network_of(study, variant, prepared), batch)
        for _ in range(2):
            step()

    return run


def network_of(study: Study, variant: str, prepared: Prepared | None) -> Forecaster:
    """The variant's network on its device; without prepared data, with random terrain."""
    study, seed = study.for_variant(variant), 0
    if prepared is not None:
        network = build_network(study, variant, prepared, seed)
    else:
        grid, model = study.dataset.grid, study.scanned_as(variant).model
        regions = (model.regions.rows, model.regions.columns)
        scan = study.variant_stanzas[variant].scan
        network = assemble(
            study,
            variant,
            computed_scan(scan, study.patch_grid, regions, model.sectors, model.patch),
            random_geography((grid.rows, grid.columns), model.patch, wind_channels(study)),
            seed,
        )
    return network.to(device_of(study)).train()


def step_of(
    study: Study, variant: str, network: Forecaster, batch: MaskedBatch
) -> Callable[[], None]:
    """A function that makes one step, on the same samples each time."""
    settings = study.for_variant(variant).train
    autocast = torch.bfloat16 if settings.precision == "bf16-mixed" else None
    recorded = graphs.wanted(settings, batch.x.device) and graphs.record(
        network, batch.x, batch.lead_hours, study.targets, autocast, batch.init_hours
    )
    optimizer = adamw(network, study.learning_rate(variant), settings.weight_decay)

    def loss() -> Tensor:
        forecast = network(batch.x, batch.lead_hours, study.targets, batch.init_hours)
        squares, known = masked_squares(forecast, batch.y, batch.mask)
        return squares / known

    return training_step(
        loss,
        optimizer,
        accumulate=math.ceil(settings.global_batch_size / settings.batch_size),
        clip=settings.clip,
        autocast=autocast,
        keeps_gradients=recorded,
    )


def batch_of(study: Study, prepared: Prepared | None) -> MaskedBatch:
    """The study's first samples, or random ones."""
    size, device = study.train.batch_size, device_of(study)
    if prepared is not None:
        samples = training_samples(study, prepared)
        first = samples.__getitems__(range(size))
        tensors = (*first, samples.mask)
    else:
        generator = torch.Generator().manual_seed(0)
        cells = (study.dataset.grid.rows, study.dataset.grid.columns)
        random = partial(torch.randn, generator=generator)
        lead_hours = torch.tensor(study.horizons_h, dtype=torch.float32).repeat(size)[:size]
        tensors = (
            random(size, len(study.inputs), *cells),
            random(size, len(study.targets), *cells),
            lead_hours,
            torch.arange(size),
            torch.ones(cells, dtype=torch.bool),
        )
    return MaskedBatch(*(tensor.to(device) for tensor in tensors))


def training_samples(study: Study, prepared: Prepared) -> ForecastDataset:
    """What the study trains with."""
    return ForecastDataset.of(study, prepared, study.splits.train, hold="never")
