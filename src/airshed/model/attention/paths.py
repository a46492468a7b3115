"""How scores become outputs: one component for each way."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from airshed.model.attention.fused import fused_attention
from airshed.model.attention.tiled import tiled_attention
from airshed.model.bias import Bias
from airshed.model.geography import Fields


class PlainAttention(nn.Module):
    """Softmax attention without a bias."""

    bias: Bias | None = None
    path = "plain"
    wants_elevation_order = False

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return scaled_dot_product_attention(q, k, v)


class BiasedAttention(nn.Module):
    """Softmax attention with a bias, by a path that subclasses supply."""

    path: str
    wants_elevation_order = False

    def __init__(self, bias: Bias) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Softmax of scores plus bias, times values.

        Raises:
            ValueError: There are no fields to compute the bias from.
        """
        if fields is None:
            raise ValueError("a biased attention needs a geography, which gives terrain and wind")
        return self.attend(q, k, v, self.bias.features(fields).detach())

    @abstractmethod
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """The same from the bias's features [B, F, N]."""


class DenseAttention(BiasedAttention):
    """The reference: all scores at once, differentiated by autograd."""

    path = "dense"

    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        scores = (q @ k.mT).to(features.dtype) * q.shape[-1] ** -0.5
        scores = scores + self.bias.tile(features, features)
        return scores.softmax(-1).to(v.dtype) @ v


class TiledAttention(BiasedAttention):
    """Exact attention over tiles; see :mod:`airshed.model.attention.tiled`."""

    path = "tiled"

    @property
    def wants_elevation_order(self) -> bool:  # type: ignore[override]
        """Whether tokens sorted by elevation save work."""
        return self.bias.uphill

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return tiled_attention(q, k, v, features, self.bias)


class FusedAttention(BiasedAttention):
    """One kernel on a GPU; see :mod:`airshed.model.attention.fused`."""

    path = "fused"

    @property
    def wants_elevation_order(self) -> bool:  # type: ignore[override]
        """Whether tokens sorted by elevation save work."""
        return self.bias.uphill

    @torch.compiler.disable(recursive=False)  # type: ignore[no-untyped-call,untyped-decorator]
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return fused_attention(q, k, v, features, self.bias)
