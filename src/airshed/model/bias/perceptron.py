"""A small perceptron of the features of a query and a key, for all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class PairPerceptron(nn.Module):
    """A ReLU perceptron whose first layer is a sum of the query's share and the key's.

    The shares are computed of tokens, not of pairs, which saves the first layer's work on pairs.

    Args:
        widths: Numbers of inputs, of hidden units in each layer, and of outputs.

    Attributes:
        precision: In which hidden units are kept and multiplied; None for that of the inputs.
    """

    precision: torch.dtype | None = None

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.first = nn.Linear(widths[0], widths[1])
        self.others = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths[1:]))

    def small_weights(self) -> PairPerceptron:
        """Draw all weights from N(0, 0.01) and set all biases to 0."""
        for layer in (self.first, *self.others):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        return self

    def share(self, inputs: slice, features: Sequence[Tensor]) -> Tensor:
        """What some inputs give to the first layer, without its bias: [..., W] of tensors [...]."""
        stacked = torch.stack(list(features), dim=-1)
        return linear(stacked, self.first.weight[:, inputs].to(stacked.dtype))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Outputs [..., O] from the shares of queries and keys, which broadcast."""
        hidden = query + (key + self.first.bias)
        given, precision = hidden.dtype, self.precision or hidden.dtype
        for module in self.others:
            layer = cast(nn.Linear, module)
            weight, offset = layer.weight.to(precision), layer.bias.to(precision)
            hidden = linear(hidden.relu_().to(precision), weight, offset)
        return hidden.to(given)
