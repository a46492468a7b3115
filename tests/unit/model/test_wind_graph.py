"""Edges of wind and terrain, and messages along them, against plain loops over edges."""

from __future__ import annotations

from itertools import product

import plain_edges
import pytest
import torch
from plain_edges import COLUMNS, EIGHT, ROWS, SAMPLES, inside
from torch import Tensor

from airshed.model.edges import Edges
from airshed.model.geography import Fields
from airshed.model.scan import Order
from airshed.model.wind_graph import WindGraph

HEADS, WIDTH = 2, 3
PATCHES = list(product(range(ROWS), range(COLUMNS)))


@pytest.mark.parametrize("reaches", [(1,), (1, 3)])
def test_edges_equal_their_formulas(reaches: tuple[int, ...]) -> None:
    edges, at = Edges(plain_edges.patch_grid(), reaches), plain_edges.fields()
    found, compared = edges(at), 0
    for sample in range(SAMPLES):
        for number, (down, right) in enumerate(edges.offsets):
            for target, (row, column) in enumerate(PATCHES):
                source = (row + down, column + right)
                if not inside(*source):
                    assert found.passage[sample, number, target] == 0
                    assert found.exchange[sample, number, target] == 0
                    continue
                expected = plain_edges.edge(at, sample, source, (row, column))
                values = torch.stack([part[sample, number, target] for part in found])
                torch.testing.assert_close(values, torch.tensor(expected[:6]), rtol=1e-4, atol=1e-3)
                compared += 1
    assert compared == SAMPLES * {1: 110, 2: 110 + 34}[len(reaches)]


def plain_messages(core: WindGraph, qkv: list[Tensor], at: Fields) -> Tensor:
    """What every token gains less what it gives away, edge by edge."""
    q, k, v = qkv
    out = torch.zeros_like(q)
    for sample in range(SAMPLES):
        slot = {int(patch): number for number, patch in enumerate(at.patch[sample])}
        for (row, column), (down, right) in product(PATCHES, EIGHT):
            source = (row + down, column + right)
            if not inside(*source):
                continue
            e = plain_edges.edge(at, sample, source, (row, column))
            i, j = slot[row * COLUMNS + column], slot[source[0] * COLUMNS + source[1]]
            attributes = torch.tensor(
                [
                    e.along_ms / 10,
                    e.across_ms / 10,
                    e.climb_m / 1000,
                    e.rate_per_h,
                    e.passage,
                    e.length_km / 100,
                ]
            )
            said = core.attributes.weight.double() @ attributes.double()
            for head in range(HEADS):
                chance = 1 - torch.exp(-e.rate_per_h * core.log_hours[head].exp())
                weight = e.passage * (chance + core.spread[head])
                gate = q[sample, head, i] + k[sample, head, j] + said.view(HEADS, WIDTH)[head]
                message = weight * gate.sigmoid() * v[sample, head, j]
                out[sample, head, i] += message
                out[sample, head, j] -= message
    return out


def graph_problem() -> tuple[WindGraph, list[Tensor], Fields]:
    torch.manual_seed(0)
    core = WindGraph(plain_edges.patch_grid(), HEADS, WIDTH, [1])
    torch.nn.init.normal_(core.attributes.weight)
    core.log_hours.data = torch.tensor([0.5, 2.0])
    core.spread.data = torch.tensor([0.1, 0.3])
    qkv = torch.randn(3, SAMPLES, HEADS, ROWS * COLUMNS, WIDTH, dtype=torch.float64)
    return core, [tensor.requires_grad_() for tensor in qkv], plain_edges.fields()


def test_messages_equal_plain_loops() -> None:
    core, qkv, at = graph_problem()
    found, expected = core(*qkv, at), plain_messages(core, qkv, at)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    given = torch.randn_like(found)
    wanted = [*qkv, *core.parameters()]
    for one, other in zip(
        torch.autograd.grad(found, wanted, given),
        torch.autograd.grad(expected, wanted, given),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_what_is_gained_is_lost_elsewhere() -> None:
    core, qkv, at = graph_problem()
    gained = core(*qkv, at)
    assert gained.abs().max() > 0.1
    torch.testing.assert_close(gained.sum(2), torch.zeros_like(gained[:, :, 0]))


def test_order_of_tokens_does_not_matter() -> None:
    core, qkv, at = graph_problem()
    order = Order(at.patch)
    raster = Fields(*(order.restore(field[..., None])[..., 0] for field in at))
    sorted_qkv = [order.restore(t.transpose(1, 2).flatten(2)) for t in qkv]
    in_raster = [t.view(SAMPLES, -1, HEADS, WIDTH).transpose(1, 2) for t in sorted_qkv]
    found = core(*in_raster, raster).transpose(1, 2).flatten(2)
    expected = core(*qkv, at).transpose(1, 2).flatten(2)
    torch.testing.assert_close(order.apply(found), expected)


def test_a_graph_needs_a_geography() -> None:
    core, qkv, _ = graph_problem()
    with pytest.raises(ValueError, match="geography"):
        core(*qkv, None)
