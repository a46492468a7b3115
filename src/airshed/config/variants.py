"""Configuration of variants: one row of the ablation each, as one stanza of YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airshed.config.base import Section

BlockIndex = Annotated[int, Field(ge=0)]
Blocks = Literal["all"] | list[BlockIndex]


class NoBias(Section):
    """Plain attention."""

    kind: Literal["none"] = "none"


class BarrierBias(Section):
    """Elevation barriers between patches, modulated by wind speed, with a learnable strength."""

    kind: Literal["barrier"]
    blocks: Blocks = Field(default_factory=lambda: [0])
    alpha_init: float = 0.2
    wind_modulation: bool = True


Bias = Annotated[NoBias | BarrierBias, Field(discriminator="kind")]


class Variant(Section):
    """One model to be trained, and which other variant it is compared with."""

    label: str
    scan: Literal["raster", "wind"] = "raster"
    bias: Bias = NoBias()
    reference: str | None = None

    def bias_stanza(self) -> dict[str, Any]:
        """The bias as plain values, as the model package takes it."""
        return self.bias.model_dump(mode="json")
