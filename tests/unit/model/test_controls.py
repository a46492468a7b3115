"""Controls of an ablation: inputs that are left out, and scans in a random order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from airshed.bench.problem import computed_scan
from airshed.model import Forecaster
from airshed.model.scan import hashed, region_tokens

PATCH_GRID, REGIONS, PATCH = (4, 8), (2, 2), 2
BARRIER = {"kind": "barrier", "blocks": [0], "alpha_init": 2.0, "wind_modulation": True}
Build = Callable[..., Forecaster]
NAMES = ("pm25", "o3")


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(5))


def forecast(network: Forecaster, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x, torch.tensor([12.0, 96.0]), NAMES, torch.tensor([400_000, 400_001]))


def without_token(network: Forecaster, place: int) -> dict[str, Tensor]:
    """Its weights without those of one input; the head forecasts all of them anyway."""
    kept = [row for row in range(4) if row != place]
    weights = dict(network.state_dict())
    for name in ("token_embeds.proj_weights", "token_embeds.proj_biases"):
        weights[name] = weights[name][kept]
    weights["var_embed"] = weights["var_embed"][:, kept]
    return weights


@pytest.mark.parametrize(("name", "place"), [("u", 0), ("pm25", 2), ("o3", 3)])
def test_an_input_left_out_changes_nothing_and_all_else_starts_alike(
    network: Build, x: Tensor, name: str, place: int
) -> None:
    whole, lacking = network(), network(without=(name,))
    for key, value in without_token(whole, place).items():
        assert torch.equal(lacking.state_dict()[key], value), key
    changed = x.clone()
    changed[:, place] += 3
    assert torch.equal(forecast(lacking, x), forecast(lacking, changed))
    assert not torch.equal(forecast(whole, x), forecast(whole, changed))
    assert not torch.equal(forecast(lacking, x), forecast(whole, x))


def test_without_an_input_the_aggregation_is_over_the_others(network: Build, x: Tensor) -> None:
    """As if the score of its token were minus infinity, computed from tokens one by one."""
    whole, lacking = network(), network(without=("pm25",))
    embeds = whole.token_embeds
    tokens = torch.einsum("bnvp,vdp->bnvd", embeds.patches(x), embeds.proj_weights.flatten(2))
    tokens = tokens + embeds.proj_biases + whole.var_embed
    query = whole.var_query.expand(2 * 32, 1, -1)
    hidden = torch.tensor([[False, False, True, False]]).expand(2 * 32, -1)
    flat = tokens.flatten(0, 1)
    expected, _ = whole.var_agg(query, flat, flat, key_padding_mask=hidden)
    torch.testing.assert_close(lacking._embed(x).flatten(0, 1), expected[:, 0])


def test_scan_and_bias_still_see_the_wind_that_is_left_out(network: Build, x: Tensor) -> None:
    changed = x.clone()
    changed[:, :2] *= -3
    out = ("u", "v")
    assert not torch.equal(*(forecast(network("wind", without=out), each) for each in (x, changed)))
    biased = network(bias=BARRIER, without=out)
    biased.blocks[0].attn.core.bias.alpha.data += 20  # type: ignore[union-attr,operator]
    assert not torch.equal(forecast(biased, x), forecast(biased, changed))
    blind = network(without=out)
    assert torch.equal(forecast(blind, x), forecast(blind, changed))


def test_the_hash_is_that_of_plain_integers() -> None:
    def plain(number: int) -> int:
        for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
            number = ((number ^ number >> shift) * factor) % 2**32
        return number ^ number >> 15

    numbers = [0, 1, 2, 401_784, 2**31 + 7, 2**32 - 1]
    assert hashed(torch.tensor(numbers)).tolist() == [plain(number) for number in numbers]


def test_a_random_scan_permutes_each_region_by_the_init_time_alone() -> None:
    hours = torch.tensor([401_784, 401_785, 401_784, -5])
    order = computed_scan("random", PATCH_GRID, REGIONS, 16, PATCH)(None, hours)
    again = computed_scan("random", PATCH_GRID, REGIONS, 4, PATCH)(None, hours.flip(0))
    assert torch.equal(order.patch_of_slot, again.patch_of_slot.flip(0))
    assert torch.equal(order.patch_of_slot[0], order.patch_of_slot[2])
    by_region = order.patch_of_slot.view(4, 4, 8)
    regions = region_tokens(PATCH_GRID, REGIONS)
    assert torch.equal(by_region.sort(dim=2).values, regions.expand(4, -1, -1))
    local = (by_region[..., None] == regions[None, :, None]).int().argmax(-1)
    assert len({tuple(each) for each in local[:2].flatten(0, 1).tolist()}) == 8  # none is repeated
    tokens = torch.randn(4, 32, 6)
    assert torch.equal(order.restore(order.apply(tokens)), tokens)


def test_every_order_of_a_random_scan_is_as_likely() -> None:
    """Regions of three patches have six orders."""
    scan = computed_scan("random", (4, 6), (4, 2), 16, PATCH)
    slots = scan(None, torch.arange(400_000, 403_000)).patch_of_slot.view(-1, 8, 3)
    local = slots.argsort(dim=2)
    names, counts = local.flatten(0, 1).unique(dim=0, return_counts=True)
    assert len(names) == 6
    assert chisquare(counts).pvalue > 1e-3
    both = torch.stack([local[:, 0], local[:, 1]], 1).flatten(1)  # regions are independent
    assert chisquare(both.unique(dim=0, return_counts=True)[1]).pvalue > 1e-3


def test_a_random_scan_needs_the_init_time_and_no_wind(network: Build, x: Tensor) -> None:
    made = network("random")
    changed = x.clone()
    changed[:, :2] *= -1
    blind = network("random", without=("u", "v"))
    assert torch.equal(forecast(blind, x), forecast(blind, changed))
    assert not torch.equal(forecast(made, x), forecast(network("raster"), x))
    with pytest.raises(ValueError, match="init times"):
        made(x, torch.tensor([12.0, 96.0]), NAMES)
