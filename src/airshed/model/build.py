"""A variant's network, from plain settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from airshed.model.attention import PlainAttention, biased_attention
from airshed.model.bias import build_bias
from airshed.model.climax import ClimaX
from airshed.model.geography import Geography
from airshed.model.scan import RasterScan, WindScan
from airshed.model.transformer import Core


def build_cores(bias: Mapping[str, Any], depth: int, tokens: int) -> list[Core]:
    """One attention path for each block: biased in the blocks that the stanza names."""
    if bias["kind"] == "none":
        return [PlainAttention() for _ in range(depth)]
    blocks = range(depth) if bias["blocks"] == "all" else bias["blocks"]
    return [
        biased_attention(build_bias(bias), tokens) if index in blocks else PlainAttention()
        for index in range(depth)
    ]


def build_scan(
    kind: Literal["raster", "wind"],
    local_order: torch.Tensor,
    region_token: torch.Tensor,
    region_cells: tuple[int, int],
) -> RasterScan | WindScan:
    """The scan of that name, from its tables (see :class:`WindScan`)."""
    return RasterScan() if kind == "raster" else WindScan(local_order, region_token, region_cells)


def build_model(
    variables: Sequence[str],
    grid_size: tuple[int, int],
    *,
    bias: Mapping[str, Any],
    scan: RasterScan | WindScan,
    geography: Geography,
    seed: int,
    depth: int,
    patch_size: int,
    **backbone: Any,
) -> ClimaX:
    """A :class:`ClimaX` whose backbone starts from the same weights in every variant of a seed.

    Biases are built under a random state of their own, so that they cannot shift the backbone's.
    """
    tokens = (grid_size[0] // patch_size) * (grid_size[1] // patch_size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cores = build_cores(bias, depth, tokens)
        torch.manual_seed(seed)
        return ClimaX(
            variables,
            grid_size,
            depth=depth,
            patch_size=patch_size,
            geography=geography,
            scan=scan,
            cores=cores,
            **backbone,
        )
