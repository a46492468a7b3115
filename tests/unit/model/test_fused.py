"""The fused path, as far as a machine without a GPU can show it.

FlexAttention has no backward pass on a CPU. Its contract is small, so a plain version of it stands
in for the kernel: the score function applied to every score, then softmax.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_biases import stir
from torch import Tensor
from torch._dynamo.utils import counters
from torch.nn.attention.flex_attention import AuxOutput, AuxRequest, flex_attention

from airshed.model import bias as biases
from airshed.model.attention import DenseAttention, FusedAttention, TiledAttention, fused
from airshed.model.geography import Fields
from airshed.model.transformer import Block

GRID, HEADS, WIDTH = (3, 7), 2, 8
TOKENS = GRID[0] * GRID[1]
FUSIBLE = [kind for kind, cls in biases.KINDS.items() if cls.elementwise]


def build(kind: str) -> biases.Bias:
    torch.manual_seed(1)
    bias = biases.build({"kind": kind}, grid=GRID, num_heads=HEADS).double()
    stir(bias.parameters())
    return bias


def problem() -> tuple[list[Tensor], Fields]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    qkv = [random(2, HEADS, TOKENS, WIDTH).requires_grad_() for _ in "qkv"]
    fields = (random(2, TOKENS) * size for size in (1800, 5, 5, 9))
    return qkv, Fields.in_raster_order(*fields)


def plain_flex(
    q: Tensor, k: Tensor, v: Tensor, score_mod: Callable[..., Tensor], return_aux: AuxRequest
) -> tuple[Tensor, AuxOutput]:
    """What FlexAttention computes: index by index, with nothing but scalars in the function."""
    assert return_aux.lse
    modified = score_mod
    for position in (3, 2, 1, 0):
        dims = [0 if argument == position else None for argument in range(4)]
        modified = torch.vmap(modified, in_dims=(0, *dims))
    scores = q @ k.mT * q.shape[-1] ** -0.5
    scores = modified(scores, *(torch.arange(size) for size in scores.shape))
    return scores.softmax(-1).to(v.dtype) @ v, AuxOutput(lse=scores.logsumexp(-1))


def output_and_gradients(core: Any) -> list[Tensor]:
    qkv, fields = problem()
    out = core(*qkv, fields)
    weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out).cos()
    wanted = [*qkv, *core.bias.parameters()]
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), wanted)]


@pytest.mark.parametrize("size", [4, 2048])
@pytest.mark.parametrize("kind", FUSIBLE)
def test_output_and_every_gradient_equal_the_dense_path(
    kind: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "_kernel", lambda: plain_flex)
    monkeypatch.setattr(fused, "_compiled_grad_bias", lambda: fused.grad_bias)
    monkeypatch.setattr(fused, "SCORES", size)
    bias = build(kind)
    expected = output_and_gradients(DenseAttention(bias))
    for found, other in zip(output_and_gradients(FusedAttention(bias)), expected, strict=True):
        assert other.any()
        torch.testing.assert_close(found, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", FUSIBLE)
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_takes_the_score_function(kind: str) -> None:
    bias = build(kind).float()
    qkv, fields = problem()
    features = bias.features(Fields(*(f.float() if f.is_floating_point() else f for f in fields)))
    q, k, v = (tensor.detach().float() for tensor in qkv)
    with torch.no_grad():
        score = fused.score_modifier(bias, features)
        found, also = flex_attention(q, k, v, score_mod=score, return_aux=AuxRequest(lse=True))
        scores = q @ k.mT * WIDTH**-0.5 + bias.tile(features, features)
    torch.testing.assert_close(found, scores.softmax(-1) @ v, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(also.lse, scores.logsumexp(-1), rtol=1e-4, atol=1e-5)


def test_the_kernel_never_sees_a_parameter_that_wants_a_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its gradient would be one atomic addition per score."""
    kept: list[bool] = []

    def watching(*qkv: Tensor, score_mod: Any, return_aux: Any) -> tuple[Tensor, AuxOutput]:
        scores = score_mod(*(torch.zeros((), dtype=torch.long) for _ in range(5)))
        kept.append(scores.requires_grad)
        return plain_flex(*qkv, score_mod, return_aux)

    monkeypatch.setattr(fused, "_kernel", lambda: watching)
    qkv, fields = problem()
    for kind in FUSIBLE:
        bias = build(kind)
        FusedAttention(bias)(*qkv, fields)
        assert all(parameter.requires_grad for parameter in bias.parameters())
    assert kept == [False] * len(FUSIBLE)


def test_the_compiler_of_a_block_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled is what the choice of paths timed; traced, it would warn of caches."""
    monkeypatch.setattr(fused, "_kernel", lambda: plain_flex)
    results, programs = [], []
    for path in (FusedAttention, TiledAttention):
        torch.compiler.reset()
        counters.clear()
        torch.manual_seed(2)
        core, (_, fields) = path(build("barrier")), problem()
        block = Block(HEADS * WIDTH, HEADS, 1.0, drop=0.0, drop_path=0.0, core=core).double()
        block.compile(backend="eager")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*lru_cache")
            results.append(block(torch.ones(2, TOKENS, HEADS * WIDTH).double(), fields))
        programs.append(counters["stats"]["unique_graphs"])
    torch.testing.assert_close(*results)
    assert programs[0] == programs[1]  # tiles are not traced either
