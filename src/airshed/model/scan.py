"""Scan orders: in which order the tokens of the patch grid enter the transformer.

A scan is a permutation of the N patches, applied once after variable aggregation and undone before
the head. It is made of precomputed tables and one gather; positional embeddings belong to the
slot, everything geographic stays with the patch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from airshed.model.geography import Fields

TIE_M = 1e-9  # projections that differ by less are equal: cos(pi / 2) is not exactly 0


class Order(NamedTuple):
    """A permutation of tokens for each sample: slot s holds patch ``patch_of_slot[b, s]``."""

    patch_of_slot: Tensor
    slot_of_patch: Tensor

    def apply(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] of patches, put into slots."""
        return _gather(tokens, self.patch_of_slot)

    def restore(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] of slots, put back to their patches."""
        return _gather(tokens, self.slot_of_patch)


def _gather(tokens: Tensor, index: Tensor) -> Tensor:
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


class RasterScan(nn.Module):
    """Row by row: the order in which patches lie in memory."""

    def forward(self, fields: Fields | None) -> None:
        """No permutation."""
        return


class WindScan(nn.Module):
    """Patches of each region ordered from upwind to downwind.

    The patch grid is cut into regions. In each, the speed-weighted mean wind gives a direction on
    the grid, rounded to the nearest sector; the patches follow by their projection on it.

    Args:
        local_order: [sectors, K] from :func:`local_orders`.
        region_token: [R, K] from :func:`region_tokens`.
        region_cells: Rows and columns of grid cells in a region.
    """

    local_order: Tensor
    region_token: Tensor

    def __init__(
        self, local_order: Tensor, region_token: Tensor, region_cells: tuple[int, int]
    ) -> None:
        super().__init__()
        self.region_cells = region_cells
        self.register_buffer("local_order", local_order.long(), persistent=False)
        self.register_buffer("region_token", region_token.long(), persistent=False)

    def forward(self, fields: Fields | None) -> Order:
        """The order of each sample, from its wind.

        Raises:
            ValueError: There is no wind.
        """
        if fields is None:
            raise ValueError("the wind scan needs a geography, which gives the wind on the grid")
        sector = self.sectors(fields.wind_ms)
        tokens = self.region_token.expand(len(sector), -1, -1)
        patch_of_slot = tokens.gather(2, self.local_order[sector]).flatten(1)
        slots = torch.arange(patch_of_slot.shape[1], device=sector.device).expand_as(patch_of_slot)
        slot_of_patch = torch.empty_like(patch_of_slot).scatter_(1, patch_of_slot, slots)
        return Order(patch_of_slot, slot_of_patch)

    def sectors(self, wind_ms: Tensor) -> Tensor:
        """Nearest sector [B, R] of the speed-weighted mean wind; calm regions take sector 0.

        Args:
            wind_ms: [B, 2, Y, X], components along increasing columns and rows, m s-1.
        """
        weighted = wind_ms * wind_ms.norm(dim=1, keepdim=True)
        along_column, along_row = avg_pool2d(weighted, self.region_cells).flatten(2).unbind(1)
        count = len(self.local_order)
        turns = torch.atan2(along_row, along_column) / (2 * math.pi)
        return (turns * count).round().long() % count


def local_orders(region_shape: tuple[int, int], sectors: int) -> Tensor:
    """Order of the patches within a region for each wind sector.

    Args:
        region_shape: Rows and columns of patches in a region.
        sectors: Wind directions told apart; sector k stands for the angle 2 pi k / sectors from
            the direction of increasing columns towards that of increasing rows.

    Returns:
        [sectors, K] int64: local raster indices, upwind first, ties in raster order.
    """
    rows, columns = region_shape
    row, column = torch.meshgrid(
        torch.arange(rows, dtype=torch.float64),
        torch.arange(columns, dtype=torch.float64),
        indexing="ij",
    )
    angle = torch.arange(sectors, dtype=torch.float64)[:, None] * (2 * math.pi / sectors)
    along = column.flatten() * angle.cos() + row.flatten() * angle.sin()
    return (along / TIE_M).round().argsort(dim=1, stable=True)


def region_tokens(patch_grid: tuple[int, int], regions: tuple[int, int]) -> Tensor:
    """Raster indices of the patches of each region.

    Args:
        patch_grid: Rows and columns of patches.
        regions: Rows and columns of regions; they divide the patch grid.

    Returns:
        [R, K] int64; regions and the patches in them in raster order.

    Raises:
        ValueError: The regions do not divide the patch grid.
    """
    (rows, columns), (region_rows, region_columns) = patch_grid, regions
    if rows % region_rows or columns % region_columns:
        raise ValueError(f"{regions} regions do not divide a patch grid of {patch_grid}")
    index = torch.arange(rows * columns).view(
        region_rows, rows // region_rows, region_columns, columns // region_columns
    )
    return index.transpose(1, 2).reshape(region_rows * region_columns, -1)
