"""Scan orders: in which order the tokens of the patch grid enter the transformer.

A scan is a permutation of the N patches, applied once after variable aggregation and undone before
the head. It is made of precomputed tables and one gather; positional embeddings belong to the
slot, everything geographic stays with the patch. :class:`PublishedWindScan` is the exception that
an ablation measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from airshed.model.geography import Fields, WindFields

TIE = 1e-9  # projections that differ by less are equal: cos(pi / 2) is not exactly 0


class Order:
    """A permutation of tokens for each sample: slot s holds patch ``patch_of_slot[b, s]``.

    Args:
        patch_of_slot: [B, N] int64.
    """

    def __init__(self, patch_of_slot: Tensor) -> None:
        self.patch_of_slot = patch_of_slot
        slots = torch.arange(patch_of_slot.shape[1], device=patch_of_slot.device)
        empty = torch.empty_like(patch_of_slot)
        self.slot_of_patch = empty.scatter_(1, patch_of_slot, slots.expand_as(patch_of_slot))

    def apply(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] of patches, put into slots."""
        return _permuted(tokens, self.patch_of_slot, self.slot_of_patch)

    def fields(self, fields: Fields | None) -> Fields | None:
        """Fields of patches, put into slots."""
        return None if fields is None else fields.permuted(self.patch_of_slot)

    def restore(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] of slots, put back to their patches."""
        return _permuted(tokens, self.slot_of_patch, self.patch_of_slot)


class RasterOrder(Order):
    """The order in which patches lie in memory: slot s holds patch s."""

    def __init__(self) -> None:
        """Holds no permutation."""

    def apply(self, tokens: Tensor) -> Tensor:
        """The tokens as they are."""
        return tokens

    def fields(self, fields: Fields | None) -> Fields | None:
        """The fields as they are."""
        return fields

    def restore(self, tokens: Tensor) -> Tensor:
        """The tokens as they are."""
        return tokens


class UnrestoredOrder(Order):
    """Moves tokens alone: fields stay with the slot, and tokens are never put back."""

    def fields(self, fields: Fields | None) -> Fields | None:
        """The fields as they are."""
        return fields

    def restore(self, tokens: Tensor) -> Tensor:
        """The tokens as they are."""
        return tokens


def raster_order(fields: Fields | None) -> Order:
    """No permutation."""
    return RasterOrder()


def elevation_order(fields: Fields | None) -> Order:
    """From low to high ground, so that attention finds tiles whose keys all lie lower.

    Raises:
        ValueError: There are no fields.
    """
    if fields is None:
        raise ValueError("a biased attention needs a geography, which gives terrain and wind")
    return Order(fields.elevation_m.argsort(dim=1, stable=True))


def place_order(fields: Fields | None) -> Order:
    """Row by row of the patch grid, whatever the scan.

    Raises:
        ValueError: There are no fields.
    """
    if fields is None:
        raise ValueError("a biased attention needs a geography, which gives terrain and wind")
    return Order(fields.patch.argsort(dim=1))


def _permuted(tokens: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
    moved: Tensor = _Permute.apply(tokens, index, inverse)  # type: ignore[no-untyped-call]
    return moved


class _Permute(torch.autograd.Function):
    """Rows of each sample in another order; the gradient goes back by the inverse.

    A gather's own backward pass adds into zeros: slower, and in no fixed order on a GPU.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return _rows(tokens, index)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return _rows(grads[0], inverse), None, None


def _rows(tokens: Tensor, index: Tensor) -> Tensor:
    first = torch.arange(len(tokens), device=tokens.device)[:, None] * tokens.shape[1]
    return tokens.flatten(0, 1).index_select(0, (index + first).flatten()).view_as(tokens)


class Tables(NamedTuple):
    """What a wind scan looks up.

    ``local_order`` [sectors, K]: order of the K patches of a region for each sector of the wind;
    ``region_token`` [R, K]: the raster indices of the patches of each region; ``region_cells``:
    rows and columns of grid cells over which a region's wind is averaged.
    """

    local_order: Tensor
    region_token: Tensor
    region_cells: tuple[int, int]


class RasterScan(nn.Module):
    """Row by row: the order in which patches lie in memory."""

    def forward(self, winds: WindFields | None, init_hours: Tensor | None = None) -> Order:
        """No permutation."""
        return RasterOrder()


class WindScan(nn.Module):
    """Patches of each region ordered from upwind to downwind.

    The patch grid is cut into regions. In each, the speed-weighted mean wind gives a direction on
    the grid, rounded to the nearest sector; the patches follow by their projection on it.

    Args:
        tables: See :func:`wind_tables`.

    Attributes:
        tables: Whose tables a scan looks up, by their name in TABLES.
    """

    order: type[Order] = Order
    tables = "wind"
    local_order: Tensor
    region_token: Tensor

    def __init__(self, tables: Tables) -> None:
        super().__init__()
        self.region_cells = tables.region_cells
        self.register_buffer("local_order", tables.local_order.long(), persistent=False)
        self.register_buffer("region_token", tables.region_token.long(), persistent=False)

    def forward(self, winds: WindFields | None, init_hours: Tensor | None = None) -> Order:
        """The order of each sample, from its wind.

        Raises:
            ValueError: There is no wind.
        """
        if winds is None:
            raise ValueError("the wind scan needs a geography, which gives the wind on the grid")
        sector = self.sectors(self.wind(winds))
        tokens = self.region_token.expand(len(sector), -1, -1)
        return self.order(tokens.gather(2, self.local_order[sector]).flatten(1))

    def wind(self, winds: WindFields) -> Tensor:
        """The wind that decides: along the grid's axes."""
        return winds.grid_ms

    def sectors(self, wind_ms: Tensor) -> Tensor:
        """Nearest sector [B, R] of the speed-weighted mean wind; calm regions take sector 0.

        Args:
            wind_ms: [B, 2, Y, X], m s-1; sectors turn from the first component to the second.
        """
        weighted = wind_ms * wind_ms.norm(dim=1, keepdim=True)
        first, second = avg_pool2d(weighted, self.region_cells).flatten(2).unbind(1)
        count = len(self.local_order)
        turns = torch.atan2(second, first) / (2 * math.pi)
        return (turns * count).round().long() % count


class PublishedWindScan(WindScan):
    """The wind scan as the founding study's code ran it, to measure what that costs.

    A "region" is a run of consecutive raster tokens, while its wind is that of a block of cells
    elsewhere; the wind is read as if rows ran south to north, terrain and wind stay in raster
    order, and tokens are never put back.
    """

    order, tables = UnrestoredOrder, "wind_as_published"

    def wind(self, winds: WindFields) -> Tensor:
        """The wind that decides: eastward and northward, whatever the grid's axes."""
        return winds.earth_ms


class RandomScan(WindScan):
    """Patches of each region in an order that is drawn from the init time, whatever the wind.

    What a wind scan is worth beyond having its tokens shuffled within regions. The order is a
    function of the init time and of nothing else, so that it is the same for all horizons, seeds
    and runs, and after a restart.
    """

    def forward(self, winds: WindFields | None, init_hours: Tensor | None = None) -> Order:
        """The order of each sample, from its init time [B] in hours since 1970.

        Raises:
            ValueError: There is no init time.
        """
        if init_hours is None:
            raise ValueError("the random scan draws its orders from init times, and got none")
        keys = hashed(hashed(init_hours)[:, None, None] ^ hashed(self.region_token))
        tokens = self.region_token.expand(len(keys), -1, -1)
        return self.order(tokens.gather(2, keys.argsort(dim=2, stable=True)).flatten(1))


def hashed(numbers: Tensor) -> Tensor:
    """Numbers [...] int64 mixed to 32 bits that look random, the same on every device.

    Source: Wellons' hash-prospector, a hash of two multiplications whose products fit into 63 bits.
    """
    mixed = numbers & 0xFFFFFFFF
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) & 0xFFFFFFFF
    return mixed ^ (mixed >> 15)


def wind_tables(
    patch_grid: tuple[int, int], regions: tuple[int, int], sectors: int, patch_size: int
) -> Tables:
    """Tables of :class:`WindScan`: rectangular regions, upwind first.

    Raises:
        ValueError: The regions do not divide the patch grid.
    """
    tokens = region_tokens(patch_grid, regions)
    shape = (patch_grid[0] // regions[0], patch_grid[1] // regions[1])
    cells = (shape[0] * patch_size, shape[1] * patch_size)
    return Tables(local_orders(shape, sectors), tokens, cells)


def published_tables(
    patch_grid: tuple[int, int], regions: tuple[int, int], sectors: int, patch_size: int
) -> Tables:
    """Tables of :class:`PublishedWindScan`: runs of raster tokens, and its projection of them.

    Raises:
        ValueError: The regions do not divide the patch grid.
    """
    _, blocks, cells = wind_tables(patch_grid, regions, sectors, patch_size)
    runs = torch.arange(blocks.numel()).view_as(blocks)
    local = torch.arange(blocks.shape[1], dtype=torch.float64)
    columns = patch_grid[1] // regions[1]
    x = 2 * (local % columns) / max(1, patch_grid[1] - 1) - 1
    y = 2 * (local // columns) / max(1, patch_grid[0] - 1) - 1
    angle = _sector_angles(sectors)
    return Tables(_stable_order(x * angle.cos() - y * angle.sin()), runs, cells)


def local_orders(region_shape: tuple[int, int], sectors: int) -> Tensor:
    """Order of the patches within a region for each wind sector.

    Args:
        region_shape: Rows and columns of patches in a region.
        sectors: How many wind directions; sector k stands for the angle 2 pi k / sectors from
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
    angle = _sector_angles(sectors)
    return _stable_order(column.flatten() * angle.cos() + row.flatten() * angle.sin())


def _sector_angles(sectors: int) -> Tensor:
    return torch.arange(sectors, dtype=torch.float64)[:, None] * (2 * math.pi / sectors)


def _stable_order(along: Tensor) -> Tensor:
    return (along / TIE).round().argsort(dim=1, stable=True)


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


SCANS: dict[str, type[WindScan]] = {
    "wind": WindScan,
    "wind_as_published": PublishedWindScan,
    "random": RandomScan,
}
"""Scans that look up tables, by their names in the configuration."""
TABLES: dict[str, Callable[..., Tables]] = {
    "wind": wind_tables,
    "wind_as_published": published_tables,
}
"""What makes the tables, by their names in the prepared data."""
