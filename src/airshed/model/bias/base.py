"""What every attention bias is: features of the tokens, and a score of any two of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from airshed.model.bias.tile import Tile
from airshed.model.geography import Fields


class Layout(NamedTuple):
    """Where a bias is used: patch grid and heads."""

    rows: int
    columns: int
    num_heads: int


def taken(table: Tensor, *index: Tensor) -> Tensor:
    """``table[index]``, which for single numbers some transforms of torch.func refuse."""
    entry: Tensor = torch.ops.aten.index(table, index)
    return entry


def lookup(table: Tensor, head: Tensor, index: Tensor) -> Tensor:
    """``table[head, index]`` of a learned table [H, n].

    For a tile, ``head`` is [1, H, 1, 1] and ``index`` [B, 1, Q, K]. One gather then takes a
    seventh of the time of indexing, whose backward pass sorts.
    """
    if index.ndim == 0:
        return taken(table, head, index)
    batch, _, queries, keys = index.shape
    entries = table.gather(1, index.view(1, -1).expand(len(table), -1))
    return entries.view(len(table), batch, queries, keys).transpose(0, 1)


class Bias(nn.Module, ABC):
    """A function of query and key, added to the attention scores before softmax.

    ``score`` is the one definition that every attention path calls. Path by path it is handed
    tensors of other shapes, and it must broadcast over them.

    Args:
        layout: Patch grid and heads; a subclass takes its settings after it.
    """

    heads: int = 1
    """Heads with a bias of their own; 1 if all share it."""
    floats_per_pair: int = 8
    """About how many numbers a score takes for each pair, times heads; it limits the tiles."""
    elementwise: bool = True
    """Whether a score is made of scalar operations and lookups alone, so that it can be fused."""
    uphill: bool = False
    """Whether the bias is exactly 0 for keys not higher than the query, by the first feature."""
    tile_function: ClassVar[Tile | None] = None
    """The bias for the project's own kernels, where it has a closed form."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    @abstractmethod
    def features(self, fields: Fields) -> Tensor:
        """What the bias needs of each patch: [B, F, N] in the fields' order, not differentiated."""

    @abstractmethod
    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """Bias of a query and a key in a head, from the F features of each.

        Args:
            head: Index of the head; only of use where ``heads`` is not 1.
            query: F tensors that broadcast with those of ``key`` and with ``head``.
            key: F tensors.
        """

    def forward(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The score, for ``torch.func``, which calls modules."""
        return self.score(head, query, key)

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Strength [] and table [B or 1, H or 1, entries] for the tile function.

        A bias without the one or the other hands zeros, which get no gradient.
        """
        return features.new_zeros(()), features.new_zeros(1, 1, 1)

    def tile(self, query: Tensor, key: Tensor) -> Tensor:
        """Bias [B, heads, Q, K] of all pairs of queries [B, F, Q] and keys [B, F, K].

        Computed in the features' precision, whatever autocast says.
        """
        head = torch.arange(self.heads, device=query.device).view(1, -1, 1, 1)
        with torch.autocast(query.device.type, enabled=False):
            return self.score(
                head, query[:, :, None, :, None].unbind(1), key[:, :, None, None].unbind(1)
            )
