"""Attention paths: plain, dense with a bias, tiled with a bias.

All take q, k, v [B, H, N, d] and the geographic fields of the tokens, and return [B, H, N, d].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from airshed.model.bias import Bias
from airshed.model.geography import Fields

TILE_SCORES = 2**20  # scores held at once by the tiled path (4 MiB in float32)
DENSE_TOKENS = 128  # up to so many tokens the dense path is the cheaper one


class PlainAttention(nn.Module):
    """Softmax attention without a bias."""

    bias: Bias | None = None
    path = "plain"

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return scaled_dot_product_attention(q, k, v)


class DenseAttention(nn.Module):
    """The reference: all scores at once, differentiated by autograd."""

    path = "dense"

    def __init__(self, bias: Bias) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields) -> Tensor:
        """Softmax of scores plus bias, times values."""
        features = self.bias.features(fields)
        scores = (q @ k.mT).to(features.dtype) * q.shape[-1] ** -0.5
        scores = scores + self.bias.score(features, features)
        return scores.softmax(-1).to(v.dtype) @ v


class TiledAttention(nn.Module):
    """Exact attention over tiles of queries; the backward pass recomputes each tile.

    Memory beyond inputs and outputs is one tile of scores, whatever N.
    """

    path = "tiled"

    def __init__(self, bias: Bias, tile_scores: int = TILE_SCORES) -> None:
        super().__init__()
        self.bias = bias
        self.tile_scores = tile_scores

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields) -> Tensor:
        """Softmax of scores plus bias, times values."""
        features = self.bias.features(fields)
        tile = max(1, self.tile_scores // (q.shape[0] * q.shape[1] * q.shape[2]))
        arguments = (q, k, v, features, self.bias, tile, *self.bias.parameters())
        return _Tiled.apply(*arguments)  # type: ignore[no-untyped-call]


class _Tiled(torch.autograd.Function):
    """Softmax over query tiles; gradients from recomputed probabilities.

    With P the probabilities, O the output and dO its gradient, the gradient of the scores is
    P * (dO V^T - rowsum(dO * O)) (Dao et al. 2022, arXiv 2205.14135, appendix B); the bias's
    parameters receive it through the bias's own autograd graph of the tile.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        features: Tensor,
        bias: Bias,
        tile: int,
        *parameters: Tensor,
    ) -> Tensor:
        out = torch.empty_like(v)
        for rows in _tiles(q.shape[2], tile):
            added = bias.score(features[..., rows], features)
            out[:, :, rows] = _probabilities(q, k, rows, added).to(v.dtype) @ v
        ctx.save_for_backward(q, k, v, features, out)
        ctx.bias, ctx.tile, ctx.parameters = bias, tile, parameters
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        q, k, v, features, out = ctx.saved_tensors
        grad_out = grads[0].to(v.dtype)
        correction = (grad_out.to(features.dtype) * out).sum(-1, keepdim=True)
        grad_q = torch.empty_like(q)
        grad_k, grad_v = torch.zeros_like(k), torch.zeros_like(v)
        grad_parameters = [torch.zeros_like(parameter) for parameter in ctx.parameters]
        for rows in _tiles(q.shape[2], ctx.tile):
            with torch.enable_grad():
                added = ctx.bias.score(features[..., rows], features)
            probabilities = _probabilities(q, k, rows, added.detach())
            grad_v += probabilities.to(v.dtype).mT @ grad_out[:, :, rows]
            grad_scores = (grad_out[:, :, rows] @ v.mT).to(features.dtype)
            grad_scores.sub_(correction[:, :, rows]).mul_(probabilities)
            received = torch.autograd.grad(
                added, ctx.parameters, grad_scores.sum_to_size(added.shape)
            )
            for total, part in zip(grad_parameters, received, strict=True):
                total += part
            grad_scores = grad_scores.to(q.dtype)
            grad_q[:, :, rows] = (grad_scores @ k).mul_(_scale(q))
            grad_k += grad_scores.mT @ q[:, :, rows]
        return grad_q, grad_k.mul_(_scale(q)), grad_v, None, None, None, *grad_parameters


def _tiles(tokens: int, tile: int) -> list[slice]:
    return [slice(start, start + tile) for start in range(0, tokens, tile)]


def _scale(q: Tensor) -> float:
    return float(q.shape[-1] ** -0.5)


def _probabilities(q: Tensor, k: Tensor, rows: slice, added: Tensor) -> Tensor:
    """Softmax in the bias's precision, at least float32, over all keys for some queries."""
    scores = (q[:, :, rows] @ k.mT).to(added.dtype)
    return scores.mul_(_scale(q)).add_(added).softmax(-1)


def biased_attention(bias: Bias, tokens: int) -> DenseAttention | TiledAttention:
    """The path that suits so many tokens."""
    return DenseAttention(bias) if tokens <= DENSE_TOKENS else TiledAttention(bias)
