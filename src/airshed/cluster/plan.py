"""What a study will ask of a cluster, before anything is submitted.

Counts follow from the study and from what Snakemake has still to do. Times, memory and disk are
those of earlier runs; where nothing was measured there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from airshed.cluster.batch_size import BatchAdvice, batch_advice
from airshed.cluster.dryrun import PlannedJob
from airshed.cluster.measured import Measured, measured
from airshed.config import Study
from airshed.config.data import DatasetConfig
from airshed.config.jobs import JobRequest
from airshed.files import folder_state

FLOAT_BYTES = 4


@dataclass(frozen=True)
class RulePlan:
    """The jobs of one rule, with the most that they may take.

    Attributes:
        asked_h: Sum of their time limits times devices (or jobs, where they use none), hours.
        mem_mb: The largest memory that one of them asks for.
    """

    rule: str
    jobs: int
    asked_h: float
    mem_mb: int


@dataclass(frozen=True)
class VariantPlan:
    """The trainings of one variant that are still to be done.

    Attributes:
        trainings: How many.
        evaluations: How many runs are to be scored.
        interventions: How many times the test split is forecast under interventions in all, fewer
            init times counted as parts of one.
        steps: Optimiser steps of each, if no hour of the training split is missing.
        request: What each asks for.
        found: What earlier runs took.
    """

    variant: str
    trainings: int
    evaluations: int
    interventions: float
    steps: int
    request: JobRequest
    found: Measured

    @property
    def hours_each(self) -> float | None:
        """Expected duration of one training, without validation; None if nothing was measured."""
        pace = self.found.seconds_per_step
        return None if pace is None else self.steps * pace / 3600

    @property
    def device_hours(self) -> float | None:
        """Expected device-hours of all its trainings."""
        each = self.hours_each
        return None if each is None else each * self.trainings * self.request.processes

    @property
    def scoring_hours(self) -> float | None:
        """Expected device-hours of its evaluations, those under interventions included."""
        each_s = self.found.evaluate_s
        scored = self.evaluations + self.interventions
        return None if each_s is None else scored * each_s / 3600

    @property
    def disk_mb(self) -> float | None:
        """What its trainings are expected to leave."""
        left = self.found.disk_mb
        return None if left is None else left * self.trainings


@dataclass(frozen=True)
class StudyPlan:
    """Everything that is still to be done for a study."""

    study: str
    rules: list[RulePlan]
    variants: list[VariantPlan]
    store: str
    advice: BatchAdvice | None

    @property
    def device_hours(self) -> float:
        """Expected device-hours of the trainings that were measured."""
        return sum(plan.device_hours or 0.0 for plan in self.variants)

    @property
    def unmeasured(self) -> list[str]:
        """Variants that are to be trained and whose steps were never timed."""
        return [
            plan.variant for plan in self.variants if plan.trainings and plan.hours_each is None
        ]


def plan_study(study: Study, jobs: Sequence[PlannedJob], results: Path) -> StudyPlan:
    """The plan for the jobs of a study."""
    variants = [_variant_plan(study, name, jobs, results) for name in study.variants]
    store, advice = _store(study, results), batch_advice(study, results)
    return StudyPlan(study.study, list(_rule_plans(jobs)), variants, store, advice)


def _rule_plans(jobs: Sequence[PlannedJob]) -> Iterator[RulePlan]:
    for rule, group in groupby(sorted(jobs, key=lambda job: job.rule), key=lambda job: job.rule):
        own = [job.resources for job in group]
        asked_min = sum(
            part.get("runtime", 0) * part.get("nodes", 1) * part.get("devices", 1) for part in own
        )
        yield RulePlan(rule, len(own), asked_min / 60, max(part.get("mem_mb", 0) for part in own))


def _variant_plan(
    study: Study, variant: str, jobs: Sequence[PlannedJob], results: Path
) -> VariantPlan:
    own = [job.rule for job in jobs if job.wildcards.get("variant") == variant]
    request = study.jobs.request(variant)
    return VariantPlan(
        variant,
        trainings=own.count("train"),
        evaluations=own.count("evaluate"),
        interventions=own.count("intervene") * _scorings(study, variant),
        steps=training_steps(study),
        request=request,
        found=measured(study, variant, request, results),
    )


def _scorings(study: Study, variant: str) -> float:
    """How many times the interventions on a run forecast the test split."""
    share = study.splits.test.init_every_h / study.thinned().splits.test.init_every_h
    return len(study.interventions_on(variant)) * share


def training_steps(study: Study) -> int:
    """Optimiser steps of one training, if no hour of its split is missing."""
    samples = study.splits.train.samples(study.horizons_h)
    return study.train.epochs * math.ceil(samples / study.train.global_batch_size)


def _store(study: Study, results: Path) -> str:
    """What the hourly fields take, or would take at most."""
    dataset = study.dataset
    path = results / "data" / dataset.name / str(dataset.grid) / "hourly.zarr"
    if path.exists():
        return f"{folder_state(path)[1] / 1e9:.2f} GB (measured: {path})"
    times, cells, fields = _store_shape(dataset)
    size = most_store_bytes(dataset)
    return f"at most {size / 1e9:.2f} GB ({times} times x {cells} cells x {fields} variables)"


def most_store_bytes(dataset: DatasetConfig) -> int:
    """What the hourly fields of a dataset take at most."""
    return math.prod(_store_shape(dataset)) * FLOAT_BYTES


def _store_shape(dataset: DatasetConfig) -> tuple[int, int, int]:
    """Times, cells and variables of the hourly fields."""
    times = dataset.steps_a_day * len(dataset.period.days)
    return times, dataset.grid.rows * dataset.grid.columns, len(dataset.hourly)
