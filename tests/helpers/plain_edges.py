"""What wind and terrain do to one pair of patches, from the formulas alone.

Slow and plain on purpose: scalars, no broadcasting, no code of the package.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from airshed.model.geography import Fields, PatchGrid

ROWS, COLUMNS, SAMPLES = 4, 5, 2
SPACING_KM = (40.0, 25.0)
EIGHT = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
FOUR = [(r, c) for r, c in EIGHT if r == 0 or c == 0]


class Edge(NamedTuple):
    """One edge; see :class:`airshed.model.edges.EdgeWind`."""

    along_ms: float
    across_ms: float
    climb_m: float
    rate_per_h: float
    passage: float
    exchange: float
    length_km: float


def patch_grid() -> PatchGrid:
    """Axes that turn from patch to patch, rows that run southwards."""
    angle = torch.linspace(-0.4, 0.4, ROWS * COLUMNS)
    axes = torch.stack(
        [torch.stack([angle.cos(), angle.sin()]), torch.stack([angle.sin(), -angle.cos()])]
    )
    return PatchGrid(ROWS, COLUMNS, SPACING_KM, axes)


def fields(samples: int = SAMPLES, shuffled: bool = True) -> Fields:
    """Terrain up to 5 km and wind of some 8 m/s, each sample with an order of its own."""
    generator = torch.Generator().manual_seed(3)
    tokens = ROWS * COLUMNS
    elevation = 5000 * torch.rand(samples, tokens, generator=generator)
    u, v = 8 * torch.randn(2, samples, tokens, generator=generator)
    at = Fields.in_raster_order(elevation, u, v, torch.hypot(u, v))
    orders = [torch.randperm(tokens, generator=generator) for _ in range(samples)]
    return at.permuted(torch.stack(orders)) if shuffled else at


def edge(at: Fields, sample: int, source: tuple[int, int], target: tuple[int, int]) -> Edge:
    """The edge between two patches in a straight line of rows, columns or diagonals."""
    slot = {int(patch): number for number, patch in enumerate(at.patch[sample])}

    def height(row: int, column: int) -> float:
        return float(at.elevation_m[sample, slot[row * COLUMNS + column]])

    start = source[0] * COLUMNS + source[1]
    east, north = (float(wind[sample, slot[start]]) for wind in (at.u_ms, at.v_ms))
    axes = patch_grid().axes[:, :, start].tolist()
    along_columns = axes[0][0] * east + axes[0][1] * north
    along_rows = axes[1][0] * east + axes[1][1] * north
    down, right = target[0] - source[0], target[1] - source[1]
    length = math.hypot(down * SPACING_KM[0], right * SPACING_KM[1])
    bearing = math.atan2(down * SPACING_KM[0], right * SPACING_KM[1])
    wind, blows = math.hypot(along_columns, along_rows), math.atan2(along_rows, along_columns)
    steps = max(abs(down), abs(right))
    way = [
        height(source[0] + down * part // steps, source[1] + right * part // steps)
        for part in range(steps + 1)
    ]
    climb, barrier = max(way) - way[0], max(way) - min(way[0], way[-1])
    return Edge(
        along_ms=wind * math.cos(blows - bearing),
        across_ms=wind * math.sin(blows - bearing),
        climb_m=climb,
        rate_per_h=max(0.0, 3.6 * wind / length * math.cos(blows - bearing)),
        passage=1 / (1 + math.exp((climb - 1200) / 200)),
        exchange=1 / (1 + math.exp((barrier - 1200) / 200)),
        length_km=length,
    )


def inside(row: int, column: int) -> bool:
    """Whether there is such a patch."""
    return 0 <= row < ROWS and 0 <= column < COLUMNS
