"""A training step leaves the device alone: nothing is copied to it, and nothing read from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from device_copies import META, NoCopies
from torch import Tensor

from airshed.bench.problem import computed_scan, random_geography
from airshed.biases import BIASES
from airshed.config.training import TrainConfig
from airshed.data.dataset import Batch
from airshed.model import Forecaster, build_model
from airshed.training.history import History
from airshed.training.loop import Samples, Training
from airshed.variables import INPUTS, TARGETS

GRID, PATCH = (8, 16), 2
CLIMAX, NO_BIAS = {"kind": "climax"}, {"kind": "none"}


class OneDevice:
    """What a training asks of Fabric, for one process on ``meta``."""

    world_size, global_rank, is_global_zero, device = 1, 0, True, META

    def setup_module(self, network: Forecaster) -> Forecaster:
        return network

    def to_device(self, what: Any) -> Any:
        return what.to(META) if isinstance(what, Tensor) else what

    def no_backward_sync(self, *_: object, **__: object) -> nullcontext[None]:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def all_reduce(self, values: Tensor, reduce_op: str) -> Tensor:
        return values


def network(backbone: Mapping[str, Any], bias: Mapping[str, Any], **settings: Any) -> Forecaster:
    return build_model(
        INPUTS,
        GRID,
        bias=bias,
        backbone=backbone,
        geography=random_geography(GRID, PATCH),
        scan=computed_scan("wind", (4, 8), (2, 2), 16, PATCH),
        seed=0,
        depth=2,
        num_heads=2,
        embed_dim=16,
        patch_size=PATCH,
        decoder_depth=1,
        mlp_ratio=2.0,
        drop_path=0.1,
        drop_rate=0.1,
        **settings,
    )


def training(model: Forecaster) -> Training:
    """Of two micro-batches a step."""
    settings = TrainConfig(global_batch_size=4, batch_size=2)
    services = SimpleNamespace(
        history=History(10),
        stop=SimpleNamespace(received=None),
        checkpoints=SimpleNamespace(due=lambda: False),
        watchdog=SimpleNamespace(beat=lambda *_: None),
    )
    mask = torch.ones(GRID, dtype=torch.bool)
    samples = Samples([0] * 4, [0], mask, TARGETS, {})  # type: ignore[arg-type]
    return Training(OneDevice(), model, samples, settings, 1e-3, 1e-3, 0, services)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "bias"),
    [
        (CLIMAX, NO_BIAS),
        *[(CLIMAX, {"kind": kind}) for kind in BIASES],
        ({"kind": "swin", "window": 2}, NO_BIAS),
        ({"kind": "wind_graph", "reaches": [1]}, NO_BIAS),
        ({"kind": "advection_diffusion", "steps": 3}, NO_BIAS),
    ],
    ids=lambda stanza: stanza["kind"],
)
def test_the_host_waits_for_nothing_within_a_step(
    monkeypatch: pytest.MonkeyPatch, backbone: Mapping[str, Any], bias: Mapping[str, Any]
) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no meta
    model = network(backbone, bias).to(META)
    made = training(model)
    x, y = (torch.zeros(2, len(names), *GRID, device=META) for names in (INPUTS, TARGETS))
    given = Batch(x, y, x.new_zeros(2), x.new_zeros(2, dtype=torch.int64))
    present = [*model.parameters(), *model.buffers(), made.mask, *given]
    (micro_batches,) = made.plan.epoch(0)
    with NoCopies(present):
        for _ in range(2):  # the second one finds the optimizer's moments
            totals = made._optimizer_step(0, micro_batches, itertools.repeat(given))
    assert len(micro_batches) == 2
    assert totals.device == META


@pytest.mark.parametrize(
    "careless",
    [
        lambda x: x[:, [0, 1]].sum(),
        lambda x: x * torch.tensor([1.0, 2.0], device=x.device),
        lambda x: x + torch.ones(2).to(x.device),
        lambda x: x * x.sum().item(),
        lambda x: x if x.sum() > 0 else -x,
    ],
    ids=["index list", "constant", "copy", "value", "branch"],
)
def test_carelessness_is_found(careless: Callable[[Tensor], object]) -> None:
    x = torch.zeros(3, 2, device=META)
    with pytest.raises((AssertionError, RuntimeError)), NoCopies([x]):
        careless(x)
