"""The seed configuration on random data: networks, cores, terrain and wind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from airshed.bench.problem import computed_scan, random_geography
from airshed.model import Forecaster, build_model
from airshed.model.attention import (
    AUTO,
    BiasedAttention,
    PlainAttention,
    Workload,
    biased_attention,
    plain_attention,
)
from airshed.model.bias import build
from airshed.model.build import CLIMAX
from airshed.model.geography import Fields
from airshed.model.scan import RasterScan, WindScan

HEADS, DIM, DEPTH, PATCH, CHANNELS, REGIONS, SECTORS = 8, 768, 6, 2, 15, (32, 32), 16
SEED_GRID = (128, 256)
PATCH_GRIDS = {512: (16, 32), 2048: (32, 64), 8192: (64, 128)}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

CONFIG = Path(__file__).resolve().parents[1] / "config"


@cache
def variants() -> dict[str, Mapping[str, Any]]:
    """The stanza of every variant that studies share."""
    import yaml  # which a machine with torch alone lacks; attention is measured there

    stanzas: dict[str, Mapping[str, Any]]
    stanzas = yaml.safe_load((CONFIG / "variants.yaml").read_text())["variant_stanzas"]
    return stanzas


def scan(name: str, patch_grid: tuple[int, int]) -> RasterScan | WindScan:
    """The scan of that name at the seed configuration; a smaller grid has fewer regions."""
    regions = (min(REGIONS[0], patch_grid[0]), min(REGIONS[1], patch_grid[1]))
    return computed_scan(name, patch_grid, regions, SECTORS, PATCH)


def network(
    variant: str | Mapping[str, Any],
    grid: tuple[int, int] = SEED_GRID,
    depth: int = DEPTH,
    **others: Any,
) -> Forecaster:
    """The network of a variant, or of a stanza, in training mode."""
    stanza = variants()[variant] if isinstance(variant, str) else variant
    patch_grid = (grid[0] // PATCH, grid[1] // PATCH)
    model = build_model(
        [f"channel{number}" for number in range(CHANNELS)],
        grid,
        bias=stanza.get("bias", {"kind": "none"}),
        backbone=stanza.get("backbone", CLIMAX),
        scan=scan(stanza.get("scan", "raster"), patch_grid),
        geography=random_geography(grid, PATCH),
        seed=0,
        depth=depth,
        patch_size=PATCH,
        num_heads=HEADS,
        device=DEVICE,
        embed_dim=DIM,
        **others,
    )
    return model.to(DEVICE).train()


def core(
    kind: str,
    tokens: int,
    samples: int = 1,
    dtype: torch.dtype = torch.float32,
    path: str = AUTO,
) -> PlainAttention | BiasedAttention:
    """An attention path with a bias of that kind, or none."""
    workload = Workload(samples, tokens, HEADS, DIM // HEADS, dtype, DEVICE)
    if kind == "none":
        return plain_attention(workload, path)
    bias = build({"kind": kind}, grid=PATCH_GRIDS[tokens], num_heads=HEADS)
    return biased_attention(bias, workload, path).to(DEVICE)


def attention_inputs(tokens: int, batch: int) -> tuple[list[Tensor], Fields]:
    """Random q, k, v, and fields from flat land to 5 km and from calm to storm."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, HEADS, tokens, DIM // HEADS)
    qkv = [torch.randn(shape, generator=generator).to(DEVICE).requires_grad_() for _ in "qkv"]
    elevation = 5000 * torch.rand(1, tokens, generator=generator).expand(batch, -1)
    u, v = (8 * torch.randn(batch, tokens, generator=generator) for _ in "uv")
    fields = (elevation, u, v, torch.hypot(u, v))
    return qkv, Fields.in_raster_order(*(field.contiguous().to(DEVICE) for field in fields))
