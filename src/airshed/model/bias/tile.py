"""A bias as the project's own kernels take it: a Triton function, and the shapes that suit it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Shape(NamedTuple):
    """Queries and keys of a tile, warps of a program, and stages of its loads."""

    queries: int
    keys: int
    warps: int = 4
    stages: int = 2

    @property
    def launch(self) -> dict[str, Any]:
        """Options of a launch, as Triton names them."""
        return {"num_warps": self.warps, "num_stages": self.stages}


class Shapes(NamedTuple):
    """Of the forward pass, and of the backward passes over queries and over keys."""

    forward: Shape
    queries: Shape
    keys: Shape


# The fastest of seven to ten each on an H200, bfloat16, 8192 tokens, heads of 96.
LARGE = Shapes(Shape(128, 64, 4, 3), Shape(64, 64, 4, 3), Shape(64, 64, 4, 3))
# Fit in 64 KB of shared memory, which is what an MI250 has; not measured.
SMALL = Shapes(Shape(64, 32, 4, 1), Shape(64, 32, 4, 1), Shape(32, 64, 4, 1))
SINGLE = Shapes(Shape(64, 32, 4, 2), Shape(64, 32, 4, 2), Shape(32, 64, 4, 2))  # float32
INTERPRETED = Shapes(Shape(32, 32), Shape(32, 32), Shape(32, 32))


class Tile(NamedTuple):
    """A bias as a Triton function; a test compares it with ``score``.

    Args:
        function: ``(query0, query1, key0, key1, strength, entry, unit)`` of the first two features
            of queries and keys, which broadcast; and, of what
            :meth:`airshed.model.bias.Bias.learned` gives, the strength times ``unit`` and the
            table's entry for each pair. Returns the bias times ``unit``, and its derivatives by the
            strength and by the entry.
        features: How many of the features are used, at most 2.
        uphill: Whether the bias is exactly 0 for keys not higher than the query.
        table: ``none``, ``bins`` (a few entries for each sample, at most 32, for bins of the first
            feature, key minus query; the bias is ``uphill``), or ``offsets`` (one for each head and
            each offset on the patch grid).
        bin: ``(rise)`` of a difference of first features: its bin, which must not fall as it rises.
        shapes: What suits it on a large GPU in half precision.
    """

    function: Any
    features: int
    uphill: bool = False
    table: str = "none"
    bin: Any = None
    shapes: Shapes = LARGE

    @property
    def places(self) -> bool:
        """Whether a tile must lie on one row of the patch grid."""
        return self.table == "offsets"

    def shapes_for(self, q: Tensor, small: bool) -> Shapes:
        """The shapes for tensors like q [B, H, N, d]; ``small`` ones fit on any GPU."""
        if q.device.type == "cpu":
            return INTERPRETED
        if small:
            return SMALL
        return SINGLE if q.dtype == torch.float32 else self.shapes
