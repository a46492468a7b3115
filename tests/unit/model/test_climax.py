"""The whole network: names, equivalences, and that every switch does something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_biases import stir
from torch import nn

from airshed.model import ClimaX
from airshed.model.attention import DenseAttention, PlainAttention, TiledAttention, Workload, choice
from airshed.model.bias import KINDS
from airshed.model.build import CPU, build_cores
from airshed.model.embedding import aggregate
from airshed.model.geography import Geography, WindFields
from airshed.model.scan import Order

Build = Callable[..., ClimaX]
Batch = tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]
NO_BIAS = {"kind": "none"}


def barrier(**changes: Any) -> dict[str, Any]:
    return {"kind": "barrier", "blocks": [0], "alpha_init": 0.2, "wind_modulation": True} | changes


def test_state_dict_has_the_names_and_shapes_of_climax() -> None:
    names = [f"variable{index}" for index in range(15)]
    model = ClimaX(names, (8, 16), embed_dim=16, depth=2, num_heads=2)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    block = {
        "norm1.weight": (16,),
        "norm1.bias": (16,),
        "attn.qkv.weight": (48, 16),
        "attn.qkv.bias": (48,),
        "attn.proj.weight": (16, 16),
        "attn.proj.bias": (16,),
        "norm2.weight": (16,),
        "norm2.bias": (16,),
        "mlp.fc1.weight": (64, 16),
        "mlp.fc1.bias": (64,),
        "mlp.fc2.weight": (16, 64),
        "mlp.fc2.bias": (16,),
    }
    expected: dict[str, tuple[int, ...]] = {
        "var_embed": (1, 15, 16),
        "var_query": (1, 1, 16),
        "pos_embed": (1, 32, 16),
        "token_embeds.proj_weights": (15, 16, 1, 2, 2),
        "token_embeds.proj_biases": (15, 16),
        "var_agg.in_proj_weight": (48, 16),
        "var_agg.in_proj_bias": (48,),
        "var_agg.out_proj.weight": (16, 16),
        "var_agg.out_proj.bias": (16,),
        "lead_time_embed.weight": (16, 1),
        "lead_time_embed.bias": (16,),
        "norm.weight": (16,),
        "norm.bias": (16,),
        "head.0.weight": (16, 16),
        "head.0.bias": (16,),
        "head.2.weight": (16, 16),
        "head.2.bias": (16,),
        "head.4.weight": (60, 16),
        "head.4.bias": (60,),
    }
    expected |= {f"blocks.{k}.{name}": shape for k in (0, 1) for name, shape in block.items()}
    assert shapes == expected


def test_seed_configuration_has_the_founding_models_52_million_parameters() -> None:
    with torch.device("meta"):
        model = ClimaX([f"variable{index}" for index in range(15)], (128, 256))
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert millions == pytest.approx(52.5, abs=0.05)


def test_folded_aggregation_equals_attention_on_the_tokens() -> None:
    torch.manual_seed(0)
    batch, tokens, variables, cells, dim = 2, 7, 5, 4, 16
    patches = torch.randn(batch, tokens, variables, cells, dtype=torch.float64)
    weight = torch.randn(variables, dim, cells, dtype=torch.float64)
    offset = torch.randn(variables, dim, dtype=torch.float64)
    query = torch.randn(dim, dtype=torch.float64)
    attention = nn.MultiheadAttention(dim, 4, batch_first=True).double()
    nn.init.normal_(attention.in_proj_bias)
    nn.init.normal_(attention.out_proj.bias)

    embedded = torch.einsum("bnvp,vdp->bnvd", patches, weight) + offset
    flat = embedded.flatten(0, 1)
    expected, _ = attention(query.expand(len(flat), 1, dim), flat, flat)
    found = aggregate(patches, weight, offset, query, attention)
    torch.testing.assert_close(found, expected.view(batch, tokens, dim))


def test_patches_and_unpatchify_are_inverse(network: Build, batch: Batch) -> None:
    x, _, _ = batch
    model = network()
    patches = model.token_embeds.patches(x)  # [B, N, V, p p]
    head_layout = patches.transpose(2, 3).flatten(2)  # cells first, variable fastest, as the head
    assert torch.equal(model._unpatchify(head_layout), x)


def test_a_scan_whose_positional_embedding_travels_changes_nothing(
    network: Build, batch: Batch
) -> None:
    """Full attention is permutation-equivariant, with the bias too: terrain stays with patches."""
    permutation = torch.randperm(32, generator=torch.Generator().manual_seed(5))

    class Shuffle(nn.Module):
        def forward(self, winds: WindFields | None, init_hours: object = None) -> Order:
            return Order(permutation.expand(2, -1))

    raster, shuffled = network(bias=barrier(alpha_init=2.0)), network(bias=barrier(alpha_init=2.0))
    shuffled.scan = Shuffle()  # type: ignore[assignment]
    changed = shuffled(*batch)
    assert (changed - raster(*batch)).abs().max() > 1e-4
    shuffled.pos_embed.data = raster.pos_embed[:, permutation]
    torch.testing.assert_close(shuffled(*batch), raster(*batch), rtol=1e-4, atol=1e-6)


def test_same_seed_gives_every_variant_the_same_backbone(network: Build) -> None:
    plain = network("wind").state_dict()
    biased = network("wind", barrier(blocks="all")).state_dict()
    assert all(torch.equal(value, biased[name]) for name, value in plain.items())
    assert set(biased) - set(plain) == {f"blocks.{k}.attn.core.bias.alpha" for k in (0, 1)}
    other = network("wind", seed=1).state_dict()
    assert not torch.equal(other["blocks.0.attn.qkv.weight"], plain["blocks.0.attn.qkv.weight"])


SWITCHES = {
    "scan": (("raster", NO_BIAS), ("wind", NO_BIAS)),
    "bias": (("wind", NO_BIAS), ("wind", barrier())),
    "wind modulation": (("wind", barrier()), ("wind", barrier(wind_modulation=False))),
    "alpha": (("wind", barrier()), ("wind", barrier(alpha_init=0.5))),
    "blocks": (("wind", barrier()), ("wind", barrier(blocks="all"))),
    "published scan": (("wind", NO_BIAS), ("wind_as_published", NO_BIAS)),
} | {
    kind: (("wind", NO_BIAS), ("wind", {"kind": kind, "blocks": [0]}))
    for kind in KINDS
    if kind != "barrier"
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_changes_the_forecast(network: Build, batch: Batch, switch: str) -> None:
    # at their initial weights scores hardly differ; sharper ones make switches plain to see
    forecasts = []
    for arguments in SWITCHES[switch]:
        model = network(*arguments)
        for block in model.blocks:
            block.attn.qkv.weight.data *= 20
        forecasts.append(model(*batch))
    change = (forecasts[0] - forecasts[1]).abs().max()
    assert change > 1e-4 * forecasts[0].abs().max()


@pytest.mark.parametrize("tokens", [0, 128], ids=["tiled", "dense"])
@pytest.mark.parametrize("scan", ["raster", "wind", "wind_as_published"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_receives_a_gradient(
    network: Build, batch: Batch, kind: str, scan: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "DENSE_TOKENS", tokens)
    model = network(scan, {"kind": kind, "blocks": "all"})
    torch.manual_seed(0)
    for core in model.cores:  # at initial values some gradients are 0 but for rounding
        stir(core.bias.parameters())
    x, lead, _ = batch
    model(x, lead, model.variables).square().sum().backward()
    without_gradient = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    assert without_gradient == []


@pytest.mark.parametrize("scan", ["raster", "wind", "wind_as_published"])
@pytest.mark.parametrize("kind", KINDS)
def test_tiled_network_equals_the_dense_one(
    network: Build, batch: Batch, kind: str, scan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiled network also sorts its tokens by elevation; no forecast may show it."""
    stanza = {"kind": kind, "blocks": [0]}
    dense = network(scan, stanza)(*batch)
    monkeypatch.setattr(choice, "DENSE_TOKENS", 0)
    tiled = network(scan, stanza)
    assert tiled.cores[0].path == "tiled"
    torch.testing.assert_close(tiled(*batch), dense, rtol=1e-4, atol=1e-6)


def test_lead_time_and_out_variables_select(network: Build, batch: Batch) -> None:
    x, lead, names = batch
    model = network()
    forecast = model(x, lead, names)
    assert forecast.shape == (2, 2, 8, 16)
    assert torch.equal(model(x, lead, names[::-1]), forecast.flip(1))
    assert not torch.allclose(model(x, lead + 12, names), forecast)


def test_wrong_inputs_are_named(network: Build, batch: Batch) -> None:
    x, lead, _ = batch
    with pytest.raises(ValueError, match="shape"):
        network()(x[:, :3], lead, ("o3",))
    with pytest.raises(ValueError, match="so3"):
        network()(x, lead, ("so3",))
    with pytest.raises(ValueError, match="divisible"):
        ClimaX(("u",), (7, 16), embed_dim=8, num_heads=2)
    with pytest.raises(ValueError, match="width of 90"):
        ClimaX(("u",), (8, 16), embed_dim=90, num_heads=6)


def test_attention_path_follows_the_number_of_tokens() -> None:
    kinds = [
        type(core)
        for core in build_cores(
            barrier(blocks=[1]), 3, (4, 16), Workload(1, 64, 2, 8, torch.float32, CPU)
        )
    ]
    assert kinds == [PlainAttention, DenseAttention, PlainAttention]
    workload = Workload(1, 8192, 2, 8, torch.float32, CPU)
    large = build_cores(barrier(blocks="all"), 2, (64, 128), workload)
    assert [type(core) for core in large] == [TiledAttention, TiledAttention]
    assert large[0].bias is not large[1].bias


def test_geography_gives_physical_wind_on_the_grid(geography: Geography) -> None:
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(2, 4, 8, 16, generator=generator)
    quarter_turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    geography.to_grid = quarter_turn[:, :, None, None].repeat(1, 1, 8, 16)
    geography.to_earth = quarter_turn.T[:, :, None, None].repeat(1, 1, 8, 16)
    geography.mask[0, 0] = 0
    winds, fields = geography(x)
    inside = geography.mask
    u, v = (x[:, 0] * 4 + 1) * inside, (x[:, 1] * 3 - 2) * inside
    torch.testing.assert_close(winds.grid_ms, torch.stack([v, -u], 1))
    torch.testing.assert_close(winds.earth_ms, torch.stack([-v, u], 1))
    speed = (u.square() + v.square()).sqrt()
    for found, cells in zip(fields[2:], (-v, u, speed), strict=True):
        torch.testing.assert_close(found, cells.view(2, 4, 2, 8, 2).mean((2, 4)).flatten(1))
    assert fields.elevation_m.shape == (2, 32)
    assert fields.patch.tolist() == [list(range(32))] * 2
