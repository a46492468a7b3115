"""Whole networks of every backbone: same size, same interface, and every switch does something."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from airshed.model import Forecaster
from airshed.model.geography import Geography

Build = Callable[..., Forecaster]
Batch = tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]

CLIMAX = {"kind": "climax"}
SWIN = {"kind": "swin", "window": 4}
GRAPH = {"kind": "wind_graph", "blocks": "all", "reaches": [1]}
GRAPH_BLOCK = GRAPH | {"blocks": [0]}
FLOW = {"kind": "advection_diffusion", "steps": 4}
BACKBONES = {"swin": SWIN, "graph": GRAPH, "graph block": GRAPH_BLOCK, "flow": FLOW}
NO_BIAS = {"kind": "none"}


def sharpened(model: Forecaster) -> Forecaster:
    """At their initial weights networks hardly mix; larger ones make differences plain to see."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("blocks.") and parameter.dim() > 1:
                parameter *= 20
    return model


@pytest.mark.parametrize("kind", BACKBONES)
def test_size_and_shared_weights_are_those_of_climax(network: Build, kind: str) -> None:
    climax, other = network().state_dict(), network(backbone=BACKBONES[kind]).state_dict()
    sizes = [sum(value.numel() for value in state.values()) for state in (climax, other)]
    assert abs(sizes[1] / sizes[0] - 1) < 0.02
    shared = climax.keys() & other.keys() if kind != "flow" else {"token_embeds.proj_weights"}
    assert all(torch.equal(climax[name], other[name]) for name in shared)
    new = other.keys() - climax.keys()
    assert kind == "flow" or all(".attn.core." in name for name in new)


@pytest.mark.parametrize("scan", ["raster", "wind"])
@pytest.mark.parametrize("kind", BACKBONES)
def test_every_parameter_receives_a_gradient(
    network: Build, batch: Batch, kind: str, scan: str
) -> None:
    model = sharpened(network(scan, backbone=BACKBONES[kind])).train()
    x, lead, _ = batch
    model(x, lead, model.variables).square().sum().backward()
    without_gradient = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    assert without_gradient == []


@pytest.mark.parametrize("kind", BACKBONES)
def test_same_seed_gives_the_same_forecast_and_gradients(
    network: Build, batch: Batch, kind: str
) -> None:
    results = []
    for _ in range(2):
        model = network(backbone=BACKBONES[kind])
        forecast = model(*batch)
        forecast.sum().backward()
        results.append([forecast, *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert results[0][0].shape == (2, 2, 8, 16)
    different = network(backbone=BACKBONES[kind], seed=1)(*batch)
    assert not torch.equal(results[0][0], different)


SWITCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "swin": (CLIMAX, SWIN),
    "window": (SWIN, SWIN | {"window": 2}),
    "graph": (CLIMAX, GRAPH),
    "graph blocks": (GRAPH, GRAPH_BLOCK),
    "reaches": (GRAPH, GRAPH | {"reaches": [1, 2]}),
    "terrain": (GRAPH, GRAPH | {"terrain": False}),
    "flow": (CLIMAX, FLOW),
    "steps": (FLOW, FLOW | {"steps": 8}),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_changes_the_forecast(network: Build, batch: Batch, switch: str) -> None:
    one, other = (sharpened(network(backbone=stanza))(*batch) for stanza in SWITCHES[switch])
    assert (one - other).abs().max() > 1e-4 * one.abs().max()


@pytest.mark.parametrize("kind", ["graph", "graph block", "flow"])
def test_terrain_and_wind_change_the_forecast(
    network: Build, batch: Batch, geography: Geography, kind: str
) -> None:
    """Each by itself: the input stays as it is, and only what the geography says changes."""
    model = sharpened(network(backbone=BACKBONES[kind]))
    before = model(*batch)
    for name in ("elevation_m", "wind_mean_ms"):
        changed = copy.deepcopy(geography)
        setattr(changed, name, 0.3 * getattr(geography, name) + 1)
        model.geography = changed
        assert (model(*batch) - before).abs().max() > 1e-4 * before.abs().max(), name


@pytest.mark.parametrize("kind", BACKBONES)
def test_lead_times_of_a_batch_are_each_samples_own(
    network: Build, batch: Batch, kind: str
) -> None:
    x, lead, names = batch
    model = network(backbone=BACKBONES[kind])
    together = model(x, lead, names)
    alone = torch.cat([model(x[[k]], lead[[k]], names) for k in (0, 1)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(model(x, lead.flip(0), names), together)


def test_over_flat_ground_terrain_changes_nothing_and_wind_does(
    network: Build, batch: Batch, geography: Geography
) -> None:
    """As many weights as with terrain, and the same ones at the start."""
    model = network(backbone=GRAPH | {"terrain": False})
    states = (model.state_dict(), network(backbone=GRAPH).state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)
    before = sharpened(model)(*batch)
    for name, matters in (("elevation_m", False), ("wind_mean_ms", True)):
        changed = copy.deepcopy(geography)
        setattr(changed, name, 0.3 * getattr(geography, name) + 1)
        model.geography = changed
        assert torch.equal(model(*batch), before) != matters


@pytest.mark.parametrize("kind", BACKBONES)
def test_mixed_precision_is_near_full_precision(network: Build, batch: Batch, kind: str) -> None:
    model = network(backbone=BACKBONES[kind])
    full = model(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(*batch).float()
    assert 0 < (mixed - full).abs().max() < 0.03 * full.abs().max()


@pytest.mark.parametrize("frame", ["earth", "grid"])
def test_axes_of_patches_turn_wind_from_the_earth_to_the_grid(
    geography: Geography, frame: str
) -> None:
    """Whatever u and v of the input are relative to."""
    angle = torch.tensor(0.5)
    turn = torch.tensor(
        [[angle.cos(), angle.sin()], [angle.sin(), -angle.cos()]]
    )  # rows southwards
    flip, one = torch.diag(torch.tensor([1.0, -1.0])), torch.eye(2)
    to_grid, to_earth = {"earth": (turn, one), "grid": (flip, turn.T @ flip)}[frame]
    geography.to_grid = to_grid[:, :, None, None].repeat(1, 1, 8, 16)
    geography.to_earth = to_earth[:, :, None, None].repeat(1, 1, 8, 16)
    grid = geography.patch_grid()
    winds, fields = geography(torch.randn(2, 4, 8, 16))
    found = torch.einsum("abn,sbn->san", grid.axes, torch.stack([fields.u_ms, fields.v_ms], 1))
    expected = winds.grid_ms.view(2, 2, 4, 2, 8, 2).mean((3, 5)).flatten(2)
    torch.testing.assert_close(found, expected)
    assert (grid.rows, grid.columns, grid.spacing_km) == (4, 8, (80.0, 50.0))


@pytest.mark.parametrize("kind", ["swin", "graph", "flow"])
def test_compiled_blocks_agree_to_rounding(network: Build, batch: Batch, kind: str) -> None:
    """The graph is captured and differentiated; what a compiler makes of it is not tried here."""
    plain, compiled = (network(backbone=BACKBONES[kind]) for _ in "ab")
    for block in compiled.blocks:
        block.compile(backend="aot_eager")
    results = []
    for model in (plain, compiled):
        forecast = model(*batch)
        gradients = torch.autograd.grad(forecast.square().sum(), [*model.parameters()])
        results.append([forecast, *gradients])
    for found, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
