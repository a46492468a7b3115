"""Which ``train.batch_size`` trains fastest, as far as it was measured.

A recommendation and no more: the draws of dropout depend on how a global batch is split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airshed.cluster.measured import costs, measured_with, resized, work_of
from airshed.config import Study

LEAST_GAIN = 0.02  # less than that is within what measurements scatter
Sizes = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class BatchAdvice:
    """The fastest size of those that a device's share of the global batch holds.

    Attributes:
        size: It fits into the device's memory with every variant that was measured.
        now: That of the study.
        gain: How many more samples are trained in a time, as a share; None if the study's own does
            not fit.
        peak_mb: The most that a variant takes of the device then.
        variants: How many variants it was measured with.
        source: Where.
    """

    size: int
    now: int
    gain: float | None
    peak_mb: float
    variants: int
    source: str

    def __str__(self) -> str:
        measured = f"measured with {self.variants} variants in {self.source}"
        if self.size == self.now:
            return f"train.batch_size {self.now} is the fastest ({measured})."
        gain = "which does not fit" if self.gain is None else f"{self.gain:.0%} faster"
        return (
            f"Recommended: train.batch_size {self.size} in place of {self.now}, {gain}, with"
            f" {self.peak_mb:,.0f} MB of the device's memory ({measured}). Results change as with"
            " another seed: dropout draws for each micro-batch."
        )


def batch_advice(study: Study, results: Path) -> BatchAdvice | None:
    """The recommendation for a study; None where micro-batches were not measured."""
    for path, cost in costs(results):
        found = [_sizes(cost, name) for name in study.variants if _same_work(study, name, cost)]
        if found and all(found):
            device = cost["environment"]["device"]
            return _best(study, found, f"{path.relative_to(results)} ({device})")
    return None


def _same_work(study: Study, variant: str, cost: Mapping[str, Any]) -> bool:
    """Whether a cost was measured of the same work, the number of samples at once apart."""
    own = study.model_dump(mode="json")
    planned, measured = (
        work_of(resized(config, 0), variant, 1, 1) for config in (own, measured_with(cost, own))
    )
    return variant in cost["variants"] and planned == measured


def _sizes(cost: Mapping[str, Any], variant: str) -> Sizes:
    """What was measured of a variant, by size, as far as they fit."""
    measured = cost["variants"][variant].get("micro_batches", [])
    return {each["batch_size"]: each for each in measured if each["samples_per_second"]}


def _best(study: Study, found: list[Sizes], source: str) -> BatchAdvice | None:
    processes = max(study.jobs.request(name).processes for name in study.variants)
    share, now = study.train.global_batch_size // processes, study.train.batch_size
    common = set.intersection(*(set(sizes) for sizes in found))
    usable = {size for size in common if size <= share} | ({now} & common)
    if not usable:
        return None
    taken_s = {n: sum(1 / sizes[n]["samples_per_second"] for sizes in found) for n in usable}
    size = min(taken_s, key=lambda n: taken_s[n])
    gain = taken_s[now] / taken_s[size] - 1 if now in taken_s else None
    if gain is not None and gain < LEAST_GAIN:
        size = now
    peak_mb = max(sizes[size]["peak_memory_mb"] for sizes in found)
    return BatchAdvice(size, now, gain, peak_mb, len(found), source)
