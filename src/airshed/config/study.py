"""The study: the root of the configuration, with the checks that cross sections."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from airshed.config.base import Section, refuse_repeats, unknown_key_message
from airshed.config.biases import Blocks
from airshed.config.data import FITTED, NETWORKS, SAMPLES, DatasetConfig, Splits, TableName
from airshed.config.evaluation import ClimatologyConfig, ComparisonConfig, EvaluationConfig
from airshed.config.interventions import Intervention, InterventionsConfig
from airshed.config.jobs import JobsConfig
from airshed.config.model import ModelConfig
from airshed.config.preprocessing import DaskConfig, LoaderConfig, NormalisationConfig
from airshed.config.quantities import check_known, check_stored
from airshed.config.shapes import NOTHING, Shapes, declared
from airshed.config.supplement import (
    Episode,
    ExternalConfig,
    InterpretationConfig,
    StationsConfig,
)
from airshed.config.training import TrainConfig
from airshed.config.variants import Variant
from airshed.graph.products import TABLES
from airshed.variables import INPUTS, STATIC, TARGETS, WIND, Variable

EVERY = "all"
Horizon = Annotated[int, Field(ge=1)]


class Study(Section):
    """A set of variants, seeds, data and training settings with one report."""

    study: Annotated[TableName, Shapes(used_by=("cost_table", "interpretation", "comparison"))]
    """Name of the results folder, `results/<study>/`; like those of variants, episodes and
    other forecasts no number and not `NA`, `null` or the like, which a table would not read as
    text."""
    variants: Annotated[
        list[TableName], Field(min_length=1), Shapes(*TABLES, "cost_table", used_by=("cost",))
    ]
    """Variants to train; each one's `reference` must be among them; `all`: every stanza."""
    seeds: Annotated[
        list[Annotated[int, Field(ge=0)]],
        Field(min_length=1),
        Shapes(*TABLES, "cost_table"),
    ]
    """Each variant is trained once with each."""
    horizons_h: Annotated[list[Horizon], Field(min_length=1), Shapes("damping", *SAMPLES)]
    """Lead times in hours."""
    inputs: Annotated[
        tuple[str, ...],
        Field(min_length=1),
        Shapes("training", "cost", "pace", "baseline", used_by=NETWORKS),
    ] = INPUTS
    """What the network sees, in its order: names of `dataset.hourly`, and of `lat2d`, `lon2d`,
    `elevation`, `population`; by default the 15 of CAQRA; see docs/variables.md."""
    targets: Annotated[
        tuple[str, ...],
        Field(min_length=1),
        Shapes(*(*FITTED, "observations", "pace"), *SAMPLES, used_by=("comparison",)),
    ] = TARGETS
    """What it forecasts: names of `dataset.hourly`; by default the six pollutants of CAQRA."""
    dataset: DatasetConfig
    splits: Splits
    normalisation: Annotated[NormalisationConfig, Shapes("statistics")] = NormalisationConfig()
    preprocessing: Annotated[DaskConfig, Shapes(used_by=("hourly", "statistics"))] = DaskConfig()
    loader: Annotated[LoaderConfig, Shapes(used_by=("training", *NETWORKS))] = LoaderConfig()
    model: Annotated[ModelConfig, Shapes("training", "cost", "pace", used_by=NETWORKS)] = (
        ModelConfig()
    )
    climatology: ClimatologyConfig = ClimatologyConfig()
    train: TrainConfig = TrainConfig()
    jobs: Annotated[JobsConfig, NOTHING] = JobsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    comparison: Annotated[ComparisonConfig, Shapes("comparison", "interventions_table")] = (
        ComparisonConfig()
    )
    interventions: InterventionsConfig = InterventionsConfig()
    intervention_stanzas: dict[TableName, Intervention] = Field(default_factory=dict)
    interpretation: Annotated[InterpretationConfig, Shapes("interpretation")] = (
        InterpretationConfig()
    )
    stations: Annotated[
        StationsConfig | None,
        Shapes("observations", used_by=("scores", "baseline", "external")),
    ] = None
    """Observations to score forecasts against; `null`: none."""
    external: Annotated[dict[TableName, ExternalConfig], Shapes("external")] = Field(
        default_factory=dict
    )
    """Other people's forecasts, by name."""
    episodes: Annotated[dict[TableName, Episode], Shapes("scores", "baseline", "external")] = Field(
        default_factory=dict
    )
    """Named periods (UTC days of the valid time) and regions with scores of their own."""
    variant_stanzas: dict[TableName, Variant]

    @model_validator(mode="before")
    @classmethod
    def _every_variant(cls, values: Any) -> Any:
        """Replace ``variants: all`` by the names of all stanzas."""
        stanzas = values.get("variant_stanzas") if isinstance(values, dict) else None
        if isinstance(stanzas, dict) and values.get("variants") == EVERY:
            return values | {"variants": [*stanzas]}
        return values

    @model_validator(mode="after")
    def _fill_families(self) -> Self:
        """Set the family of every stanza, so that steps read it without knowing the rule."""
        stanzas = self.variant_stanzas
        for name, stanza in stanzas.items():
            if stanza.family is None:
                family = "control" if self._is_control(stanza) else "primary"
                stanzas[name] = stanza.model_copy(update={"family": family})
        return self

    def _is_control(self, stanza: Variant) -> bool:
        """Whether it adds no mechanism: fewer inputs, random order, other seeds, more training."""
        start = self.variant_stanzas.get(stanza.start_from or "")
        same = ("backbone", "scan", "regions", "sectors", "without", "bias")
        trained_on = start is not None and all(
            getattr(stanza, key) == getattr(start, key) for key in same
        )
        takes_away = bool(stanza.without) or stanza.scan == "random"
        return takes_away or stanza.seed_offset > 0 or trained_on

    @model_validator(mode="after")
    def _cross_checks(self) -> Self:
        self._check_lists()
        self._check_looks()
        self._check_quantities()
        self._check_splits()
        self._check_grids()
        self._check_variants()
        self._check_ensemble()
        self._check_interventions()
        self._check_supplement()
        return self

    def _check_lists(self) -> None:
        for key in ("variants", "seeds", "horizons_h", "inputs", "targets"):
            refuse_repeats(getattr(self, key), key)
        step = self.dataset.time_step_h
        wrong = [horizon for horizon in self.horizons_h if horizon % step]
        if wrong:
            raise ValueError(f"horizons_h: {wrong} are not multiples of the time step of {step} h")
        for name in ("train", "validation", "test"):
            every = getattr(self.splits, name).init_every_h
            if every % step:
                raise ValueError(
                    f"splits.{name}.init_every_h {every} is not a multiple of the time step of"
                    f" {step} h"
                )

    def _check_quantities(self) -> None:
        quantities = self.dataset.quantities
        hourly, known = quantities.hourly, quantities.changing
        check_stored(self.inputs, (*hourly, *STATIC), (*known, *STATIC), "inputs")
        check_stored(self.targets, hourly, known, "targets")
        for key in ("log", "fixed"):
            check_known(getattr(self.normalisation, key), (*known, *STATIC), f"normalisation.{key}")
        signed = [name for name in self.normalisation.log if quantities[name].signed]
        if signed:
            raise ValueError(
                f"normalisation.log: {', '.join(signed)} can be negative and has no logarithm"
            )
        given = {f"external.{name}": one for name, one in self.external.items()}
        for where, one in given.items():
            check_known(one.variables, known, f"{where}.variables")
            check_known(one.units, known, f"{where}.units")
        if self.stations is not None:
            check_known(self.stations.units, known, "stations.units")

    def _check_looks(self) -> None:
        looks = self.comparison.looks
        if looks and len(self.seeds) not in looks:
            raise ValueError(
                f"comparison.looks: the study is to be judged with {', '.join(map(str, looks))}"
                f" seeds, but has {len(self.seeds)}"
            )

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
        grid, patch = self.dataset.grid, self.model.patch
        own = {name: self.variant_stanzas[name].regions for name in self._listed()}
        given = {"model": self.model.regions} | {f"variants.{name}": own[name] for name in own}
        for axis in ("rows", "columns"):
            cells = getattr(grid, axis)
            if cells % patch:
                raise ValueError(
                    f"dataset.grid.{axis} {cells} is not divisible by model.patch {patch}"
                )
            for where, regions in given.items():
                parts = 1 if regions is None else getattr(regions, axis)
                if (cells // patch) % parts:
                    raise ValueError(
                        f"{where}.regions.{axis} {parts} does not divide the patch grid's"
                        f" {cells // patch} {axis}"
                    )

    def _listed(self) -> list[str]:
        """The variants with a stanza; :meth:`_check_variants` refuses the others."""
        return [name for name in self.variants if name in self.variant_stanzas]

    def _check_variants(self) -> None:
        for key, names in (("variants", self.variants), ("jobs.variants", self.jobs.variants)):
            for name in names:
                if name not in self.variant_stanzas:
                    message = unknown_key_message(name, list(self.variant_stanzas), "variant")
                    raise ValueError(f"{key}: {message}")
        for name in self.variants:
            for key in ("reference", "start_from"):
                other = getattr(self.variant_stanzas[name], key)
                if other is not None and (other not in self.variants or other == name):
                    raise ValueError(
                        f"variants.{name}: its {key} '{other}' is not another variant of"
                        f" this study ({', '.join(self.variants)})"
                    )
            self._check_wind(name)
            self._check_left_out(name)
            self._check_blocks(name)
            self._check_reaches(name)
            self._check_chain(name, "start_from")
            self._check_chain(name, "reference")
            if (given := self.variant_stanzas[name].pretrained) is not None:
                refuse_repeats(given.variables, f"variants.{name}: pretrained.variables")
            self._check_seeds(name)
        self._check_different()

    def _check_different(self) -> None:
        """Refuse two variants that are the same training, which would be counted twice."""
        shaping = {
            path.split(".")[2]
            for path, shapes in DECLARED.items()
            if path.startswith("variant_stanzas.")
            and not {"training", "scan_tables"}.isdisjoint(shapes.products)
        }
        seen: dict[str, str] = {}
        for name in self.variants:
            stanza = self.variant_stanzas[name]
            own = stanza.model_copy(update={"learning_rate": self.learning_rate(name)})
            precision = self.for_variant(name).train.precision
            text = own.model_copy(update={"precision": precision}).model_dump_json(include=shaping)
            if text in seen:
                raise ValueError(
                    f"variants: '{seen[text]}' and '{name}' are the same training under two names:"
                    " leave one out, or give one of them a seed_offset to train it with other seeds"
                )
            seen[text] = name

    def _check_wind(self, name: str) -> None:
        lacking = [part for part in WIND if part not in self.inputs]
        reading = self.variant_stanzas[name].reading_wind()
        if lacking and reading:
            raise ValueError(
                f"variants.{name}: its {' and its '.join(reading)} needs the wind: add"
                f" {', '.join(lacking)} to inputs, or leave the variant out"
            )

    def _check_left_out(self, name: str) -> None:
        stanza = self.variant_stanzas[name]
        left_out = stanza.left_out()
        for one in left_out:
            if one not in self.inputs:
                message = unknown_key_message(one, list(self.inputs), "input")
                raise ValueError(f"variants.{name}: without: {message}")
        if set(left_out) == set(self.inputs):
            raise ValueError(f"variants.{name}: without leaves no input to the network")
        start = self.variant_stanzas.get(stanza.start_from or "")
        if start is not None and set(start.left_out()) != set(left_out):
            raise ValueError(
                f"variants.{name}: it starts from '{stanza.start_from}', whose weights are of"
                " other inputs: give both the same 'without'"
            )

    def _check_blocks(self, name: str) -> None:
        for part in ("bias", "backbone"):
            blocks: Blocks = getattr(getattr(self.variant_stanzas[name], part), "blocks", "all")
            if blocks != "all" and any(block >= self.model.depth for block in blocks):
                raise ValueError(
                    f"variants.{name}: {part}.blocks {blocks} exceed the model's depth of"
                    f" {self.model.depth} blocks (numbered from 0)"
                )

    def _check_reaches(self, name: str) -> None:
        reaches = getattr(self.variant_stanzas[name].backbone, "reaches", [])
        if any(reach >= min(self.patch_grid) for reach in reaches):
            rows, columns = self.patch_grid
            raise ValueError(
                f"variants.{name}: backbone.reaches {reaches} do not fit into the patch grid of"
                f" {rows} rows and {columns} columns: at most {min(rows, columns) - 1}"
            )

    def _check_chain(self, name: str, key: str) -> None:
        chain = [name]
        while (before := getattr(self.variant_stanzas[chain[-1]], key)) in self.variant_stanzas:
            chain.append(before)
            if chain.count(before) > 1:
                raise ValueError(f"variants.{name}: {key} leads back: {' <- '.join(chain)}")

    def _check_seeds(self, name: str) -> None:
        offset = self.variant_stanzas[name].seed_offset
        shared = sorted({self.random_seed(name, seed) for seed in self.seeds} & set(self.seeds))
        if offset and shared:
            raise ValueError(
                f"variants.{name}: with seed_offset {offset} it shares the seeds"
                f" {', '.join(map(str, shared))} with the other variants"
            )

    def _check_ensemble(self) -> None:
        if self.evaluation.ensemble and len(self.seeds) < 2:
            raise ValueError(
                "evaluation.ensemble: an ensemble is made of two seeds or more; seeds has"
                f" {len(self.seeds)}"
            )

    def _check_interventions(self) -> None:
        names, known = self.interventions.apply, self.intervention_stanzas
        refuse_repeats(names, "interventions.apply")
        for name in names:
            if name not in known:
                message = unknown_key_message(name, list(known), "intervention")
                raise ValueError(f"interventions.apply: {message}")
            for field in known[name].changed():
                if field not in (*self.inputs, "elevation"):
                    message = unknown_key_message(field, list(self.inputs), "input")
                    raise ValueError(f"intervention_stanzas.{name}.fields: {message}")
        every, step = self.interventions.init_every_h, self.splits.test.init_every_h
        if every is not None and every % step:
            raise ValueError(
                f"interventions.init_every_h {every} is not a multiple of"
                f" splits.test.init_every_h, {step}"
            )

    def _check_supplement(self) -> None:
        for name, episode in self.episodes.items():
            if not self.splits.test.overlaps(episode):
                raise ValueError(
                    f"episodes.{name} ({episode}) shares no day with splits.test"
                    f" ({self.splits.test})"
                )
            step = self.dataset.time_step_h
            if off := [time for time in episode.map_times if time.hour % step]:
                raise ValueError(
                    f"episodes.{name}.map_times: {off[0].isoformat()} lies between the time steps"
                    f" of {step} h"
                )
        for name in self.external:
            if name in self.variant_stanzas:
                raise ValueError(f"external.{name}: a variant has this name")

    @property
    def target_variables(self) -> tuple[Variable, ...]:
        """What is forecast, in the order of the targets."""
        known = self.dataset.dictionary
        return tuple(known[name] for name in self.targets)

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of the patch grid."""
        grid, patch = self.dataset.grid, self.model.patch
        return grid.rows // patch, grid.columns // patch

    def learning_rate(self, variant: str) -> float:
        """Peak learning rate of a variant: its own, or that of all."""
        return self.variant_stanzas[variant].learning_rate or self.train.learning_rate

    def strength_learning_rate(self, variant: str) -> float:
        """Peak learning rate of the strength of a variant's bias."""
        return self.train.strength_learning_rate or self.learning_rate(variant)

    def for_variant(self, variant: str) -> Self:
        """The study as ``variant`` is trained: with the precision of its stanza, if it has one.

        Precision shapes weights, so it belongs to the stanza and not to what jobs ask for.
        """
        own = self.variant_stanzas[variant].precision if variant in self.variant_stanzas else None
        if own is None:
            return self
        return self.model_copy(update={"train": self.train.model_copy(update={"precision": own})})

    def scanned_as(self, variant: str) -> Self:
        """The study with the regions and sectors of a variant's scan, if its stanza has any."""
        stanza = self.variant_stanzas[variant]
        given = {"regions": stanza.regions, "sectors": stanza.sectors}
        own = {key: value for key, value in given.items() if value is not None}
        if not own:
            return self
        return self.model_copy(update={"model": self.model.model_copy(update=own)})

    def random_seed(self, variant: str, seed: int) -> int:
        """Seed of the random numbers in a variant's training, its offset included."""
        return seed + self.variant_stanzas[variant].seed_offset

    def interventions_on(self, variant: str) -> list[str]:
        """The study's interventions that change what a variant's networks read.

        A step is given the stanzas of these alone.
        """
        known, of = self.intervention_stanzas, (self.variant_stanzas[variant], self.inputs)
        applied = [name for name in self.interventions.apply if name in known]
        return [name for name in applied if known[name].affects(*of)]

    def thinned(self) -> Self:
        """The study with the init times of its interventions in place of the test split's."""
        every = self.interventions.init_every_h
        if every is None:
            return self
        test = self.splits.test.model_copy(update={"init_every_h": every})
        return self.model_copy(update={"splits": self.splits.model_copy(update={"test": test})})

    def references(self) -> dict[str, str]:
        """Each variant that has a reference, with that reference."""
        pairs = {name: self.variant_stanzas[name].reference for name in self.variants}
        return {name: reference for name, reference in pairs.items() if reference is not None}

    def start_of(self, variant: str) -> str:
        """The variant at the start of the chain of ``start_from``; itself without one."""
        before = self.variant_stanzas[variant].start_from
        return variant if before is None else self.start_of(before)


DECLARED = declared(Study)
"""What each setting shapes, by its dotted path."""


def shapes_of(path: str) -> Shapes:
    """What a setting at or above this path shapes; nothing for one that no longer exists."""
    while path:
        parts = path.split(".")
        starred = (".".join((*parts[:n], "*", *parts[n + 1 :])) for n in range(len(parts)))
        for one in (path, *starred):
            if one in DECLARED:
                return DECLARED[one]
        path = path.rpartition(".")[0]
    return NOTHING


def json_schema() -> dict[str, Any]:
    """The JSON schema of a resolved study, as ``workflow/schemas/`` keeps it for Snakemake."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema = Study.model_json_schema()
    listed = schema["properties"]["variants"]
    described = {"description": listed.pop("description")}
    schema["properties"]["variants"] = described | {"anyOf": [listed, {"const": EVERY}]}
    return dialect | schema
