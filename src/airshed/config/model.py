"""Configuration of the network that all variants share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from airshed.config.base import Section
from airshed.config.data import NETWORKS, Count, Fraction, GridShape, Positive
from airshed.config.shapes import Shapes


class ModelConfig(Section):
    """Size of the ClimaX backbone and of the wind scan, shared by all variants.

    ``departs_from`` names the forecast from which networks predict the departure; ``none``: they
    predict fields.
    """

    patch: Annotated[
        Count,
        Shapes("patch_elevation", "scan_tables", "training", "cost", "pace", used_by=NETWORKS),
    ] = 2
    dim: Count = 768
    depth: Count = 6
    decoder_depth: Count = 2
    heads: Count = 8
    mlp_ratio: Positive = 4.0
    drop_path: Fraction = 0.1
    dropout: Fraction = 0.1
    regions: Annotated[GridShape, Shapes("scan_tables", "pace")] = GridShape(rows=32, columns=32)
    sectors: Annotated[Count, Shapes("scan_tables", "pace")] = 16
    departs_from: Annotated[
        Literal["none", "persistence", "damped_persistence"], Shapes("training")
    ] = "none"

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
