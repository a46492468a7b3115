"""Terrain, wind and scans of any size from nothing, for measurements without data.

Imports torch alone, like :mod:`airshed.model`.
"""

from __future__ import annotations

import torch

from airshed.model.geography import Geography
from airshed.model.scan import SCANS, TABLES, RasterScan, WindScan

HIGHEST_M, WIND_MS, SPACING_KM = 5000, 5.0, (40.0, 25.0)


def random_geography(
    grid: tuple[int, int], patch: int, wind: tuple[int, int] | None = (0, 1)
) -> Geography:
    """Terrain up to 5 km, and wind of about 5 m s-1.

    Args:
        grid: Rows and columns of cells.
        patch: Cells per side of a patch.
        wind: The channels that give the wind, if any do.
    """
    axes = torch.eye(2)[:, :, None, None].repeat(1, 1, *grid)
    patches = grid[0] * grid[1] // patch**2
    return Geography(
        elevation_m=HIGHEST_M * torch.rand(patches, generator=torch.Generator().manual_seed(0)),
        wind_channels=wind,
        wind_mean_ms=torch.zeros(2),
        wind_std_ms=torch.full((2,), WIND_MS),
        to_grid=axes,
        to_earth=axes,
        mask=torch.ones(grid),
        patch_size=patch,
        spacing_km=SPACING_KM,
    )


def computed_scan(
    name: str, patch_grid: tuple[int, int], regions: tuple[int, int], sectors: int, patch: int
) -> RasterScan | WindScan:
    """The scan of that name, its tables computed here."""
    if name not in SCANS:
        return RasterScan()
    scan = SCANS[name]
    return scan(TABLES[scan.tables](patch_grid, regions, sectors, patch))
