"""A variant's network, from plain settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from airshed.model import bias as biases
from airshed.model.attention import PlainAttention, biased_attention
from airshed.model.climax import ClimaX
from airshed.model.geography import Geography
from airshed.model.scan import RasterScan, WindScan
from airshed.model.transformer import Core

CPU = torch.device("cpu")


def build_cores(
    stanza: Mapping[str, Any],
    depth: int,
    patch_grid: tuple[int, int],
    num_heads: int,
    head_dim: int,
    device: torch.device,
) -> list[Core]:
    """One attention path for each block: biased in the blocks that the stanza names."""
    if stanza["kind"] == "none":
        return [PlainAttention() for _ in range(depth)]
    tokens = patch_grid[0] * patch_grid[1]
    blocks = range(depth) if stanza["blocks"] == "all" else stanza["blocks"]

    def biased() -> Core:
        bias = biases.build(stanza, grid=patch_grid, num_heads=num_heads)
        return biased_attention(bias, tokens, head_dim, device)

    return [biased() if index in blocks else PlainAttention() for index in range(depth)]


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
    num_heads: int,
    embed_dim: int,
    device: torch.device = CPU,
    **backbone: Any,
) -> ClimaX:
    """A :class:`ClimaX` whose backbone starts from the same weights in every variant of a seed.

    Biases are built under a random state of their own, so that they cannot shift the backbone's.
    The network is built on the CPU; ``device`` is where it will run, which decides how attention
    is computed.
    """
    patch_grid = (grid_size[0] // patch_size, grid_size[1] // patch_size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cores = build_cores(bias, depth, patch_grid, num_heads, embed_dim // num_heads, device)
        torch.manual_seed(seed)
        return ClimaX(
            variables,
            grid_size,
            depth=depth,
            patch_size=patch_size,
            num_heads=num_heads,
            embed_dim=embed_dim,
            geography=geography,
            scan=scan,
            cores=cores,
            **backbone,
        )
