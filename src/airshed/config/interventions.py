"""Configuration of interventions: trained networks, scored again with something changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airshed.biases import BIASES
from airshed.config.backbones import WIND_BACKBONES
from airshed.config.base import Count, Section
from airshed.config.data import TableName
from airshed.config.shapes import Shapes
from airshed.config.variants import WIND_SCANS, Variant
from airshed.variables import STATIC, WIND, with_wind

Change = Literal["zero", "mean", "permuted", "other_times", "reversed", "noise"]
Place = Literal["input", "bias", "scan", "backbone"]
PLACES: tuple[Place, ...] = ("input", "bias", "scan", "backbone")
CHANGED = Shapes("interventions")


class Intervention(Section):
    """A change to trained networks: of fields that they read, or of the strength of their bias."""

    label: Annotated[str, Shapes("report")]
    """How the report calls it."""
    fields: Annotated[tuple[str, ...], CHANGED] = ()
    """The inputs that are changed, such as `[elevation]`; `wind` stands for `u` and `v`."""
    change: Annotated[Change | None, CHANGED] = None
    """`zero`: 0 in physical units; `mean`: that of the training split; `permuted`: each cell of
    the domain takes the value of another one, one permutation for each seed; `other_times`: the
    fields of another init time; `reversed`: the wind's direction; `noise`: normal, of the
    field's mean and variance."""
    where: Annotated[Literal["all"] | Place | tuple[Place, ...], CHANGED] = "all"
    """Where networks meet it (the wind graph and the latent ODE read wind and terrain in
    `backbone`): one place, a list, or `all`."""
    strength: Annotated[float | None, Field(ge=0), CHANGED] = None
    """Instead of fields: the factor by which the strength of the bias (alpha) is multiplied,
    such as `0`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        of_fields, of_strength = (bool(self.fields), self.change), self.strength is not None
        if all(of_fields) == of_strength or any(of_fields) != all(of_fields):
            raise ValueError(
                "an intervention has either fields and their change, or a strength: the factor by"
                " which that of the bias is multiplied"
            )
        if of_strength and self.where != "all":
            raise ValueError("where belongs to fields; a strength is that of the bias")
        return self

    @model_validator(mode="after")
    def _can_be_changed(self) -> Self:
        changed = self.changed()
        if self.change == "reversed" and set(changed) != set(WIND):
            raise ValueError("only the wind can be reversed: fields: [wind]")
        constant = [name for name in changed if name in STATIC]
        if self.change == "other_times" and constant:
            raise ValueError(f"{', '.join(constant)} is the same at all times")
        return self

    def changed(self) -> tuple[str, ...]:
        """The fields that are changed, by their names among the inputs."""
        return with_wind(self.fields)

    def affects(self, variant: Variant, inputs: Sequence[str]) -> tuple[Place, ...]:
        """The places where a variant's network with these inputs reads what is changed."""
        kind = variant.bias.kind
        if self.strength is not None:
            return ("bias",) if "alpha_init" in vars(variant.bias) else ()
        fields = set(self.changed())
        wind, terrain = bool(fields.intersection(WIND)), "elevation" in fields
        in_backbone = variant.backbone.kind in WIND_BACKBONES
        climbs = in_backbone and getattr(variant.backbone, "terrain", True)
        reads: dict[Place, bool] = {
            "input": not fields.isdisjoint(set(inputs) - set(variant.left_out())),
            "bias": (wind and variant.bias_reads_wind())
            or (terrain and kind in BIASES and BIASES[kind].terrain),
            "scan": wind and variant.scan in WIND_SCANS,
            "backbone": (wind and in_backbone) or (terrain and climbs),
        }
        return tuple(place for place in self.places() if reads[place])

    def places(self) -> Sequence[Place]:
        """The places where fields are changed."""
        if isinstance(self.where, str):
            return PLACES if self.where == "all" else (self.where,)
        return self.where


class InterventionsConfig(Section):
    """Which interventions a study makes, and at how many init times."""

    apply: Annotated[list[TableName], Shapes("interventions", "interventions_table")] = Field(
        default_factory=list
    )
    """Stanzas of interventions: what is changed in the trained networks, which are then scored
    again (docs/controls.md)."""
    init_every_h: Annotated[Count | None, Shapes("interventions", "interventions_table")] = None
    """Hours between the init times at which they are: a multiple of `splits.test.init_every_h`;
    `null`: at all of them."""
