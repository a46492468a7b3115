"""How much attention a bias moves: the distance between attention with it and without it.

For one query the two are probability distributions over the keys, and half the sum of their
absolute differences (the total variation distance) is the share of attention that has to be moved
to turn one into the other: 0 if the bias changes nothing, 1 if it moves everything.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from airshed.model import Forecaster
from airshed.model.attention import BiasedAttention
from airshed.model.bias import Bias

TILE_FLOATS = 2**24  # numbers that the scores and biases of some queries may take at once
CHOICE_SEED = 0


def moved_mass(q: Tensor, k: Tensor, features: Tensor, bias: Bias, queries: Tensor) -> Tensor:
    """Share of attention that a bias moves, mean over samples and queries.

    ``0.5 sum_j |softmax(s + b)_j - softmax(s)_j|`` with scores s and bias b of all keys j. Rows of
    scores are formed for a few queries at a time and never for all of N x N.

    Args:
        q: [B, H, N, d].
        k: [B, H, N, d].
        features: [B, F, N] of the bias.
        bias: What is added to the scores.
        queries: [Q] indices of the tokens whose attention is looked at.

    Returns:
        [H] in at least float32.
    """
    samples, heads, tokens, width = k.shape
    precision = torch.promote_types(q.dtype, torch.float32)
    total = torch.zeros(heads, dtype=precision, device=q.device)
    numbers_a_query = samples * tokens * max(heads, bias.heads * bias.floats_per_pair)
    with torch.no_grad(), torch.autocast(q.device.type, enabled=False):
        keys = k.to(precision).mT * width**-0.5
        for rows in torch.split(queries, max(1, TILE_FLOATS // numbers_a_query)):
            scores = q[:, :, rows].to(precision) @ keys
            biased = scores + bias.tile(features[..., rows], features)
            total += (biased.softmax(-1) - scores.softmax(-1)).abs().sum((0, 2, 3)) / 2
    return total / (samples * len(queries))


class MovedMass:
    """Watches the biased blocks of a network while it forecasts.

    Used as a context: inside it every forward pass adds what the biases moved.

    Args:
        network: The network, uncompiled.
        queries: How many tokens of each sample are looked at; all of them if there are no more.
            They are drawn once, at random.

    Attributes:
        queries: Indices of these tokens.
        samples: Samples seen so far.
    """

    def __init__(self, network: Forecaster, queries: int) -> None:
        tokens = network.pos_embed.shape[1]
        drawn = torch.randperm(tokens, generator=torch.Generator().manual_seed(CHOICE_SEED))
        self.queries = drawn[:queries].sort().values
        self.samples = 0
        self._cores = {
            block: core
            for block, core in enumerate(network.cores)
            if isinstance(core, BiasedAttention)
        }
        self._totals: dict[int, Tensor] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for block, core in self._cores.items():
            self._handles.append(core.register_forward_pre_hook(self._watcher(block)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _watcher(self, block: int) -> Any:
        def watch(core: BiasedAttention, inputs: tuple[Any, ...]) -> None:
            q, k, _, fields = inputs
            features = core.bias.features(fields).detach()
            moved = moved_mass(q, k, features, core.bias, self.queries.to(q.device)) * len(q)
            self._totals[block] = self._totals.get(block, torch.zeros_like(moved)) + moved
            if block == min(self._cores):
                self.samples += len(q)

        return watch

    def by_head(self) -> dict[int, list[float]]:
        """Mean share of each head, by block."""
        return {
            block: (total / self.samples).tolist() for block, total in sorted(self._totals.items())
        }
