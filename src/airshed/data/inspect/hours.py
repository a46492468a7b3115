"""Which hours there are: by names of files, and inside the archives that are opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from airshed.config.data import DatasetConfig
from airshed.data.archives import hours
from airshed.data.day_notes import gaps
from airshed.data.inspect.findings import Findings
from airshed.data.inspect.rawfiles import RawFiles, mean_temperature
from airshed.data.inspect.sources import Sources, found_twice
from airshed.errors import AirshedError
from airshed.progress import progress

HOUR = timedelta(hours=1)
HOURS_APART = 7  # from one chosen day to the next, so that all times of day are met


@dataclass
class Hours:
    """Hours by the files' clock.

    Attributes:
        days: Days of which there is something, in order.
        found: Those that names of files or members give.
        taken: Those of archives that were not opened, or not to the end: all 24 of a day.
        sampled: Those whose files were looked at.
        opened: Days whose files were gone through.
        mean_temp: Mean temperature of each hour of the first whole day that was opened.
    """

    days: list[date]
    found: set[datetime] = field(default_factory=set)
    taken: set[datetime] = field(default_factory=set)
    sampled: list[datetime] = field(default_factory=list)
    opened: int = 0
    mean_temp: dict[int, float] = field(default_factory=dict)


def chosen_hours(days: list[date], count: int | None) -> dict[date, set[int]]:
    """Hours to look at by day: ``count``, spread over all days and times, or every one if None."""
    if count is None:
        return {day: set(range(24)) for day in days}
    picks = Counter(np.linspace(0, len(days) - 1, count).round().astype(int).tolist())
    chosen: dict[date, set[int]] = {}
    for order, (position, several) in enumerate(sorted(picks.items())):
        of_day = [24 * number // several for number in range(several)]
        chosen[days[position]] = {(hour + HOURS_APART * order) % 24 for hour in of_day}
    return chosen


def look_at_hours(
    sources: Sources, count: int | None, files: RawFiles, findings: Findings
) -> Hours:
    """Go through the chosen days, and look at the files of the chosen hours."""
    seen = Hours(sources.days)
    chosen = chosen_hours(sources.days, count)
    seen.found.update(time for times in sources.loose.values() for time in times)
    for day in sources.days:
        if day in sources.archives and day not in chosen:
            seen.taken.update(_all_hours(day))
    for day, wanted in progress(chosen.items(), "days looked at", total=len(chosen)):
        _look_at_day(sources, day, wanted, seen, files, findings)
    return seen


def _look_at_day(
    sources: Sources,
    day: date,
    wanted: set[int],
    seen: Hours,
    files: RawFiles,
    findings: Findings,
) -> None:
    temperatures: dict[int, float] = {}
    times: set[datetime] = set()
    looked, last = len(seen.sampled), None
    try:
        for stamp, where, content in hours({day: sources.of_day(day)}, day, 0):
            if stamp in times:
                found_twice(findings, "an hour is there twice", where, f"{stamp}", files.quality)
            last = (stamp, where, content)
            times.add(stamp)
            seen.found.add(stamp)
            if stamp.hour in wanted:
                files.look(content, where, stamp)
                seen.sampled.append(stamp)
            if not seen.mean_temp and (mean := mean_temperature(content, where)) is not None:
                temperatures[stamp.hour] = mean
    except AirshedError as problem:
        findings.add(problem)
        seen.taken.update(_all_hours(day))
    if last is not None and len(seen.sampled) == looked:
        files.look(last[2], last[1], last[0])  # none of the chosen hours is there
        seen.sampled.append(last[0])
    if len(temperatures) == 24:
        seen.mean_temp = temperatures
    seen.opened += 1


def summarise(seen: Hours, dataset: DatasetConfig | None) -> dict[str, Any]:
    """Hours expected, found and missing: of a study's period, or from the first day to the last.

    Times are UTC if a dataset says how far files' names are ahead of it, else by the names.
    """
    offset = timedelta(hours=dataset.utc_offset_h if dataset else 0)
    there = {stamp - offset for stamp in seen.found | seen.taken}
    if dataset:
        days = (dataset.period.start, dataset.period.end)
    else:
        days = (seen.days[0], seen.days[-1])
    expected = list(_range(*days))
    missing = [(hour, None if hour in there else "not in the archives") for hour in expected]
    return {
        "clock": "UTC" if dataset else "file names",
        "first": expected[0].isoformat() if expected else None,
        "last": expected[-1].isoformat() if expected else None,
        "expected": len(expected),
        "found": len(there.intersection(expected)),
        "missing": sum(reason is not None for _, reason in missing),
        "gaps": gaps(missing),
        "days_opened": seen.opened,
        "hours_taken_from_names_of_archives": len(seen.taken - seen.found),
        "sampled": [(stamp - offset).isoformat() for stamp in sorted(seen.sampled)],
    }


def _all_hours(day: date) -> Iterable[datetime]:
    return _range(day, day)


def _range(first: date, last: date) -> Iterable[datetime]:
    start = datetime.combine(first, time())
    return (start + number * HOUR for number in range(((last - first).days + 1) * 24))
