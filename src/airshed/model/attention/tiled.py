"""Exact biased attention over tiles, for a CPU or a GPU that cannot compile a fused kernel.

The forward pass hands the bias to a flash kernel tile by tile and merges tiles by their
log-sum-exp. The backward pass recomputes the scores of a tile from the log-sum-exp (Dao et al.
2022, arXiv 2205.14135, appendix B) because the bias's parameters need the gradient of the scores,
which no flash kernel returns. Runs of keys for which the bias is exactly 0 go to the unbiased
kernels whole. Memory beyond inputs, outputs and their gradients does not grow with N x N.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from airshed.model.bias import Bias
from airshed.model.dynamo import allow_forms_of

QUERIES = 1024  # queries in one call of the flash kernel; fewer make it slower
KEYS = 1024  # keys whose bias is formed at once in the forward pass
UNBIASED_KEYS = 4096  # keys in one call of the unbiased backward kernel, which returns copies
SCORES = 512  # queries and keys of a tile of recomputed scores
PAIR_FLOATS = 2**24  # numbers that forming the bias of one tile may take
GPU_TILE = 2048  # queries and keys at once on a GPU, whose calls are worth their launch when large
GPU_SHARE = 16  # of its memory, a part that forming the bias of one tile may take
# at most: whole ones and what is left at the ends of keys, queries and pieces; in two precisions
TILE_SHAPES = 2 * 8

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def tiled_attention(q: Tensor, k: Tensor, v: Tensor, features: Tensor, bias: Bias) -> Tensor:
    """Softmax of scores plus bias, times values.

    Args:
        q: [B, H, N, d].
        k: [B, H, N, d].
        v: [B, H, N, d].
        features: [B, F, N] of the bias.
        bias: What is added to the scores.
    """
    learnable = [parameter for parameter in bias.parameters() if parameter.requires_grad]
    out: Tensor = _Tiled.apply(q, k, v, features, bias, *learnable)  # type: ignore[no-untyped-call]
    return out


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, features: Tensor, bias: Bias, *learnable: Tensor
    ) -> Tensor:
        out, lse = torch.empty_like(q), q.new_empty(q.shape[:3], dtype=features.dtype)
        size = Sizes.on(q.device).keys
        for rows, runs in _plan(bias, features):
            parts = []
            for run in runs:
                for keys in [run.keys] if run.unbiased else cut(run.keys, size):
                    added = None if run.unbiased else _mask(bias, features, rows, keys)
                    parts.append(_attend(q[:, :, rows], k[:, :, keys], v[:, :, keys], added))
            out[:, :, rows], lse[:, :, rows] = _merged(parts)
        ctx.save_for_backward(q, k, v, features, out, lse)
        ctx.bias, ctx.learnable = bias, learnable
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        q, k, v, features, out, lse = ctx.saved_tensors
        backward = _Backward(q, k, v, features, out, lse, grads[0], ctx.bias, ctx.learnable)
        for rows, runs in _plan(ctx.bias, backward.features):
            for run in runs:
                if run.unbiased:
                    for keys in cut(run.keys, UNBIASED_KEYS):
                        backward.add_unbiased(rows, keys)
                else:
                    for keys in cut(run.keys, backward.sizes.scores):
                        backward.add_biased(rows, keys)
        return (*backward.gradients(), None, None, *backward.grad_learnable)


class Sizes(NamedTuple):
    """How much is computed at once; see the constants of this module."""

    queries: int
    keys: int
    scores: int
    pair_floats: int

    @classmethod
    def on(cls, device: torch.device) -> Sizes:
        """Sizes that suit a device."""
        if device.type == "cpu":
            return cls(QUERIES, KEYS, SCORES, PAIR_FLOATS)
        return cls(GPU_TILE, GPU_TILE, GPU_TILE, _pair_floats(device))

    def queries_at_once(self, bias: Bias, samples: int, keys: slice) -> int:
        """Queries whose pairs with some keys take no more memory than may be taken."""
        pair = samples * bias.heads * bias.floats_per_pair
        most = max(1, self.pair_floats // (pair * (keys.stop - keys.start)))
        return most if most < 32 else 1 << (most.bit_length() - 1)  # few different shapes


@functools.cache
def _pair_floats(device: torch.device) -> int:
    memory = torch.cuda.get_device_properties(device).total_memory
    return int(memory) // GPU_SHARE // 4


def _compiles(bias: Bias, device: torch.device) -> bool:
    """Whether tiles are compiled: a perceptron's on a GPU, where its time goes into memory."""
    return device.type != "cpu" and not bias.elementwise


def _tile(bias: Bias, query: Tensor, key: Tensor) -> Tensor:
    if not _compiles(bias, query.device):
        return bias.tile(query, key)
    allow_forms_of(type(bias), TILE_SHAPES)
    formed: Tensor = _compiled_tile()(bias, query, key)
    return formed


@functools.cache
def _compiled_tile() -> Callable[[Bias, Tensor, Tensor], Tensor]:
    return torch.compile(lambda bias, query, key: bias.tile(query, key), dynamic=False)


class Run(NamedTuple):
    """Consecutive keys; ``unbiased`` if the bias of some queries is exactly 0 for all of them."""

    keys: slice
    unbiased: bool


def _plan(bias: Bias, features: Tensor) -> list[tuple[slice, list[Run]]]:
    skips = bias.uphill and features.device.type == "cpu"  # the unbiased kernels are a CPU's
    sizes = Sizes.on(features.device)
    return plan_tiles(bias, features, sizes.queries, sizes.scores, skips)


def plan_tiles(
    bias: Bias, features: Tensor, queries: int, keys: int, skips: bool
) -> list[tuple[slice, list[Run]]]:
    """Tiles of queries, and the runs of keys that each of them needs.

    Args:
        bias: The bias; one that is 0 for lower keys has its elevation as the first feature.
        features: [B, F, N] of the bias.
        queries: Queries in a tile.
        keys: Keys that are looked at together.
        skips: Whether runs of keys that all lie lower are separated; else there is one run of all.
    """
    every = slice(0, features.shape[2])
    tiles = cut(every, queries)
    if not skips:
        return [(rows, [Run(every, unbiased=False)]) for rows in tiles]
    height = features[:, 0]
    blocks = cut(every, keys)
    highest_key = torch.stack([height[:, keys].amax(1) for keys in blocks])
    plan = []
    for rows in tiles:
        unbiased = (highest_key <= height[:, rows].amin(1)).all(1).tolist()
        grouped = groupby(zip(unbiased, blocks, strict=True), key=itemgetter(0))
        runs = [(flag, [keys for _, keys in group]) for flag, group in grouped]
        plan.append((rows, [Run(slice(g[0].start, g[-1].stop), flag) for flag, g in runs]))
    return plan


def cut(whole: slice, size: int) -> list[slice]:
    """Consecutive slices of at most that size."""
    starts = range(whole.start, whole.stop, size)
    return [slice(start, min(start + size, whole.stop)) for start in starts]


def _mask(bias: Bias, features: Tensor, rows: slice, keys: slice) -> Tensor:
    """Bias [B, heads, Q, K] of a tile, formed in as many pieces as memory asks for."""
    sizes = Sizes.on(features.device)
    pieces = cut(rows, sizes.queries_at_once(bias, len(features), keys))
    tiles = [_tile(bias, features[..., piece], features[..., keys]) for piece in pieces]
    return tiles[0] if len(tiles) == 1 else torch.cat(tiles, dim=2)


def _attend(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor]:
    """Attention [B, H, Q, d] to some keys, and the log-sum-exp [B, H, Q] of their scores."""
    if q.device.type == "cpu":
        out, lse = flash(q, k, v, attn_mask=added, scale=_scale(q))
        return out, lse
    return attend_plainly(q, k, v, added)


def attend_plainly(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same by products of matrices, in at least float32 as the backward pass."""
    precision = torch.promote_types(q.dtype, torch.float32)
    scores = (q.to(precision) * _scale(q)) @ k.to(precision).mT
    scores = scores if added is None else scores + added
    lse = scores.logsumexp(-1)
    return (scores - lse.unsqueeze(-1)).exp().to(v.dtype) @ v, lse


def _merged(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Attention to all keys from that to each part of them."""
    if len(parts) == 1:
        return parts[0]
    lse = torch.stack([part_lse for _, part_lse in parts]).logsumexp(0)
    out = torch.zeros_like(parts[0][0], dtype=lse.dtype)
    for part, part_lse in parts:
        out.addcmul_(part, (part_lse - lse).exp().unsqueeze(-1))
    return out, lse


def _scale(q: Tensor) -> float:
    return float(q.shape[-1] ** -0.5)


class _Backward:
    """Sums the gradients over tiles, in the precision of the features."""

    def __init__(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        features: Tensor,
        out: Tensor,
        lse: Tensor,
        grad_out: Tensor,
        bias: Bias,
        learnable: Sequence[Tensor],
    ) -> None:
        self.q, self.k, self.v, self.out, self.lse = q, k, v, out, lse
        self.features, self.bias, self.learnable = features, bias, learnable
        self.grad_out = grad_out.to(q.dtype)
        precision = features.dtype
        self.correction = (self.grad_out.to(precision) * out).sum(-1, keepdim=True)
        self.sums = [torch.zeros(q.shape, dtype=precision, device=q.device) for _ in "qkv"]
        self.grad_learnable = [torch.zeros_like(parameter) for parameter in learnable]
        self.sizes = Sizes.on(q.device)
        tile = (2, q.shape[1], self.sizes.scores, self.sizes.scores)
        self.buffers = torch.empty(tile, dtype=precision, device=q.device)

    def gradients(self) -> list[Tensor]:
        """Gradients of q, k and v."""
        return [total.to(self.q.dtype) for total in self.sums]

    def add_unbiased(self, rows: slice, keys: slice) -> None:
        """Keys without bias, of all samples."""
        arguments = (self.k[:, :, keys], self.v[:, :, keys], self.out[:, :, rows])
        received = flash_backward(
            self.grad_out[:, :, rows],
            self.q[:, :, rows],
            *arguments,
            self.lse[:, :, rows],
            0.0,
            False,
            scale=_scale(self.q),
        )
        for total, part, where in zip(self.sums, received, (rows, keys, keys), strict=True):
            total[:, :, where] += part

    def add_biased(self, rows: slice, keys: slice) -> None:
        """Keys with a bias, sample by sample and in as many pieces as memory asks for."""
        size = min(self.sizes.scores, self.sizes.queries_at_once(self.bias, 1, keys))
        for piece in cut(rows, size):
            for sample in range(len(self.q)):
                self._add_tile(sample, piece, keys)

    def _add_tile(self, sample: int, rows: slice, keys: slice) -> None:
        precision, scale = self.features.dtype, _scale(self.q)
        q, grad = (part[sample, :, rows].to(precision) for part in (self.q, self.grad_out))
        k, v = (part[sample, :, keys].to(precision) for part in (self.k, self.v))
        grad_q, grad_k, grad_v = (total[sample] for total in self.sums)
        features = self.features[sample : sample + 1]
        with torch.enable_grad():
            added = _tile(self.bias, features[..., rows], features[..., keys])
        probabilities, grad_scores = self.buffers[:, :, : q.shape[1], : k.shape[1]]

        torch.sub(added.detach()[0], self.lse[sample, :, rows, None], out=probabilities)
        probabilities.baddbmm_(q, k.mT, alpha=scale).exp_()
        grad_v[:, keys] += probabilities.mT @ grad  # quicker than accumulating in the product
        torch.bmm(grad, v.mT, out=grad_scores)
        grad_scores.sub_(self.correction[sample, :, rows]).mul_(probabilities)
        grad_q[:, rows].add_(grad_scores @ k, alpha=scale)
        grad_k[:, keys].add_(grad_scores.mT @ q, alpha=scale)
        if self.learnable:
            given = grad_scores[None].sum_to_size(added.shape)
            received = torch.autograd.grad(added, self.learnable, given)
            for total, part in zip(self.grad_learnable, received, strict=True):
                total += part
