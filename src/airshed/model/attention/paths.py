"""How scores become outputs: one component for each way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from airshed.model import triton_language
from airshed.model.attention.fused import fused_attention
from airshed.model.attention.kernel import kernel_attention, plain_attention
from airshed.model.attention.tiled import tiled_attention
from airshed.model.attention.workload import Workload
from airshed.model.bias import Bias
from airshed.model.bias.perceptron import PairPerceptron
from airshed.model.dynamo import uncompiled
from airshed.model.geography import Fields
from airshed.model.scan import Order, elevation_order, place_order, raster_order


def installed(module: str) -> bool:
    """Whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _lacking_triton(workload: Workload) -> str | None:
    if not triton_language.available:
        return "Triton is not installed"
    on_cpu = workload.device.type == "cpu"
    return None if on_cpu == triton_language.interpreted else "its kernels run on a GPU"


class PlainAttention(nn.Module):
    """Softmax attention without a bias."""

    bias: Bias | None = None
    path = "plain"
    order = staticmethod(raster_order)

    @classmethod
    def lacking(cls, workload: Workload) -> str | None:
        """Why this path cannot be taken, before it is tried."""
        return None

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return scaled_dot_product_attention(q, k, v)


class CudnnAttention(PlainAttention):
    """The same by cuDNN, whatever torch itself prefers."""

    path = "cudnn"
    backend = SDPBackend.CUDNN_ATTENTION

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        with sdpa_kernel(self.backend):
            return super().forward(q, k, v, fields)


class FlashAttention(CudnnAttention):
    """The same by FlashAttention-2, which torch brings."""

    path = "flash"
    backend = SDPBackend.FLASH_ATTENTION


class Flash4Attention(PlainAttention):
    """The same by FlashAttention-4 (package ``flash-attn-4``), in half precision."""

    path = "flash4"

    @classmethod
    def lacking(cls, workload: Workload) -> str | None:
        """The package, or half precision."""
        if not installed("flash_attn.cute"):
            return "FlashAttention-4 is not installed"
        return "it takes half precision alone" if workload.dtype == torch.float32 else None

    @uncompiled
    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        from flash_attn.cute import flash_attn_func

        tokens_first = (part.transpose(1, 2) for part in (q, k, v))
        deterministic = torch.are_deterministic_algorithms_enabled()
        out: Tensor = flash_attn_func(*tokens_first, deterministic=deterministic)[0]
        return out.transpose(1, 2)


class PlainKernelAttention(PlainAttention):
    """The same by the project's own kernels, whose results are the same in every run."""

    path = "kernel"

    @classmethod
    def lacking(cls, workload: Workload) -> str | None:
        """Triton, or a GPU."""
        return _lacking_triton(workload)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, fields: Fields | None) -> Tensor:
        """Scaled dot-product attention; fields are not needed."""
        return plain_attention(q, k, v)


class BiasedAttention(nn.Module):
    """Softmax attention with a bias, by a path that subclasses supply."""

    path: str

    @classmethod
    def lacking(cls, bias: Bias, workload: Workload) -> str | None:
        """Why this path cannot be taken for a bias, before it is tried."""
        return None

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
    order = staticmethod(raster_order)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        scores = (q @ k.mT).to(features.dtype) * q.shape[-1] ** -0.5
        scores = scores + self.bias.tile(features, features)
        return scores.softmax(-1).to(v.dtype) @ v


class TiledAttention(BiasedAttention):
    """Exact attention over tiles; see :mod:`airshed.model.attention.tiled`."""

    path = "tiled"

    @uncompiled
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return tiled_attention(q, k, v, features, self.bias)


class HalfTiledAttention(TiledAttention):
    """The same with perceptrons' hidden layers in bfloat16, for which GPUs have matrix units.

    Gradients of what a perceptron learns are then good to a few percent.
    """

    path = "tiled_bfloat16"

    def __init__(self, bias: Bias) -> None:
        super().__init__(bias)
        for perceptron in perceptrons(bias):
            perceptron.precision = torch.bfloat16

    @classmethod
    def lacking(cls, bias: Bias, workload: Workload) -> str | None:
        """A perceptron, a GPU, or a training in bfloat16."""
        if not perceptrons(bias):
            return "the bias has no perceptron"
        if workload.device.type == "cpu":
            return "for a GPU"
        return None if workload.dtype == torch.bfloat16 else "for trainings in bfloat16"


def perceptrons(bias: Bias) -> list[PairPerceptron]:
    """The perceptrons of pairs in a bias."""
    return [module for module in bias.modules() if isinstance(module, PairPerceptron)]


class FusedAttention(BiasedAttention):
    """One kernel on a GPU; see :mod:`airshed.model.attention.fused`."""

    path = "fused"

    @classmethod
    def lacking(cls, bias: Bias, workload: Workload) -> str | None:
        """A GPU, or an elementwise score."""
        if workload.device.type == "cpu":
            return "FlexAttention has no backward pass on a CPU"
        return None if bias.elementwise else "its score is not elementwise"

    @uncompiled
    def attend(self, q: Tensor, k: Tensor, v: Tensor, features: Tensor) -> Tensor:
        """Softmax of scores plus bias, times values."""
        return fused_attention(q, k, v, features, self.bias)


class KernelAttention(BiasedAttention):
    """The project's own kernels on a GPU; see :mod:`airshed.model.attention.kernel`."""

    path = "kernel"
    small = False

    @classmethod
    def lacking(cls, bias: Bias, workload: Workload) -> str | None:
        """Triton, a GPU, or a tile function."""
        if bias.tile_function is None:
            return "the bias has no tile function"
        return _lacking_triton(workload)

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
