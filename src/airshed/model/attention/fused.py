"""Biased attention as one GPU kernel (FlexAttention, arXiv 2412.05496).

The kernel evaluates the bias's own ``score`` for every pair in registers. The bias's parameters
are constants to it: as captured tensors their gradients would be one atomic addition per score,
all to the same few addresses. A parameter that is one number a gets its gradient from two more
forward passes. With attention P, scores' bias B and d = dB/da,

    dL/da = sum_ij P_ij d_ij dO_i . (V_j - O_i) = sum_i exp(lse'_i - lse_i) dO_i . (O'_i - O_i),

where O' and lse' are those of the same attention whose scores are added log d: one pass over the
pairs where d > 0, and one, with the other sign, where d < 0. No score is kept. Other parameters,
such as tables, get theirs from a tiled pass over the scores that sums each tile before it adds, and
that skips tiles whose bias is 0.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value
from torch.nn.attention.flex_attention import AuxRequest, flex_attention

from airshed.model.attention.tiled import cut, plan_tiles
from airshed.model.bias import Bias
from airshed.model.dynamo import allow_forms_of

SCORES = 2048  # queries and keys of a tile in the pass for the parameters


def fused_attention(q: Tensor, k: Tensor, v: Tensor, features: Tensor, bias: Bias) -> Tensor:
    """Softmax of scores plus bias, times values.

    Args:
        q: [B, H, N, d].
        k: [B, H, N, d].
        v: [B, H, N, d].
        features: [B, F, N] of the bias.
        bias: What is added to the scores; it must be elementwise.
    """
    numbers = sum(not parameter.dim() for parameter in bias.parameters())
    allow_forms_of(type(bias), 1 + 2 * numbers)  # a pass, and two for each number
    score = score_modifier(_constant(bias), features)
    out, computed = _kernel()(q, k, v, score_mod=score, return_aux=AuxRequest(lse=True))
    learnable = {name: value for name, value in bias.named_parameters() if value.requires_grad}
    given = (out, computed.lse, q, k, v, features, bias, tuple(learnable), *learnable.values())
    learned: Tensor = _Learned.apply(*given)  # type: ignore[no-untyped-call]
    return learned


@functools.cache
def _kernel() -> Callable[..., Any]:
    return torch.compile(flex_attention, dynamic=False)


@functools.cache
def _compiled_grad_bias() -> Callable[..., Tensor]:
    return torch.compile(grad_bias, dynamic=False)


def _constant(module: nn.Module) -> Any:
    """A view of a module whose parameters are not differentiated."""
    view = copy.copy(module)
    view._parameters = {
        name: None if parameter is None else parameter.detach()  # type: ignore[misc]
        for name, parameter in module._parameters.items()
    }
    view._modules = {
        name: None if part is None else _constant(part) for name, part in module._modules.items()
    }
    return view


def score_modifier(bias: Bias, features: Tensor) -> Callable[..., Tensor]:
    """The bias as FlexAttention asks for it: of one score and the indices that it belongs to."""
    count = features.shape[1]

    def modified(score: Tensor, sample: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        query = [features[sample, number, i] for number in range(count)]
        key = [features[sample, number, j] for number in range(count)]
        return score + bias.score(head if bias.heads > 1 else head * 0, query, key)

    return modified


def weighted_modifier(bias: Bias, features: Tensor, name: str, sign: int) -> Callable[..., Tensor]:
    """The bias, and the logarithm of its derivative by one parameter, where that has a sign."""
    count, constant = features.shape[1], _constant(bias)
    value = dict(bias.named_parameters())[name].detach()

    def modified(score: Tensor, sample: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        query = [features[sample, number, i] for number in range(count)]
        key = [features[sample, number, j] for number in range(count)]
        which = head if bias.heads > 1 else head * 0

        def bias_of(parameter: Tensor) -> Tensor:
            found: Tensor = functional_call(constant, {name: parameter}, (which, query, key))
            return found

        derivative, added = grad_and_value(bias_of)(value)
        return score + added + (sign * derivative).relu().log()

    return modified


class _Learned(torch.autograd.Function):
    """Passes the attention's output on, and computes what the bias's parameters receive."""

    @staticmethod
    def forward(
        ctx: Any,
        out: Tensor,
        lse: Tensor,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        features: Tensor,
        bias: Bias,
        names: tuple[str, ...],
        *learnable: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(out, lse, q, k, v, features)
        ctx.bias, ctx.learnable = bias, dict(zip(names, learnable, strict=True))
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        out, lse, q, k, v, features = ctx.saved_tensors
        given = _Attended(out, lse, q, k, v, features, grads[0]), ctx.bias
        tables = {name: value for name, value in ctx.learnable.items() if value.dim()}
        received = dict(zip(tables, tile_gradients(*given, [*tables.values()]), strict=True))
        for name in ctx.learnable.keys() - tables.keys():
            received[name] = number_gradient(*given, name)
        return (grads[0], *[None] * 7, *(received[name] for name in ctx.learnable))


class _Attended(NamedTuple):
    """An attention that was computed, and what its output received.

    ``out``, ``q``, ``k``, ``v`` and ``grad_out`` are [B, H, N, d], ``features`` of the bias
    [B, F, N], and ``lse`` [B, H, N] is the log-sum-exp of the scores, bias included.
    """

    out: Tensor
    lse: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    features: Tensor
    grad_out: Tensor


def number_gradient(attended: _Attended, bias: Bias, name: str) -> Tensor:
    """Gradient of a parameter of the bias that is one number."""
    out, lse, q, k, v, features, grad_out = attended
    total = lse.new_zeros(())
    for sign in (1, -1):
        score = weighted_modifier(bias, features, name, sign)
        other, computed = _kernel()(q, k, v, score_mod=score, return_aux=AuxRequest(lse=True))
        weight = (computed.lse - lse).exp()
        moved = (grad_out.to(lse.dtype) * (other - out)).sum(-1)
        total += sign * torch.where(weight > 0, weight * moved, 0).sum()  # no such pairs: nan
    return total


def tile_gradients(attended: _Attended, bias: Bias, learnable: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of some of the bias's parameters, summed over tiles."""
    if not learnable:
        return []
    out, lse, q, k, v, features, grad_out = attended
    combined = _compiled_grad_bias()
    correction = (grad_out.to(lse.dtype) * out).sum(-1, keepdim=True)
    totals = [torch.zeros_like(parameter) for parameter in learnable]
    scale = float(q.shape[-1] ** -0.5)
    for rows, runs in plan_tiles(bias, features, SCORES, SCORES, skips=bias.uphill):
        for keys in (keys for run in runs if not run.unbiased for keys in cut(run.keys, SCORES)):
            with torch.enable_grad():
                added = bias.tile(features[..., rows], features[..., keys])
            given = combined(
                _product(q[:, :, rows], k[:, :, keys]) * scale,
                _product(grad_out[:, :, rows], v[:, :, keys]),
                added.detach(),
                lse[:, :, rows, None],
                correction[:, :, rows],
            )
            parts = torch.autograd.grad(added, learnable, given.to(added.dtype))
            for total, part in zip(totals, parts, strict=True):
                total += part
    return totals


def grad_bias(
    scores: Tensor, grad_probabilities: Tensor, added: Tensor, lse: Tensor, correction: Tensor
) -> Tensor:
    """Gradient of the bias, summed over the heads that share it."""
    probabilities = (scores + added - lse).exp()
    grad = probabilities * (grad_probabilities - correction)
    return grad if added.shape[1] > 1 else grad.sum(1, keepdim=True)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Left @ right^T, kept in at least float32: the sum over a tile nearly cancels."""
    precision = torch.promote_types(left.dtype, torch.float32)
    if left.dtype == precision or left.device.type == "cpu":
        return left.to(precision) @ right.to(precision).mT
    flat = torch.bmm(left.flatten(0, 1), right.flatten(0, 1).mT, out_dtype=torch.float32)
    return flat.view(*left.shape[:2], *flat.shape[1:])
