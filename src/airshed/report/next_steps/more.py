"""What an inconclusive comparison needs: more seeds, or a longer test period, and how much."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd

from airshed.comparison.planning import MOST_LONGER, MOST_SEEDS, Variances
from airshed.comparison.verdict import Limit
from airshed.config import Study
from airshed.evaluation.compare import BLOCKS_FOR_A_VERDICT
from airshed.report.next_steps import evidence
from airshed.report.next_steps.commands import snakemake_command
from airshed.report.next_steps.step import Step
from airshed.report.results import Results
from airshed.report.text import percent

FEW_SEEDS = 5  # suggested where one seed leaves the variance between trainings unknown
IF_IT_STAYS = "if the change stays as it is"


def more_seeds(results: Results, variant: str) -> Iterator[Step]:
    """How many seeds would decide, from the two parts of the variance."""
    study, because = results.study, evidence.comparison(results, variant)
    row = results.overall(variant)
    variances = _variances(row)
    if variances is None:
        told = "how many is unknown: with one seed the variance between trainings is not known"
        wanted = FEW_SEEDS
    else:
        needed = variances.seeds_needed(study.comparison.margin)
        share = variances.between_seeds * sum(1 / count for count in _seeds(row))
        share /= share + variances.over_time
        part = f"{variant}: {percent(share, signed=False)} of the variance is between trainings"
        if needed is None:
            told = f"{part}; not even {MOST_SEEDS} seeds would decide {IF_IT_STAYS}"
            yield Step("more seeds", because, told)
            return
        if needed <= len(study.seeds):
            told = f"{part}, and these seeds make the interval narrow enough"
            yield Step("more seeds", because, told)
            return
        told, wanted = f"{part}; about {needed} seeds would decide {IF_IT_STAYS}", needed
    command = snakemake_command(study, {"seeds": _extended(study.seeds, wanted)})
    yield Step("more seeds", because, told, command)


def longer_test(results: Results, variant: str) -> Iterator[Step]:
    """By how much longer a test period would decide, with the seeds at hand."""
    study, row = results.study, results.overall(variant)
    because, days = evidence.comparison(results, variant), len(study.splits.test.days)
    variances, longer = _variances(row), _blocks_lacking(row)
    if row["limit"] == Limit.short_test:
        told = (
            f"{variant}: {int(row['init_times'])} init times are fewer than {BLOCKS_FOR_A_VERDICT}"
            f" blocks of {int(row['block_length'])}, over which errors are correlated; about"
            f" {math.ceil(days * longer)} days instead of {days} hold them"
        )
    elif variances is None:
        yield Step("longer test period", because, "unknown with one seed; see more seeds")
        return
    else:
        needed = variances.longer_needed(study.comparison.margin, min(_seeds(row)))
        if needed is None:
            told = f"{variant}: not even {MOST_LONGER:.0f} times as many days would decide"
            yield Step("longer test period", because, f"{told} with these seeds")
            return
        longer = needed
        told = f"{variant}: about {math.ceil(days * longer)} days instead of {days} would decide"
        told += f" {IF_IT_STAYS}"
    changes = longer_period(study, math.ceil(days * longer))
    command = snakemake_command(study, changes) if changes else ""
    if not changes:
        told += "; another split lies behind the test period, so that splits must be set anew"
    elif "dataset" in changes and study.dataset.source != "simulator":
        told += f"; it needs data until {changes['dataset']['period']['end']}"
    yield Step("longer test period", because, told, command)


def _variances(row: pd.Series[Any]) -> Variances | None:
    """The parts of the variance; None where one seed each leaves one of them unknown."""
    if pd.isna(row["seed_variance"]):
        return None
    return Variances.of(
        float(row["relative_rmse_change"]),
        float(row["seed_variance"]),
        _seeds(row),
        float(row["time_variance"]),
        float(row["time_degrees"]),
    )


def _seeds(row: pd.Series[Any]) -> tuple[int, int]:
    return int(row["variant_seeds"]), int(row["reference_seeds"])


def _blocks_lacking(row: pd.Series[Any]) -> float:
    """How many times as many init times as there are make enough blocks for a verdict."""
    return BLOCKS_FOR_A_VERDICT * float(row["block_length"]) / float(row["init_times"])


def _extended(seeds: list[int], count: int) -> list[int]:
    """The seeds, and the next ones that are free."""
    free = (seed for seed in range(max(seeds) + count + 1) if seed not in seeds)
    return [*seeds, *(seed for _, seed in zip(range(count - len(seeds)), free, strict=False))]


def longer_period(study: Study, days: int) -> dict[str, Any]:
    """Changes for a test period of so many days; none if another split is in its way.

    The data get a name of their own where the period needs more of them than there are.
    """
    test, data = study.splits.test, study.dataset
    end = test.start + timedelta(days=days - 1)
    behind = (study.splits.train, study.splits.validation)
    if any(test.end < split.start <= end for split in behind):
        return {}
    changes: dict[str, Any] = {
        "study": f"{study.study}_test{days}d",
        "splits": {"test": {"end": end.isoformat()}},
    }
    if end > data.period.end:
        period = {"name": f"{data.name}_to_{end.isoformat()}", "period": {"end": end.isoformat()}}
        changes["dataset"] = period
    return changes
