"""A study in small: its whole graph on a few of its own days, in folders of their own."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airshed.config import Study, validate_study
from airshed.config.data import Split
from airshed.files import benchmark_seconds
from airshed.graph.places import Places

SUFFIX = "_rehearsal"
STEPS = 20  # optimiser steps of each training, at least
SAMPLES_LOOKED_AT = 16  # by the interpretation
DAYS_MORE = {"train": 4, "validation": 1, "test": 3}
"""Days of each split beyond the longest horizon."""


def rehearsal_of(study: Study) -> Study:
    """The study on a few consecutive days, with one seed (two for an ensemble).

    Its days end some days into the test split, where stations, episodes and other forecasts have
    theirs. What the time of a step depends on stays as it is, so that it can be read off.

    Raises:
        AirshedError: With ``_rehearsal`` at its end, a name is too long.
    """
    values = study.model_dump(mode="json")
    splits = _splits(study)
    first, last = splits["train"].start, splits["test"].end
    values["study"] += SUFFIX
    values["dataset"]["name"] += SUFFIX
    values["dataset"]["period"] = {"start": str(first), "end": str(last)}
    values["splits"] = {name: split.model_dump(mode="json") for name, split in splits.items()}
    values["seeds"] = study.seeds[: 2 if study.evaluation.ensemble else 1]
    values["comparison"]["looks"] = []
    values["train"] |= _training(study, splits["train"])
    values["jobs"]["take_over"] = False
    values["interpretation"]["samples"] = min(study.interpretation.samples, SAMPLES_LOOKED_AT)
    values["episodes"] = {
        name: values["episodes"][name]
        for name, episode in study.episodes.items()
        if splits["test"].overlaps(episode)
    }
    return validate_study(values, f"the rehearsal of {study.study}")


def _splits(study: Study) -> dict[str, Split]:
    """Consecutive days for the three, the last of them as near as can be to the test split."""
    longest = math.ceil(max(study.horizons_h) / 24)
    days = {
        name: min(longest + more, len(getattr(study.splits, name).days))
        for name, more in DAYS_MORE.items()
    }
    period = study.dataset.period
    wanted = study.splits.test.start - timedelta(days["train"] + days["validation"])
    latest = period.end - timedelta(sum(days.values()) - 1)
    start, found = min(max(wanted, period.start), latest), {}
    for name, count in days.items():
        end = start + timedelta(count - 1)
        own = {"start": start, "end": end}
        found[name] = getattr(study.splits, name).model_copy(update=own)
        start = end + timedelta(1)
    return found


def _training(study: Study, split: Split) -> dict[str, Any]:
    """Epochs for the steps wanted, with a shorter warm-up."""
    samples = split.samples(study.horizons_h)
    steps = math.ceil(samples / study.train.global_batch_size)
    return {
        "epochs": math.ceil(STEPS / steps),
        "warmup_steps": min(study.train.warmup_steps, STEPS // 4),
    }


def ingest_estimate(study: Study, rehearsal: Study) -> str:
    """What the ingest of the study will take, from that of the rehearsal."""
    seconds = benchmark_seconds(Places(rehearsal).data / "benchmarks/ingest.tsv")
    days, tried = (len(each.dataset.period.days) for each in (study, rehearsal))
    if seconds is None:
        return "Ingest: not measured."
    return (
        f"Ingest: at most {seconds / tried * days / 3600:.2f} h for {days} days"
        f" ({seconds:.0f} s for {tried} days in the rehearsal, the start included)."
    )
