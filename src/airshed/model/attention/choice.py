"""Which attention path suits a problem, and whether this machine can run it."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor

from airshed.errors import brief
from airshed.model.attention.paths import (
    BiasedAttention,
    DenseAttention,
    FusedAttention,
    TiledAttention,
)
from airshed.model.bias import Bias
from airshed.model.geography import Fields

log = logging.getLogger(__name__)

DENSE_TOKENS = 128  # up to so many tokens the dense path is the cheapest one
TRIAL_SAMPLES, TRIAL_TOKENS = 2, 1024
# Of the largest value. A GPU may multiply float32 in fewer bits; in bfloat16 the gradient of a
# strength, a sum that nearly cancels, is good to some 20 %.
TRIAL_TOLERANCES = {torch.float32: 2e-2, torch.bfloat16: 3e-1}
_lacking: dict[tuple[type[Bias], int], str | None] = {}


def biased_attention(
    bias: Bias, tokens: int, head_dim: int, device: torch.device
) -> BiasedAttention:
    """The path that suits so many tokens, with heads of that width, on a device.

    A GPU gets the fused path if a trial shows that it compiles and agrees with the dense one;
    otherwise the reason is logged and the tiled path is taken.
    """
    if tokens <= DENSE_TOKENS:
        return DenseAttention(bias)
    if device.type == "cpu":
        return TiledAttention(bias)
    reason = _why_not_fused(bias, min(tokens, TRIAL_TOKENS), head_dim, device)
    if reason is None:
        return FusedAttention(bias)
    log.warning("attention with %s is tiled, not fused: %s", type(bias).__name__, reason)
    return TiledAttention(bias)


def _why_not_fused(bias: Bias, tokens: int, head_dim: int, device: torch.device) -> str | None:
    """Why a bias cannot be fused on this machine, or None."""
    if not bias.elementwise:
        return "its score is not elementwise"
    case = (type(bias), head_dim)
    if case not in _lacking:
        try:
            _lacking[case] = _trial(bias, tokens, head_dim, device)
        except Exception as error:  # whatever a compiler may raise
            _lacking[case] = brief(error)
    return _lacking[case]


def _trial(bias: Bias, tokens: int, head_dim: int, device: torch.device) -> str | None:
    """Run fused and dense attention on a small problem, with gradients, and compare."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    shape = (TRIAL_SAMPLES, max(bias.heads, 2), tokens, head_dim)
    qkv, given = [random(*shape).requires_grad_() for _ in "qkv"], random(*shape)
    elevation_and_wind = (size * random(TRIAL_SAMPLES, tokens) for size in (2000, 5, 5, 9))
    fields = Fields.in_raster_order(*elevation_and_wind)

    def results(path: type[BiasedAttention], dtype: torch.dtype) -> list[Tensor]:
        core = path(copy.deepcopy(bias).to(device))
        out = core(*(tensor.to(dtype) for tensor in qkv), fields)
        wanted = [*qkv, *core.bias.parameters()]
        return [out, *torch.autograd.grad(out, wanted, given.to(dtype))]

    expected = results(DenseAttention, torch.float32)
    for dtype, tolerance in TRIAL_TOLERANCES.items():
        worst = max(
            ((one - other).abs().max() / other.abs().max().clamp(min=1e-3)).item()
            for one, other in zip(results(FusedAttention, dtype), expected, strict=True)
        )
        if not worst < tolerance:
            return f"it deviates by {worst:.1e} from the dense path in {dtype}"
    return None
