"""Seams between tiles, what is skipped, and what is held in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from airshed.model import bias as biases
from airshed.model import dynamo
from airshed.model.attention import DenseAttention, PlainAttention, TiledAttention, tiled
from airshed.model.geography import Fields

BATCH, HEADS, TOKENS, WIDTH = 2, 3, 37, 8


def build(kind: str = "barrier", tokens: int = TOKENS, **arguments: float) -> biases.Bias:
    return biases.build({"kind": kind, **arguments}, grid=(1, tokens), num_heads=HEADS)


def problem(dtype: torch.dtype, tokens: int = TOKENS) -> tuple[list[Tensor], Fields]:
    """Random q, k, v, and fields sorted by elevation, as the network hands them on."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    qkv = [(4 * random(BATCH, HEADS, tokens, WIDTH) - 2).to(dtype) for _ in "qkv"]
    elevation = (5000 * random(BATCH, tokens) - 200).sort(1).values
    wind = (20 * random(BATCH, tokens) for _ in "uvs")
    return qkv, Fields.in_raster_order(*(field.to(dtype) for field in (elevation, *wind)))


def run(path: type, bias: biases.Bias) -> list[Tensor]:
    """Output and gradients of q, k, v and the bias, for a loss that weighs every output."""
    qkv, fields = problem(torch.float64)
    for tensor in qkv:
        tensor.requires_grad_()
    out = path(bias)(*qkv, fields)
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out).cos()
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), [*qkv, *bias.parameters()])]


@pytest.fixture(params=[1, 5, 16, 37])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Size of all tiles."""
    for name in ("QUERIES", "KEYS", "UNBIASED_KEYS", "SCORES"):
        monkeypatch.setattr(tiled, name, request.param)
    return int(request.param)


@pytest.mark.parametrize("kind", ["barrier", "barrier_lookup", "topoflow"])
def test_tiled_equals_dense_whatever_the_tile(size: int, kind: str) -> None:
    bias = build(kind).double()
    if kind == "barrier_lookup":  # while every entry is 1, its weight does not matter
        bias.table.data += torch.linspace(-1, 1, 320).view(16, 20)
    for found, expected in zip(run(TiledAttention, bias), run(DenseAttention, bias), strict=True):
        assert expected.any()
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_tiles_whose_keys_all_lie_lower_are_never_given_to_the_bias(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("QUERIES", "KEYS", "UNBIASED_KEYS", "SCORES"):
        monkeypatch.setattr(tiled, name, 4)
    bias, asked = build().double(), []
    tile = bias.tile

    def watched(query: Tensor, key: Tensor) -> Tensor:
        asked.append((query[0, 0].min().item(), key[:, 0].max().item()))
        return tile(query, key)

    monkeypatch.setattr(bias, "tile", watched)
    run(TiledAttention, bias)
    assert 0 < len(asked) < 0.8 * 3 * 10 * 10  # forward, and backward for each of two samples
    assert all(highest_key > lowest_query for lowest_query, highest_key in asked)


def test_alpha_zero_is_plain_attention() -> None:
    qkv, fields = problem(torch.float64)
    bias = build(alpha_init=0.0).double()
    expected = scaled_dot_product_attention(*qkv)
    torch.testing.assert_close(TiledAttention(bias)(*qkv, fields), expected)
    torch.testing.assert_close(PlainAttention()(*qkv, None), expected)


@pytest.mark.parametrize("path", [DenseAttention, TiledAttention])
def test_a_frozen_bias_still_lets_gradients_through(path: Callable[..., TiledAttention]) -> None:
    bias = build().double().requires_grad_(False)
    qkv, fields = problem(torch.float64)
    q = qkv[0].requires_grad_()
    path(bias)(*qkv, fields).sum().backward()
    assert q.grad is not None
    assert q.grad.any()


def test_a_bias_without_geography_is_refused() -> None:
    qkv, _ = problem(torch.float64)
    with pytest.raises(ValueError, match="geography"):
        TiledAttention(build())(*qkv, None)


@pytest.mark.parametrize("kind", ["barrier", "barrier_mlp", "relative_position_3d"])
def test_tiled_holds_no_score_of_all_pairs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, sizes = 128, []
    for name in ("QUERIES", "KEYS", "UNBIASED_KEYS", "SCORES"):
        monkeypatch.setattr(tiled, name, 32)
    monkeypatch.setattr(tiled, "PAIR_FLOATS", 2**12)
    qkv, fields = problem(torch.float32, tokens)
    core = TiledAttention(build(kind, tokens))

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = function(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                sizes.append(result.numel())
            return result

    with Watch():
        core(*(tensor.requires_grad_() for tensor in qkv), fields).sum().backward()
    assert max(sizes) < tokens * tokens


def test_every_shape_of_a_compiled_tile_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU whose tiles do not divide the tokens: 4 shapes of one sample and of two, forward
    and backward, are more than the 8 forms that Dynamo allows by itself."""
    torch.compiler.reset()
    tiled._compiled_tile.cache_clear()
    monkeypatch.setattr(tiled, "_compiles", lambda *_: True)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(dynamo, "_kinds", {})
    for name in ("QUERIES", "KEYS", "SCORES"):
        monkeypatch.setattr(tiled, name, 16)
    limits = dict.fromkeys(("recompile_limit", "accumulated_recompile_limit"), 8)
    bias, results = build("relative_position_3d", 24), []
    (q, k, v), fields = problem(torch.float32, 24)
    with torch._dynamo.config.patch(limits | {"fail_on_recompile_limit_hit": True}):
        for samples in (1, 2):
            qkv = [part[:samples].requires_grad_() for part in (q, k, v)]
            fewer = Fields(*(field[:samples] for field in fields))
            for path in (TiledAttention, DenseAttention):
                out = path(bias)(*qkv, fewer)
                results.append([out, *torch.autograd.grad(out.sum(), [*bias.parameters()])])
    tiled._compiled_tile.cache_clear()
    for found, expected in (results[:2], results[2:]):
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
