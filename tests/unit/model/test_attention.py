"""The tiled path against the dense one, which autograd differentiates, and against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from airshed.model.attention import DenseAttention, PlainAttention, TiledAttention
from airshed.model.bias import build_bias
from airshed.model.geography import Fields

BATCH, HEADS, TOKENS, WIDTH = 2, 3, 37, 8


def problem(dtype: torch.dtype) -> tuple[list[Tensor], Fields]:
    generator = torch.Generator().manual_seed(0)
    shape = (BATCH, HEADS, TOKENS, WIDTH)
    qkv = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in "qkv"]
    elevation = 5000 * torch.rand(BATCH, TOKENS, generator=generator, dtype=torch.float64) - 200
    speed = 20 * torch.rand(BATCH, TOKENS, generator=generator, dtype=torch.float64)
    precision = torch.promote_types(dtype, torch.float32)
    return qkv, Fields(torch.zeros(1), elevation.to(precision), speed.to(precision))


def run(path: type, dtype: torch.dtype, **options: int) -> list[Tensor]:
    """Output and gradients of q, k, v and alpha, for a loss that weighs every output."""
    qkv, fields = problem(dtype)
    bias = build_bias({"kind": "barrier", "alpha_init": 0.8, "wind_modulation": True})
    bias.to(fields.elevation_m.dtype)
    for tensor in qkv:
        tensor.requires_grad_()
    out = path(bias, **options)(*qkv, fields)
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out).cos()
    (out.double() * weights).sum().backward()
    grads = [tensor.grad for tensor in (*qkv, *bias.parameters())]
    assert all(grad is not None and grad.abs().max() > 0 for grad in grads)
    return [out.detach(), *grads]  # type: ignore[list-item]


@pytest.mark.parametrize("tile", [1, 5, 16, 37, 100])
def test_tiled_equals_dense_in_outputs_and_every_gradient(tile: int) -> None:
    tiled = run(TiledAttention, torch.float64, tile_scores=tile * BATCH * HEADS * TOKENS)
    for found, expected in zip(tiled, run(DenseAttention, torch.float64), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_tiled_in_lower_precision_stays_near_float64(dtype: torch.dtype, tolerance: float) -> None:
    exact = run(DenseAttention, torch.float64)
    for found, expected in zip(run(TiledAttention, dtype, tile_scores=1000), exact, strict=True):
        error = (found.double() - expected).norm() / expected.norm()
        assert error < tolerance


def test_alpha_zero_is_plain_attention() -> None:
    qkv, fields = problem(torch.float64)
    bias = build_bias({"kind": "barrier", "alpha_init": 0.0, "wind_modulation": True}).double()
    expected = scaled_dot_product_attention(*qkv)
    torch.testing.assert_close(TiledAttention(bias)(*qkv, fields), expected)
    torch.testing.assert_close(PlainAttention()(*qkv, None), expected)


def test_tiled_holds_no_score_of_all_pairs() -> None:
    tokens, tile = 512, 16
    fields = Fields(torch.zeros(1), torch.rand(1, tokens) * 1000, torch.rand(1, tokens) * 10)
    bias = build_bias({"kind": "barrier", "alpha_init": 0.2, "wind_modulation": True})
    sizes: list[int] = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = function(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                sizes.append(result.numel())
            return result

    q = torch.randn(1, 2, tokens, 4)
    with Watch():
        TiledAttention(bias, tile_scores=tile * 2 * tokens)(q, q, q, fields)
    assert max(sizes) <= tile * 2 * tokens
