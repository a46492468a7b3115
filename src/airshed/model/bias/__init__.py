"""Attention biases: what terrain, wind and position add to the score of a query and a key.

A bias is one small class: ``features`` gives what it needs to know of every token, ``score`` the
bias of a query and a key from their features. Every attention path calls that one definition; none
of them forms the bias of all N x N pairs at once unless N is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from torch import Tensor

from airshed.biases import BIASES
from airshed.model.bias.base import Bias, Layout
from airshed.model.geography import Fields

__all__ = ["KINDS", "Bias", "build", "dense"]

KINDS: dict[str, type[Bias]] = {kind: resolve_name(bias.where) for kind, bias in BIASES.items()}
"""The class of each bias that :mod:`airshed.biases` registers."""


def build(stanza: Mapping[str, Any], *, grid: tuple[int, int], num_heads: int) -> Bias:
    """A bias from its stanza of configuration.

    Args:
        stanza: ``kind``, and those of its settings that differ from their defaults; ``blocks`` is
            for the network and left out.
        grid: Rows and columns of the patch grid.
        num_heads: Heads of the attention.

    Raises:
        ValueError: The kind is unknown.
    """
    kind = stanza["kind"]
    if kind not in KINDS:
        raise ValueError(f"unknown kind of bias '{kind}'; known: {', '.join(KINDS)}")
    given = {key: value for key, value in stanza.items() if key not in ("kind", "blocks")}
    return KINDS[kind](Layout(*grid, num_heads), **BIASES[kind].defaults | given)


def dense(
    bias: Bias, elevation_m: Tensor, u_ms: Tensor, v_ms: Tensor, wind_speed_ms: Tensor
) -> Tensor:
    """The bias of all pairs of patches, for inspection: [B, 1 or heads, N, N], query before key.

    Args:
        bias: Any bias.
        elevation_m: [B, N] mean elevation of the patches in raster order, m; its dtype
            is that of the result.
        u_ms: [B, N] mean eastward wind, m s-1.
        v_ms: [B, N] mean northward wind, m s-1.
        wind_speed_ms: [B, N] mean wind speed, m s-1.
    """
    fields = Fields.in_raster_order(elevation_m, u_ms, v_ms, wind_speed_ms)
    features = bias.features(fields).detach()
    return bias.tile(features, features).to(elevation_m.dtype)
