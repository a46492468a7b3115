"""Configuration of attention biases: the arguments of each kind, with their defaults.

Names and arguments are those of ``airshed.model.bias.KINDS``; torch is not imported here, so that
planning a study stays quick.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Section

BlockIndex = Annotated[int, Field(ge=0)]
Blocks = Literal["all"] | list[BlockIndex]


class NoBias(Section):
    """Plain attention."""

    kind: Literal["none"] = "none"


class InFirstBlock(Section):
    """A bias that is added in the first block unless the stanza says otherwise."""

    blocks: Blocks = Field(default_factory=lambda: [0])


class BarrierBias(InFirstBlock):
    """Elevation barriers between patches, modulated by wind speed, with a learnable strength."""

    kind: Literal["barrier"]
    alpha_init: float = 0.2
    wind_modulation: bool = True


class BarrierLookupBias(InFirstBlock):
    """The barrier, corrected by a learned table over wind direction and rise."""

    kind: Literal["barrier_lookup"]
    alpha_init: float = 0.1


class BarrierMlpBias(InFirstBlock):
    """The barrier, plus a perceptron of wind and elevation at both ends."""

    kind: Literal["barrier_mlp"]
    alpha_init: float = 0.1


class RelativePositionBias(Section):
    """A learned table over row and column offsets (Swin)."""

    kind: Literal["relative_position"]
    blocks: Blocks = "all"


class RelativePosition3dBias(InFirstBlock):
    """A perceptron of the offsets in column, row and elevation."""

    kind: Literal["relative_position_3d"]


class TopoFlowBias(InFirstBlock):
    """Elevation barriers without wind, plus a table over logarithmic offsets."""

    kind: Literal["topoflow"]
    alpha_init: float = 2.0


Bias = Annotated[
    NoBias
    | BarrierBias
    | BarrierLookupBias
    | BarrierMlpBias
    | RelativePositionBias
    | RelativePosition3dBias
    | TopoFlowBias,
    Field(discriminator="kind"),
]
