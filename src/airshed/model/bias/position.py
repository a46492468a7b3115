"""Biases by relative position on the patch grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from airshed.model.bias.base import Bias, Layout, lookup, taken
from airshed.model.bias.perceptron import PairPerceptron
from airshed.model.bias.tile import LARGE, Shape, Shapes, Tile
from airshed.model.geography import Fields
from airshed.model.triton_language import jit, tl


@jit
def position_tile(query0, query1, key0, key1, strength, entry, unit):  # type: ignore[no-untyped-def]
    """No features; the table has an entry for each offset."""
    return entry * unit, 0.0, 1.0


@jit
def topoflow_tile(query0, query1, key0, key1, strength, entry, unit):  # type: ignore[no-untyped-def]
    """Elevation (km); the table has an entry for each offset."""
    rise = tl.maximum(key0 - query0, 0.0)
    bias = -strength * rise
    inside = tl.where((bias >= -10.0 * unit) & (bias <= 0.0), -rise, 0.0)  # else no derivative
    return tl.minimum(tl.maximum(bias, -10.0 * unit), 0.0) + entry * unit, inside, 1.0


class OffsetTable(nn.Module):
    """A learned number for each head and each bucket of row and of column offset, query minus key.

    Args:
        layout: Patch grid and heads.
        row_bucket: [2 rows - 1] bucket of each row offset, from the most negative.
        column_bucket: [2 columns - 1] the same for columns.
    """

    entry: Tensor

    def __init__(self, layout: Layout, row_bucket: Tensor, column_bucket: Tensor) -> None:
        super().__init__()
        self.layout = layout
        rows, columns = int(row_bucket.max()) + 1, int(column_bucket.max()) + 1
        self.table = nn.Parameter(torch.empty(layout.num_heads, rows, columns))
        nn.init.trunc_normal_(self.table, std=0.02)
        entry = (row_bucket[:, None] * columns + column_bucket).flatten()
        self.register_buffer("entry", entry, persistent=False)

    def entries(self) -> Tensor:
        """The table spread over all offsets: [1, H, (2 rows - 1) (2 columns - 1)]."""
        return self.table.flatten(1).index_select(1, self.entry).unsqueeze(0)

    def place(self, fields: Fields) -> Tensor:
        """A number [B, N] for each patch such that the difference of two gives their offset."""
        columns = self.layout.columns
        row, column = fields.patch // columns, fields.patch % columns
        return (row * (2 * columns - 1) + column).to(fields.elevation_m.dtype)

    def forward(self, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """The entry for a query and a key, each given by its place."""
        offset = (query - key).long() + len(self.entry) // 2
        return lookup(self.table.flatten(1), head, taken(self.entry, offset))


def log_buckets(size: int, buckets: int) -> Tensor:
    """Buckets of the offsets -(size - 1) ... size - 1, half of them for each sign.

    The nearest offsets have a bucket each, the others share buckets whose width grows with the
    logarithm of the distance (Raffel et al. 2020, arXiv 1910.10683, section 2.1).

    Returns:
        [2 size - 1] int64 in 0 ... buckets - 1.
    """
    offset = torch.arange(1 - size, size)
    each = buckets // 2
    near = each // 2
    distance = offset.abs()
    far = torch.log(distance.clamp(min=near).double() / near) / math.log(max(size, near + 1) / near)
    shared = (near + (far * (each - near)).long()).clamp(max=each - 1)
    return torch.where(distance < near, distance, shared) + each * (offset > 0)


class RelativePosition(Bias):
    """A learned table over row and column offsets for each head (Swin, arXiv 2103.14030, eq. 4).

    Args:
        layout: Patch grid and heads.
    """

    tile_function = Tile(
        position_tile,
        features=0,
        table="offsets",
        shapes=LARGE._replace(queries=Shape(64, 64, 4, 2), keys=Shape(64, 64, 4, 2)),
    )

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.heads = layout.num_heads
        rows, columns = (torch.arange(2 * size - 1) for size in layout[:2])
        self.position = OffsetTable(layout, rows, columns)

    def features(self, fields: Fields) -> Tensor:
        """Place on the patch grid."""
        return self.position.place(fields).unsqueeze(1)

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The table's entry of the offset."""
        return self.position(head, query[0], key[0])

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """No strength, and the table."""
        return features.new_zeros(()), self.position.entries()


class RelativePosition3d(Bias):
    """A perceptron 3-64-heads of the offsets in column, row and elevation, key minus query.

    Each offset is scaled by its largest absolute value in the sample.

    Args:
        layout: Patch grid and heads.
    """

    WIDTH = 64
    elementwise = False

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.heads = layout.num_heads
        self.floats_per_pair = 4 * self.WIDTH // self.heads + 4
        self.perceptron = PairPerceptron(3, self.WIDTH, self.heads)

    def features(self, fields: Fields) -> Tensor:
        """Column, row and elevation, each over its range."""
        elevation = fields.elevation_m
        reach = elevation.amax(1, keepdim=True) - elevation.amin(1, keepdim=True)
        row, column = fields.patch // self.layout.columns, fields.patch % self.layout.columns
        return torch.stack(
            [
                column.to(elevation.dtype) / max(1, self.layout.columns - 1),
                row.to(elevation.dtype) / max(1, self.layout.rows - 1),
                elevation / torch.where(reach > 0, reach, 1),  # flat terrain: no offset to scale
            ],
            dim=1,
        )

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The perceptron's output for each head."""
        here, there = (self.perceptron.share(slice(None), tokens) for tokens in (query, key))
        scores: Tensor = self.perceptron(-here, there)
        return scores.squeeze(1).movedim(-1, 1)


class TopoFlow(Bias):
    """``clamp(-alpha relu((e_j - e_i) / 1000), -10, 0)`` plus a table of relative positions.

    The table has 32 buckets along each axis, exact for near offsets and logarithmic for far ones.

    Args:
        layout: Patch grid and heads.
        alpha_init: Initial strength of the barrier.
    """

    BUCKETS = 32
    tile_function = Tile(
        topoflow_tile,
        features=1,
        table="offsets",
        shapes=Shapes(Shape(128, 64, 8, 3), Shape(64, 64, 4, 3), Shape(64, 64, 4, 2)),
    )

    def __init__(self, layout: Layout, alpha_init: float) -> None:
        super().__init__(layout)
        self.heads = layout.num_heads
        self.alpha = nn.Parameter(torch.tensor(float(alpha_init)))
        rows, columns = (log_buckets(size, self.BUCKETS) for size in layout[:2])
        self.position = OffsetTable(layout, rows, columns)

    def features(self, fields: Fields) -> Tensor:
        """Elevation in km, and place on the patch grid."""
        return torch.stack([fields.elevation_m / 1000, self.position.place(fields)], dim=1)

    def score(self, head: Tensor, query: Sequence[Tensor], key: Sequence[Tensor]) -> Tensor:
        """The barrier, shared by all heads, and the position's entry for each head."""
        barrier = (-self.alpha * (key[0] - query[0]).relu()).clamp(-10, 0)
        return barrier + self.position(head, query[1], key[1])

    def learned(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha, and the table."""
        return self.alpha, self.position.entries()
