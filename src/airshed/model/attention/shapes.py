"""Tile shapes of the kernels, by measurement."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from airshed.model.bias.base import Tile


class Shape(NamedTuple):
    """Queries and keys of a tile, warps of a program, and stages of its loads."""

    queries: int
    keys: int
    warps: int = 4
    stages: int = 2

    @property
    def launch(self) -> dict[str, Any]:
        """How Triton is told."""
        return {"num_warps": self.warps, "num_stages": self.stages}


class Shapes(NamedTuple):
    """Of the forward pass, and of the backward passes over queries and over keys."""

    forward: Shape
    queries: Shape
    keys: Shape


HALF = Shapes(Shape(128, 64, 4, 3), Shape(128, 32, 4, 3), Shape(64, 128, 8, 2))
SINGLE = Shapes(Shape(64, 32, 4, 2), Shape(64, 32, 4, 2), Shape(32, 64, 4, 2))
INTERPRETED = Shapes(Shape(32, 32), Shape(32, 32), Shape(32, 32))


def shapes_for(q: Tensor, tile: Tile) -> Shapes:
    """The shapes for tensors like q [B, H, N, d]."""
    if q.device.type == "cpu":
        return INTERPRETED
    return SINGLE if q.dtype == torch.float32 else HALF
