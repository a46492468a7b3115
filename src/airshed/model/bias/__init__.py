"""Attention biases: what terrain, wind and position add to the score of a query and a key.

A bias is one small class: ``features`` gives what it needs to know of every token, ``score`` the
bias of a query and a key from their features. Every attention path calls that one definition; none
of them forms the bias of all N x N pairs at once unless N is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from airshed.model.bias.barrier import Barrier, BarrierLookup, BarrierMlp
from airshed.model.bias.base import Bias, Layout
from airshed.model.bias.position import RelativePosition, RelativePosition3d, TopoFlow
from airshed.model.geography import Fields

__all__ = ["KINDS", "Bias", "build", "dense"]

KINDS: dict[str, type[Bias]] = {
    "barrier": Barrier,
    "barrier_lookup": BarrierLookup,
    "barrier_mlp": BarrierMlp,
    "relative_position": RelativePosition,
    "relative_position_3d": RelativePosition3d,
    "topoflow": TopoFlow,
}
"""Every kind of bias by its name in the configuration."""


def build(stanza: Mapping[str, Any], *, grid: tuple[int, int], num_heads: int) -> Bias:
    """A bias from its stanza of configuration.

    Args:
        stanza: ``kind`` and the kind's arguments; ``blocks`` is for the network and left out.
        grid: Rows and columns of the patch grid.
        num_heads: Heads of the attention.

    Raises:
        ValueError: The kind is unknown.
    """
    arguments = {key: value for key, value in stanza.items() if key not in ("kind", "blocks")}
    if stanza["kind"] not in KINDS:
        raise ValueError(f"unknown kind of bias '{stanza['kind']}'; known: {', '.join(KINDS)}")
    return KINDS[stanza["kind"]].from_stanza(Layout(*grid, num_heads), **arguments)


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
