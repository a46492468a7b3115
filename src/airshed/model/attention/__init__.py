"""Attention paths: one exact result, computed in the way that suits size and device.

All take q, k, v [B, H, N, d] and the fields of the tokens, and return [B, H, N, d].
"""

from __future__ import annotations

from airshed.model.attention.choice import (
    AUTO,
    Choice,
    Paths,
    biased_attention,
    choose,
    plain_attention,
)
from airshed.model.attention.paths import (
    BiasedAttention,
    DenseAttention,
    FusedAttention,
    HalfTiledAttention,
    KernelAttention,
    PlainAttention,
    TiledAttention,
)
from airshed.model.attention.workload import Workload

__all__ = [
    "AUTO",
    "BiasedAttention",
    "Choice",
    "DenseAttention",
    "FusedAttention",
    "HalfTiledAttention",
    "KernelAttention",
    "Paths",
    "PlainAttention",
    "TiledAttention",
    "Workload",
    "biased_attention",
    "choose",
    "plain_attention",
]
