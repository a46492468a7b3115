"""What an undecided comparison needs: more seeds, or a longer test period, and how much.

The observed change plays no part in it: only what a study of this size finds, and a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airshed.comparison.compare import BLOCKS_FOR_A_VERDICT
from airshed.comparison.families import ALIKE
from airshed.comparison.planning import MOST_LONGER, MOST_SEEDS, Precision, precision
from airshed.comparison.verdict import Limit
from airshed.config import Study
from airshed.report.next_steps.commands import snakemake_command
from airshed.report.next_steps.step import Step
from airshed.report.results import Results
from airshed.report.text import percent

FEW_SEEDS = 5  # suggested where one seed leaves the variance between trainings unknown
MORE_SEEDS = (3, FEW_SEEDS, 10, 20, MOST_SEEDS)
IN_MOST = "in 8 of 10 repetitions"


def more_seeds(results: Results, variant: str) -> Iterator[Step]:
    """Which changes more seeds would find, from the two parts of the variance."""
    study = results.study
    known, wanted = _seeds_wanted(results, variant)
    more = wanted > len(study.seeds)
    changes = {"seeds": _extended(study.seeds, wanted)}
    command = snakemake_command(study, changes) if more else ""
    if more and not study.comparison.looks:
        known += "; judged again, errors reach up to twice the level: no comparison.looks declared"
    yield Step("more seeds", known, command)


def _seeds_wanted(results: Results, variant: str) -> tuple[str, int]:
    """What the variance says of seeds, and how many are worth having."""
    known, study = _precision(results, variant), results.study
    looks = [look for look in study.comparison.looks if look > len(study.seeds)]
    if known is None:
        unknown = "with one seed the variance between trainings is not known"
        return f"how many is unknown: {unknown}", looks[0] if looks else FEW_SEEDS
    seeds, margin = min(known.seeds), study.comparison.margin
    if known.smallest == 0:
        return f"{variant}: no variance was seen", 0
    part = f"{variant}: {_share_of_seeds(known)}; {_found(seeds, known)}"
    needed = known.seeds_needed(margin)
    if needed is not None and needed <= seeds:
        return f"{part}, and more are not needed for one of the margin", 0
    if study.comparison.looks and not looks:
        return f"{part}; the last of the declared looks was taken", 0
    wanted = looks[0] if looks else next((n for n in MORE_SEEDS if n > seeds), seeds)
    enough = f"{needed} would find" if needed else f"not even {MOST_SEEDS} would find"
    return f"{part}, {_found(wanted, known.planned(wanted))}; {enough} one of the margin", wanted


def _found(seeds: int, known: Precision) -> str:
    change = percent(known.smallest, signed=False)
    return f"{seeds} seeds find a true change of {change} {IN_MOST}"


def _share_of_seeds(known: Precision) -> str:
    share = known.between_seeds / (known.between_seeds + known.over_time)
    return f"{percent(share, signed=False)} of the variance is between trainings"


def longer_test(results: Results, variant: str) -> Iterator[Step]:
    """By how much longer a test period would find a change of the margin, with these seeds."""
    study = results.study
    known, days = _days_wanted(results, variant)
    changes = {} if days is None else longer_period(study, days)
    if days is not None and not changes:
        known += "; another split lies behind the test period, so that splits must be set anew"
    elif "dataset" in changes and study.dataset.source != "simulator":
        known += f"; it needs data until {changes['dataset']['period']['end']}"
    yield Step("longer test period", known, snakemake_command(study, changes) if changes else "")


def _days_wanted(results: Results, variant: str) -> tuple[str, int | None]:
    """What is known of the length of the test period, and how many days are worth having."""
    row, known, study = results.overall(variant), _precision(results, variant), results.study
    now, margin = len(study.splits.test.days), study.comparison.margin
    if row["limit"] in (Limit.short_test, Limit.these_days):
        wanted = BLOCKS_FOR_A_VERDICT * float(row["block_length"])  # init times
        days = math.ceil(now * (wanted / float(row["init_times"])))
        return (
            f"{variant}: {int(row['init_times'])} init times are fewer than {BLOCKS_FOR_A_VERDICT}"
            f" blocks of {int(row['block_length'])}, over which errors are correlated; about {days}"
            f" days instead of {now} hold them"
        ), days
    if known is None:
        return "unknown with one seed; see more seeds", None
    longer = known.longer_needed(margin)
    if longer is None:
        return (
            f"{variant}: with these seeds not even {MOST_LONGER:.0f} times as many days would find"
            f" a true change of {percent(margin, signed=False)}"
        ), None
    days = math.ceil(now * longer)
    found = f"find a true change of {percent(margin, signed=False)} {IN_MOST}"
    return f"{variant}: about {days} days instead of {now} would {found}", days


def _precision(results: Results, variant: str) -> Precision | None:
    """What decides which overall changes are found; None where a part of it is unknown."""
    one, rows = results.overall(variant)[ALIKE], results.comparisons
    alike = rows[ALIKE].eq(one) | (rows[ALIKE].isna() & one.isna())
    settings = results.study.comparison
    return precision(rows[alike.all(axis=1)], settings.significance / max(1, len(settings.looks)))


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
