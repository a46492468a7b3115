"""Configuration of variants: one row of the ablation each, as one stanza of YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from airshed.biases import BIASES
from airshed.config.backbones import WIND_BACKBONES, Backbone, ClimaxBackbone
from airshed.config.base import Count, Positive, Section
from airshed.config.biases import Bias, NoBias
from airshed.config.data import NETWORKS
from airshed.config.grids import GridShape
from airshed.config.shapes import Shapes
from airshed.config.training import STEP, WEIGHTS, Precision
from airshed.variables import with_wind


class Pretrained(Section):
    """A checkpoint in microsoft/ClimaX's form to start from."""

    checkpoint: Annotated[str, Shapes("training", content=True)]
    """Path of the checkpoint."""
    variables: Annotated[list[str], Field(min_length=1)]
    """Its channels in order, in this project's names."""
    patch_grid: GridShape | None = None
    """Its patch grid; needed unless columns are twice the rows."""


NETWORK = Shapes("training", "cost", "pace", used_by=NETWORKS)
SCAN = Shapes("scan_tables", "pace")


WIND_SCANS = ("wind", "wind_as_published")
"""Those that follow the wind."""

Family = Literal["primary", "control"]
"""The family of comparisons in which a variant's verdict is adjusted for multiple tests."""


class Variant(Section):
    """One model to be trained, and which other variant it is compared with."""

    label: Annotated[str, Shapes("report")]
    """How the report calls it."""
    backbone: Annotated[Backbone, NETWORK] = ClimaxBackbone()
    scan: Annotated[Literal["raster", "wind", "wind_as_published", "random"], NETWORK] = "raster"
    """`raster`: rows of patches; `wind`: patches of each region ordered from upwind to
    downwind; `wind_as_published`: the founding study's behaviour; `random`: patches of each
    region in an order drawn from the init time."""
    regions: Annotated[GridShape | None, SCAN] = None
    """This variant's own regions instead of `model.regions`."""
    sectors: Annotated[Count | None, SCAN] = None
    """This variant's own wind directions instead of `model.sectors`."""
    without: Annotated[tuple[str, ...], NETWORK] = ()
    """Inputs that the network does not see, such as `[elevation]`; `wind` stands for `u` and
    `v`. Bias and scan still see the geography (docs/controls.md)."""
    bias: Annotated[Bias, NETWORK] = NoBias()
    reference: Annotated[str | None, Shapes("cost", "comparison")] = None
    """The variant that it is compared with."""
    family: Annotated[Family | None, Shapes("comparison")] = None
    """With which other variants its overall verdict stands together (docs/statistics.md).
    Unless given, `control` for `without`, `scan: random`, a `seed_offset` and a variant that
    trains on from `start_from` without any other change, else `primary`."""
    start_from: Annotated[str | None, Shapes("training", used_by=("comparison",))] = None
    """A variant whose best weights of the same seed this one starts from."""
    pretrained: Annotated[Pretrained | None, Shapes("training")] = None
    """A checkpoint of ClimaX, or of a training with Lightning's Trainer, to start from; see
    docs/pretrained.md."""
    learning_rate: Annotated[Positive | None, WEIGHTS] = None
    """This variant's own peak learning rate instead of `train.learning_rate`."""
    precision: Annotated[Precision | None, STEP] = None
    """This variant's own precision instead of `train.precision`."""
    seed_offset: Annotated[int, Field(ge=0), Shapes("training", used_by=("comparison",))] = 0
    """Added to the study's seeds when this variant is trained: a second, independent set of
    trainings of a model that the study has already (`studies/aa.yaml`)."""

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.start_from is not None and self.pretrained is not None:
            raise ValueError("start_from and pretrained exclude each other: give one of them")
        return self

    @model_validator(mode="after")
    def _geometry_needs_regions(self) -> Self:
        if self.scan == "raster" and (self.regions or self.sectors):
            raise ValueError("regions and sectors are of no use to the scan 'raster'")
        return self

    @model_validator(mode="after")
    def _biases_need_attention(self) -> Self:
        if self.bias.kind != "none" and self.backbone.kind != "climax":
            raise ValueError(
                f"a bias is added to attention among all tokens, which the backbone"
                f" '{self.backbone.kind}' does not have: leave out one of the two"
            )
        return self

    @model_validator(mode="after")
    def _pretrained_weights_need_blocks(self) -> Self:
        if self.pretrained is not None and self.backbone.kind == "advection_diffusion":
            raise ValueError(
                "pretrained: the backbone 'advection_diffusion' has none of a transformer's"
                " blocks, which are what a checkpoint of ClimaX holds"
            )
        return self

    def reading_wind(self) -> list[str]:
        """Its parts that need the wind at the init time, by their keys in the stanza."""
        bias, backbone = self.bias.kind, self.backbone.kind
        parts = {
            f"scan '{self.scan}'": self.scan in WIND_SCANS,
            f"bias '{bias}'": self.bias_reads_wind(),
            f"backbone '{backbone}'": backbone in WIND_BACKBONES,
        }
        return [name for name, reads in parts.items() if reads]

    def bias_reads_wind(self) -> bool:
        """Whether its bias needs the wind."""
        kind, modulated = self.bias.kind, getattr(self.bias, "wind_modulation", True)
        return kind in BIASES and BIASES[kind].wind and modulated

    def attends(self) -> bool:
        """Whether any of its blocks attends to all patches."""
        return self.backbone.kind == "climax" or getattr(self.backbone, "blocks", "all") != "all"

    def left_out(self) -> tuple[str, ...]:
        """The inputs that the network does not see."""
        return with_wind(self.without)

    def backbone_stanza(self) -> dict[str, Any]:
        """The backbone as plain values, as the model package takes it."""
        return self.backbone.model_dump(mode="json")

    def bias_stanza(self) -> dict[str, Any]:
        """The bias as plain values, as the model package takes it."""
        return self.bias.model_dump(mode="json")
