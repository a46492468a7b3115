"""What an inconclusive comparison needs: more seeds, or a longer test period, and how much."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd

from airshed.comparison.compare import BLOCKS_FOR_A_VERDICT
from airshed.comparison.planning import MOST_LONGER, MOST_SEEDS, Variances
from airshed.comparison.verdict import Limit
from airshed.config import Study
from airshed.report.next_steps import evidence
from airshed.report.next_steps.commands import snakemake_command
from airshed.report.next_steps.step import Step
from airshed.report.results import Results
from airshed.report.text import percent

FEW_SEEDS = 5  # suggested where one seed leaves the variance between trainings unknown
IF_IT_STAYS = "if the change stays as it is"


def more_seeds(results: Results, variant: str) -> Iterator[Step]:
    """How many seeds would decide, from the two parts of the variance."""
    study = results.study
    told, wanted = _seeds_wanted(study, variant, results.overall(variant))
    more = wanted > len(study.seeds)
    changes = {"seeds": _extended(study.seeds, wanted)}
    command = snakemake_command(study, changes) if more else ""
    yield Step("more seeds", evidence.comparison(results, variant), told, command)


def _seeds_wanted(study: Study, variant: str, row: pd.Series[Any]) -> tuple[str, int]:
    """What the variance says of seeds, and how many are worth having."""
    variances, seeds = _variances(row), min(_seeds(row))
    if variances is None:
        unknown = "with one seed the variance between trainings is not known"
        return f"how many is unknown: {unknown}", FEW_SEEDS
    part = f"{variant}: {_share_of_seeds(variances, row)}"
    needed = variances.seeds_needed(study.comparison.margin)
    if needed is not None and needed <= seeds:
        return f"{part}, and {seeds} seeds make the interval narrow enough", 0
    if needed is not None:
        return f"{part}; about {needed} seeds would decide {IF_IT_STAYS}", needed
    told = f"{part}; not even {MOST_SEEDS} seeds would decide {IF_IT_STAYS}"
    if seeds < FEW_SEEDS:
        told += f", but {seeds} hardly tell that variance: {FEW_SEEDS} tell it better"
    return told, FEW_SEEDS


def _share_of_seeds(variances: Variances, row: pd.Series[Any]) -> str:
    between = variances.between_seeds * sum(1 / count for count in _seeds(row))
    total = between + variances.over_time
    if total == 0:
        return "no variance was seen"
    return f"{percent(between / total, signed=False)} of the variance is between trainings"


def longer_test(results: Results, variant: str) -> Iterator[Step]:
    """By how much longer a test period would decide, with the seeds at hand."""
    study, because = results.study, evidence.comparison(results, variant)
    told, days = _days_wanted(study, variant, results.overall(variant))
    if days is None:
        yield Step("longer test period", because, told)
        return
    changes = longer_period(study, days)
    if not changes:
        told += "; another split lies behind the test period, so that splits must be set anew"
    elif "dataset" in changes and study.dataset.source != "simulator":
        told += f"; it needs data until {changes['dataset']['period']['end']}"
    command = snakemake_command(study, changes) if changes else ""
    yield Step("longer test period", because, told, command)


def _days_wanted(study: Study, variant: str, row: pd.Series[Any]) -> tuple[str, int | None]:
    """What is known of the length of the test period, and how many days are worth having."""
    variances, now = _variances(row), len(study.splits.test.days)
    if row["limit"] == Limit.short_test:
        days = math.ceil(now * _blocks_lacking(row))
        return (
            f"{variant}: {int(row['init_times'])} init times are fewer than {BLOCKS_FOR_A_VERDICT}"
            f" blocks of {int(row['block_length'])}, over which errors are correlated; about {days}"
            f" days instead of {now} hold them"
        ), days
    if variances is None:
        return "unknown with one seed; see more seeds", None
    longer = variances.longer_needed(study.comparison.margin, min(_seeds(row)))
    if longer is None:
        return (
            f"{variant}: not even {MOST_LONGER:.0f} times as many days would decide with these"
            " seeds"
        ), None
    days = math.ceil(now * longer)
    return f"{variant}: about {days} days instead of {now} would decide {IF_IT_STAYS}", days


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
