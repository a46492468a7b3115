"""Small networks on a random terrain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch

from airshed.bench.problem import computed_scan
from airshed.model import Forecaster, build_model
from airshed.model.build import CLIMAX
from airshed.model.geography import Geography

GRID, PATCH = (8, 16), 2
VARIABLES = ("u", "v", "pm25", "o3")
NO_BIAS: Mapping[str, Any] = {"kind": "none"}
BARRIER: Mapping[str, Any] = {
    "kind": "barrier",
    "blocks": [0],
    "alpha_init": 0.2,
    "wind_modulation": True,
}


@pytest.fixture
def geography() -> Geography:
    """Terrain up to 3 km, and a wind of about 4 m/s."""
    generator = torch.Generator().manual_seed(1)
    return Geography(
        elevation_m=3000 * torch.rand(32, generator=generator),
        wind_channels=(0, 1),
        wind_mean_ms=torch.tensor([1.0, -2.0]),
        wind_std_ms=torch.tensor([4.0, 3.0]),
        to_grid=torch.eye(2)[:, :, None, None].repeat(1, 1, *GRID),
        to_earth=torch.eye(2)[:, :, None, None].repeat(1, 1, *GRID),
        mask=torch.ones(GRID),
        patch_size=PATCH,
        spacing_km=(40.0, 25.0),
    )


@pytest.fixture
def network(geography: Geography) -> Callable[..., Forecaster]:
    """Builds a small network in evaluation mode."""

    def build(
        scan: str = "raster",
        bias: Mapping[str, Any] = NO_BIAS,
        seed: int = 0,
        backbone: Mapping[str, Any] = CLIMAX,
        without: Sequence[str] = (),
    ) -> Forecaster:
        return build_model(
            VARIABLES,
            GRID,
            bias=bias,
            scan=computed_scan(scan, (4, 8), (2, 2), 16, PATCH),
            without=without,
            geography=geography,
            seed=seed,
            backbone=backbone,
            depth=2,
            patch_size=PATCH,
            embed_dim=32,
            num_heads=4,
        ).eval()

    return build


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
    """Two samples with different lead times."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, len(VARIABLES), *GRID, generator=generator)
    return x, torch.tensor([12.0, 96.0]), ("o3", "pm25")
