"""Configuration of backbones: what mixes the tokens, with the arguments of each kind.

Names and arguments are those of ``airshed.model.build``; torch is not imported here, so that
planning a study stays quick.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Section
from airshed.config.biases import Blocks
from airshed.config.data import Count


class ClimaxBackbone(Section):
    """Attention of every token to every other, in all blocks."""

    kind: Literal["climax"] = "climax"


class SwinBackbone(Section):
    """Attention within shifted windows, in all blocks."""

    kind: Literal["swin"]
    window: Annotated[Count, Field(ge=2)] = 8


class WindGraphBackbone(Section):
    """Messages between neighbours along the wind's edges, in blocks that are named."""

    kind: Literal["wind_graph"]
    blocks: Blocks = "all"
    reaches: Annotated[list[Count], Field(min_length=1)] = Field(default_factory=lambda: [1])
    terrain: bool = True


class AdvectionDiffusionBackbone(Section):
    """A latent ODE of diffusion and advection instead of blocks that mix tokens."""

    kind: Literal["advection_diffusion"]
    steps: Count = 12


Backbone = Annotated[
    ClimaxBackbone | SwinBackbone | WindGraphBackbone | AdvectionDiffusionBackbone,
    Field(discriminator="kind"),
]
WIND_BACKBONES = ("wind_graph", "advection_diffusion")
"""Those that carry along the wind."""
