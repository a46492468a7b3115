"""The share of attention that a bias moves, against plain numpy and numbers by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from plain_biases import COLUMNS, HEADS, PLAIN, ROWS, matrix
from torch import Tensor

from airshed.evaluation import attention_mass
from airshed.evaluation.attention_mass import moved_mass
from airshed.model.bias import Bias, build
from airshed.model.geography import Fields

TOKENS, WIDTH = ROWS * COLUMNS, 6


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fields(samples: int, tokens: int, seed: int = 1) -> Fields:
    elevation = 3000 * random(samples, tokens, seed=seed).abs()
    u, v = (5 * random(samples, tokens, seed=seed + offset) for offset in (1, 2))
    return Fields.in_raster_order(elevation, u, v, torch.hypot(u, v))


def numpy_softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def barrier(**settings: float) -> Bias:
    stanza = {"kind": "barrier", **settings}
    return build(stanza, grid=(ROWS, COLUMNS), num_heads=HEADS).double()


@pytest.mark.parametrize("name", ["barrier, strong", "relative_position", "topoflow"])
def test_equals_a_plain_computation_on_a_small_grid(name: str) -> None:
    stanza, pair = PLAIN[name]
    bias = build(stanza, grid=(ROWS, COLUMNS), num_heads=HEADS).double()
    for parameter in bias.parameters():
        if parameter.numel() > 1:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    at = fields(2, TOKENS)
    q, k = random(2, HEADS, TOKENS, WIDTH), random(2, HEADS, TOKENS, WIDTH, seed=9)
    queries = torch.tensor([0, 3, 7])
    found = moved_mass(q, k, bias.features(at), bias, queries)

    samples = [
        {"e": at.elevation_m[n], "u": at.u_ms[n], "v": at.v_ms[n], "s": at.wind_speed_ms[n]}
        for n in range(2)
    ]
    with torch.no_grad():
        added = matrix(pair, dict(bias.named_parameters()), samples).numpy()
    scores = np.einsum("bhid,bhjd->bhij", q.numpy(), k.numpy()) / math.sqrt(WIDTH)
    moved = np.abs(numpy_softmax(scores + added) - numpy_softmax(scores)).sum(-1) / 2
    np.testing.assert_allclose(found, moved[:, :, queries.numpy()].mean((0, 2)), rtol=1e-9)
    assert (found > 0.001).all()


def test_two_tokens_by_hand() -> None:
    """From the valley a barrier of ln 3 turns (1/2, 1/2) into (3/4, 1/4); none from the summit."""
    bias = barrier(alpha_init=math.log(3), wind_modulation=False)
    calm = torch.zeros(1, 2, dtype=torch.float64)
    at = Fields.in_raster_order(
        torch.tensor([[0.0, 2000.0]], dtype=torch.float64), calm, calm, calm
    )
    still = torch.zeros(1, 1, 2, WIDTH, dtype=torch.float64)
    valley, summit = (
        moved_mass(still, still, bias.features(at), bias, torch.tensor([token])) for token in (0, 1)
    )
    assert valley.item() == pytest.approx(0.25)
    assert summit.item() == 0


def zero_strength() -> tuple[Bias, Fields]:
    return barrier(alpha_init=0.0), fields(1, TOKENS)


def flat_land() -> tuple[Bias, Fields]:
    at = fields(1, TOKENS)
    return barrier(), at._replace(elevation_m=torch.full_like(at.elevation_m, 500.0))


@pytest.mark.parametrize("case", [zero_strength, flat_land])
def test_a_zero_bias_moves_nothing(case: object) -> None:
    bias, at = case()  # type: ignore[operator]
    q = 5 * random(1, HEADS, TOKENS, WIDTH)
    found = moved_mass(q, q, bias.features(at), bias, torch.arange(TOKENS))
    assert torch.equal(found, torch.zeros(HEADS, dtype=torch.float64))


def test_an_overwhelming_bias_moves_nearly_everything() -> None:
    """From the lowest token every other is behind a barrier of 10 or more."""
    bias = barrier(alpha_init=1e4, wind_modulation=False)
    calm = torch.zeros(1, TOKENS, dtype=torch.float64)
    heights = torch.arange(TOKENS, dtype=torch.float64)[None] * 300
    at = Fields.in_raster_order(heights, calm, calm, calm)
    still = torch.zeros(1, 1, TOKENS, WIDTH, dtype=torch.float64)
    found = moved_mass(still, still, bias.features(at), bias, torch.tensor([0]))
    assert found.item() == pytest.approx(1 - 1 / TOKENS)


@pytest.mark.parametrize("kind", ["barrier", "barrier_mlp"])
def test_at_full_size_only_some_rows_are_formed_at_once(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    tokens, heads, largest = 8192, 2, []
    bias = build({"kind": kind}, grid=(64, 128), num_heads=heads)
    plain = bias.tile

    def watched(query: Tensor, key: Tensor) -> Tensor:
        largest.append(query.shape[-1] * key.shape[-1] * max(heads, bias.floats_per_pair))
        return plain(query, key)

    monkeypatch.setattr(bias, "tile", watched)
    at = Fields(*(field.float() for field in fields(1, tokens)))
    q = random(1, heads, tokens, 8).float()
    queries = torch.arange(0, tokens, 512)
    together = moved_mass(q, q, bias.features(at), bias, queries)
    assert max(largest) <= attention_mass.TILE_FLOATS < tokens**2
    one_by_one = [moved_mass(q, q, bias.features(at), bias, query[None]) for query in queries]
    torch.testing.assert_close(together, torch.stack(one_by_one).mean(0))
