"""The study: the root of the configuration, with the checks that cross sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from airshed.config.base import Section, unknown_key_message
from airshed.config.biases import Blocks
from airshed.config.data import (
    Count,
    DatasetConfig,
    Fraction,
    GridShape,
    Name,
    Positive,
    Splits,
)
from airshed.config.variants import Variant

Horizon = Annotated[int, Field(ge=1)]


class ModelConfig(Section):
    """Size of the ClimaX backbone and of the wind scan, shared by all variants."""

    patch: Count = 2
    dim: Count = 768
    depth: Count = 6
    decoder_depth: Count = 2
    heads: Count = 8
    mlp_ratio: Positive = 4.0
    drop_path: Fraction = 0.1
    dropout: Fraction = 0.1
    regions: GridShape = GridShape(rows=32, columns=32)
    sectors: Count = 16

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


class TrainConfig(Section):
    """Optimisation (AdamW; linear warm-up, then cosine) and all else that shapes a result."""

    epochs: Count = 1
    batch_size: Count = 2
    accumulate: Count = 4
    learning_rate: Positive = 1.5e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    clip: Positive = 1.0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    compile: Literal["auto", "always", "never"] = "auto"
    recompute_blocks: bool = False
    threads: Count = 1
    workers: Annotated[int, Field(ge=0)] = 0
    log_every_steps: Count = 10


class JobsConfig(Section):
    """What a training job asks for; no result depends on it, so changing it repeats nothing."""

    checkpoint_every_min: Positive = 10.0
    mem_mb: Count = 4000
    runtime_min: Count = 60


class EvaluationConfig(Section):
    """How trained models are scored."""

    batch_size: Count = 16


class ComparisonConfig(Section):
    """Paired block bootstrap and the verdict."""

    margin: Fraction = 0.01
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    resamples: Annotated[int, Field(ge=1000)] = 4000
    block_length_h: Count = 96
    seed: Annotated[int, Field(ge=0)] = 0


class Study(Section):
    """A set of variants, seeds, data and training settings with one report."""

    study: Name
    variants: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    horizons_h: Annotated[list[Horizon], Field(min_length=1)]
    dataset: DatasetConfig
    splits: Splits
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    jobs: JobsConfig = JobsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    comparison: ComparisonConfig = ComparisonConfig()
    variant_stanzas: dict[Name, Variant]

    @model_validator(mode="after")
    def _cross_checks(self) -> Self:
        self._check_lists()
        self._check_splits()
        self._check_grids()
        self._check_variants()
        return self

    def _check_lists(self) -> None:
        for key in ("variants", "seeds", "horizons_h"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f"{key}: the same value stands there twice: {values}")
        step = self.dataset.time_step_h
        wrong = [horizon for horizon in self.horizons_h if horizon % step]
        if wrong:
            raise ValueError(f"horizons_h: {wrong} are not multiples of the time step of {step} h")

    def _check_splits(self) -> None:
        for name in ("train", "validation", "test"):
            split = getattr(self.splits, name)
            if not self.dataset.period.contains(split):
                raise ValueError(
                    f"splits.{name} ({split}) must lie inside dataset.period"
                    f" ({self.dataset.period})"
                )
            if len(split.days) * 24 <= max(self.horizons_h):
                raise ValueError(
                    f"splits.{name} has {len(split.days) * 24} h, too few for a horizon of"
                    f" {max(self.horizons_h)} h: input and target lie in the same split"
                )

    def _check_grids(self) -> None:
        grid, patch, regions = self.dataset.grid, self.model.patch, self.model.regions
        for axis in ("rows", "columns"):
            cells, parts = getattr(grid, axis), getattr(regions, axis)
            if cells % patch:
                raise ValueError(
                    f"dataset.grid.{axis} {cells} is not divisible by model.patch {patch}"
                )
            if (cells // patch) % parts:
                raise ValueError(
                    f"model.regions.{axis} {parts} does not divide the patch grid's"
                    f" {cells // patch} {axis}"
                )

    def _check_variants(self) -> None:
        for name in self.variants:
            if name not in self.variant_stanzas:
                message = unknown_key_message(name, list(self.variant_stanzas))
                raise ValueError(f"variants: {message.replace('key', 'variant')}")
            for key in ("reference", "start_from"):
                other = getattr(self.variant_stanzas[name], key)
                if other is not None and (other not in self.variants or other == name):
                    raise ValueError(
                        f"variants.{name}: its {key} '{other}' is not another variant of"
                        f" this study ({', '.join(self.variants)})"
                    )
            self._check_blocks(name)
            self._check_starts(name)

    def _check_blocks(self, name: str) -> None:
        blocks: Blocks = getattr(self.variant_stanzas[name].bias, "blocks", "all")
        if blocks != "all" and any(block >= self.model.depth for block in blocks):
            raise ValueError(
                f"variants.{name}: bias.blocks {blocks} exceed the model's depth of"
                f" {self.model.depth} blocks (numbered from 0)"
            )

    def _check_starts(self, name: str) -> None:
        chain = [name]
        while (start := self.variant_stanzas[chain[-1]].start_from) in self.variant_stanzas:
            chain.append(str(start))
            if chain.count(chain[-1]) > 1:
                raise ValueError(f"variants.{name}: start_from leads back: {' <- '.join(chain)}")
        given = self.variant_stanzas[name].pretrained
        if given is not None and len(set(given.variables)) != len(given.variables):
            raise ValueError(f"variants.{name}: pretrained.variables names one of them twice")

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of the patch grid."""
        grid, patch = self.dataset.grid, self.model.patch
        return grid.rows // patch, grid.columns // patch

    def learning_rate(self, variant: str) -> float:
        """Peak learning rate of a variant: its own, or that of all."""
        return self.variant_stanzas[variant].learning_rate or self.train.learning_rate

    def references(self) -> dict[str, str]:
        """Each variant that has a reference, with that reference."""
        pairs = {name: self.variant_stanzas[name].reference for name in self.variants}
        return {name: reference for name, reference in pairs.items() if reference is not None}


def json_schema() -> dict[str, Any]:
    """The JSON schema of a resolved study, as ``workflow/schemas/`` keeps it for Snakemake."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | Study.model_json_schema()
