"""Configuration of the network that all variants share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from airshed.config.base import Count, Fraction, Positive, Section
from airshed.config.data import NETWORKS
from airshed.config.grids import GridShape
from airshed.config.shapes import Shapes


class ModelConfig(Section):
    """Size of the ClimaX backbone and of the wind scan, shared by all variants."""

    patch: Annotated[
        Count,
        Shapes("patch_elevation", "scan_tables", "training", "cost", "pace", used_by=NETWORKS),
    ] = 2
    """Cells per patch side."""
    dim: Count = 768
    """Length of a token's embedding; a multiple of 4 and of `heads`."""
    depth: Count = 6
    """Number of blocks."""
    decoder_depth: Count = 2
    """Hidden layers of the head."""
    heads: Count = 8
    """Heads of each attention."""
    mlp_ratio: Positive = 4.0
    """Width of a block's perceptron as a multiple of `dim`."""
    drop_path: Fraction = 0.1
    """Rate at which whole branches of the last block are dropped in training; it grows from 0
    in the first block."""
    dropout: Fraction = 0.1
    """Rate of dropout on projections and perceptrons; there is none on attention weights."""
    regions: Annotated[GridShape, Shapes("scan_tables", "pace")] = GridShape(rows=32, columns=32)
    """Wind scan: regions over the patch grid."""
    sectors: Annotated[Count, Shapes("scan_tables", "pace")] = 16
    """Wind scan: wind directions told apart."""
    departs_from: Annotated[
        Literal["none", "persistence", "damped_persistence"], Shapes("training")
    ] = "none"
    """`none`: networks predict fields. `persistence` or `damped_persistence`: they predict, in
    normalised units, the departure from that forecast, and are that forecast before they are
    trained; see docs/training.md#departing-from-a-forecast."""

    @model_validator(mode="after")
    def _dim_can_be_split(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not divisible by heads {self.heads}")
        if self.dim % 4:
            raise ValueError(
                f"dim {self.dim} is not divisible by 4: sine and cosine of row and column each"
                " take a quarter of it"
            )
        return self
