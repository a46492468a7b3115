"""Configuration of backbones: what mixes the tokens, with the arguments of each kind.

Names and arguments are those of ``airshed.model.build``; torch is not imported here, so that
planning a study stays quick.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Count, Section
from airshed.config.biases import Blocks


class ClimaxBackbone(Section):
    """Attention of every token to every other, in all blocks."""

    kind: Literal["climax"] = "climax"
    """What mixes the patches; only `climax` takes a `bias`."""


class SwinBackbone(Section):
    """Attention within shifted windows, in all blocks."""

    kind: Literal["swin"]
    window: Annotated[Count, Field(ge=2)] = 8
    """`swin`: patches per side of a window."""


class WindGraphBackbone(Section):
    """Messages between neighbours along the wind's edges, in blocks that are named."""

    kind: Literal["wind_graph"]
    blocks: Blocks = "all"
    """`wind_graph`: the blocks whose attention it replaces: `all`, or a list from 0."""
    reaches: Annotated[list[Count], Field(min_length=1)] = Field(default_factory=lambda: [1])
    """`wind_graph`: how many patches away neighbours lie, such as `[1, 2]`."""
    terrain: bool = True
    """`wind_graph`: `false`: its messages pass as over flat ground."""


class AdvectionDiffusionBackbone(Section):
    """A latent ODE of diffusion and advection instead of blocks that mix tokens."""

    kind: Literal["advection_diffusion"]
    steps: Count = 12
    """`advection_diffusion`: steps of the solver, each of two evaluations."""


Backbone = Annotated[
    ClimaxBackbone | SwinBackbone | WindGraphBackbone | AdvectionDiffusionBackbone,
    Field(discriminator="kind"),
]
WIND_BACKBONES = ("wind_graph", "advection_diffusion")
"""Those that carry along the wind."""
