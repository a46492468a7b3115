"""Which attention path suits a problem, and whether this machine can run it."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor

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
TRIAL_TOKENS, TRIAL_HEAD_DIM = 256, 64
TRIAL_TOLERANCE = 2e-2  # of the largest value; a GPU may multiply float32 in fewer bits
_lacking: dict[type[Bias], str | None] = {}


def biased_attention(bias: Bias, tokens: int, device: torch.device) -> BiasedAttention:
    """The path that suits so many tokens on a device.

    A GPU gets the fused path if a trial shows that it compiles and agrees with the dense one;
    otherwise the reason is logged and the tiled path is taken.
    """
    if tokens <= DENSE_TOKENS:
        return DenseAttention(bias)
    if device.type == "cpu":
        return TiledAttention(bias)
    reason = _why_not_fused(bias, tokens, device)
    if reason is None:
        return FusedAttention(bias)
    log.warning("attention with %s is tiled, not fused: %s", type(bias).__name__, reason)
    return TiledAttention(bias)


def _why_not_fused(bias: Bias, tokens: int, device: torch.device) -> str | None:
    """Why a bias cannot be fused on this machine, or None."""
    if not bias.elementwise:
        return "its score is not elementwise"
    if type(bias) not in _lacking:
        try:
            _lacking[type(bias)] = _trial(bias, min(tokens, TRIAL_TOKENS), device)
        except Exception as error:  # whatever a compiler may raise
            _lacking[type(bias)] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return _lacking[type(bias)]


def _trial(bias: Bias, tokens: int, device: torch.device) -> str | None:
    """Run fused and dense attention on a small problem, with gradients, and compare."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    heads = max(bias.heads, 2)
    qkv = [random(1, heads, tokens, TRIAL_HEAD_DIM).requires_grad_() for _ in "qkv"]
    fields = Fields.in_raster_order(*(size * random(1, tokens) for size in (2000, 5, 5, 9)))
    given = random(1, heads, tokens, TRIAL_HEAD_DIM)
    results = []
    for path in (FusedAttention, DenseAttention):
        core = path(copy.deepcopy(bias).to(device))
        out = core(*qkv, fields)
        wanted = [*qkv, *core.bias.parameters()]
        results.append([out, *torch.autograd.grad(out, wanted, given)])
    worst = max(
        ((one - other).abs().max() / other.abs().max().clamp(min=1e-3)).item()
        for one, other in zip(*results, strict=True)
    )
    return None if worst < TRIAL_TOLERANCE else f"it deviates by {worst:.1e} from the dense path"
