"""How scores become outputs: one component for each way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from airshed.model.attention.fused import fused_attention
from airshed.model.attention.kernel import kernel_attention, plain_attention
from airshed.model.attention.tiled import tiled_attention
from airshed.model.bias import Bias
from airshed.model.dynamo import uncompiled
from airshed.model.geography import Fields
from airshed.model.scan import Order, elevation_order, place_order, raster_order


class PlainAttention(nn.Module):
    """Softmax attention without a bias."""

    bias: Bias | None = None
    path = "plain"
    order = staticmethod(raster_order)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return scaled_dot_product_attention(q, k, v)


class PlainKernelAttention(PlainAttention):
    """The same by the project's own kernels, whose results are the same in every run."""

    path = "kernel"

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return plain_attention(q, k, v)


class BiasedAttention(nn.Module):
    """Softmax attention with a bias, by a path that subclasses supply."""

    path: str

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

    @property
    def order(self) -> Callable[[Fields | None], Order]:
        """The order of tokens that saves work: by elevation, if lower keys need no bias."""
        return elevation_order if self.bias.uphill else raster_order

    @abstractmethod
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """The same from the bias's features [B, F, N]."""


class DenseAttention(BiasedAttention):
    """The reference: all scores at once, differentiated by autograd."""

    path = "dense"
    order = staticmethod(raster_order)  # type: ignore[assignment]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        scores = (q @ k.mT).to(features.dtype) * q.shape[-1] ** -0.5
        scores = scores + self.bias.tile(features, features)
        return scores.softmax(-1).to(v.dtype) @ v


class TiledAttention(BiasedAttention):
    """Exact attention over tiles; see :mod:`airshed.model.attention.tiled`."""

    path = "tiled"

    @uncompiled()
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return tiled_attention(q, k, v, features, self.bias)


class FusedAttention(BiasedAttention):
    """One kernel on a GPU; see :mod:`airshed.model.attention.fused`."""

    path = "fused"

    @uncompiled(recursive=False)
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return fused_attention(q, k, v, features, self.bias)


class KernelAttention(BiasedAttention):
    """The project's own kernels on a GPU; see :mod:`airshed.model.attention.kernel`."""

    path = "kernel"
    small = False

    @property
    def order(self) -> Callable[[Fields | None], Order]:
        """By elevation, or row by row of the patch grid, which the kernels rely on."""
        tile = self.bias.tile_function
        return place_order if tile is not None and tile.places else super().order

    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return kernel_attention(q, k, v, features, self.bias, self.small)


class SmallKernelAttention(KernelAttention):
    """The same with tiles that fit on any GPU."""

    path = "kernel_small"
    small = True
