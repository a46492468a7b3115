"""Which attention path suits a problem."""

from __future__ import annotations

from airshed.model.attention.paths import BiasedAttention, DenseAttention, TiledAttention
from airshed.model.bias import Bias

DENSE_TOKENS = 128  # up to so many tokens the dense path is the cheapest one


def biased_attention(bias: Bias, tokens: int) -> BiasedAttention:
    """The path that suits so many tokens."""
    return DenseAttention(bias) if tokens <= DENSE_TOKENS else TiledAttention(bias)
