"""The seed configuration on random data: networks, cores, terrain and wind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from airshed.bench.problem import computed_scan, random_geography
from airshed.model import Forecaster, build_model
from airshed.model.attention import BiasedAttention, PlainAttention, biased_attention
from airshed.model.bias import build
from airshed.model.build import CLIMAX
from airshed.model.geography import Fields
from airshed.model.scan import RasterScan, WindScan

HEADS, DIM, DEPTH, PATCH, CHANNELS, REGIONS, SECTORS = 8, 768, 6, 2, 15, (32, 32), 16
SEED_GRID = (128, 256)
PATCH_GRIDS = {512: (16, 32), 2048: (32, 64), 8192: (64, 128)}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

NONE: Mapping[str, Any] = {"kind": "none"}
BARRIER: Mapping[str, Any] = {"kind": "barrier", "blocks": [0]}
VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "climax": ("raster", NONE),
    "wind_baseline": ("wind", NONE),
    "wind_as_published": ("wind_as_published", NONE),
    "physics_mask": ("wind", BARRIER),
    "physics_all_blocks": ("wind", {"kind": "barrier", "blocks": "all"}),
    "physics_alpha_0.5": ("wind", {**BARRIER, "alpha_init": 0.5}),
    "elevation_only": ("wind", {**BARRIER, "wind_modulation": False}),
    "physics_raster": ("raster", BARRIER),
    "physics_lookup": ("wind", {"kind": "barrier_lookup", "blocks": [0]}),
    "physics_mlp": ("wind", {"kind": "barrier_mlp", "blocks": [0]}),
    "physics_finetune": ("wind", BARRIER),
    "swin_bias": ("wind", {"kind": "relative_position", "blocks": "all"}),
    "relative_position_3d": ("wind", {"kind": "relative_position_3d", "blocks": [0]}),
    "topoflow": ("wind", {"kind": "topoflow", "blocks": [0]}),
    "swin": ("raster", NONE),
    "wind_graph_block": ("wind", NONE),
    "wind_graph": ("raster", NONE),
    "advection_diffusion": ("raster", NONE),
}
"""Scan and bias of every variant, as config/variants.yaml has them (a test compares)."""
BACKBONES: dict[str, Mapping[str, Any]] = {
    "swin": {"kind": "swin", "window": 8},
    "wind_graph_block": {"kind": "wind_graph", "blocks": [0], "reaches": [1]},
    "wind_graph": {"kind": "wind_graph", "blocks": "all", "reaches": [1]},
    "advection_diffusion": {"kind": "advection_diffusion", "steps": 12},
}
"""Backbones of the variants that are not ClimaX."""


def scan(name: str, patch_grid: tuple[int, int]) -> RasterScan | WindScan:
    """The scan of that name at the seed configuration; a smaller grid has fewer regions."""
    regions = (min(REGIONS[0], patch_grid[0]), min(REGIONS[1], patch_grid[1]))
    return computed_scan(name, patch_grid, regions, SECTORS, PATCH)


def network(variant: str, grid: tuple[int, int] = SEED_GRID, depth: int = DEPTH) -> Forecaster:
    """A variant's network in training mode."""
    scan_name, bias = VARIANTS[variant]
    patch_grid = (grid[0] // PATCH, grid[1] // PATCH)
    model = build_model(
        [f"channel{number}" for number in range(CHANNELS)],
        grid,
        bias=bias,
        backbone=BACKBONES.get(variant, CLIMAX),
        scan=scan(scan_name, patch_grid),
        geography=random_geography(grid, PATCH),
        seed=0,
        depth=depth,
        patch_size=PATCH,
        num_heads=HEADS,
        device=DEVICE,
        embed_dim=DIM,
    )
    return model.to(DEVICE).train()


def core(kind: str, tokens: int) -> PlainAttention | BiasedAttention:
    """An attention path with a bias of that kind, or none."""
    if kind == "none":
        return PlainAttention()
    bias = build({"kind": kind}, grid=PATCH_GRIDS[tokens], num_heads=HEADS)
    return biased_attention(bias, tokens, DIM // HEADS, DEVICE).to(DEVICE)


def attention_inputs(tokens: int, batch: int) -> tuple[list[Tensor], Fields]:
    """Random q, k, v, and fields from flat land to 5 km and from calm to storm."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, HEADS, tokens, DIM // HEADS)
    qkv = [torch.randn(shape, generator=generator).to(DEVICE).requires_grad_() for _ in "qkv"]
    elevation = 5000 * torch.rand(1, tokens, generator=generator).expand(batch, -1)
    u, v = (8 * torch.randn(batch, tokens, generator=generator) for _ in "uv")
    fields = (elevation, u, v, torch.hypot(u, v))
    return qkv, Fields.in_raster_order(*(field.contiguous().to(DEVICE) for field in fields))
