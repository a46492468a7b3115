"""The hours that there are, by names of files and in opened archives, and a sample to read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

from airshed.config.data import DatasetConfig
from airshed.data.archives import HOUR_NAME, hour_of
from airshed.data.day_notes import ABSENT, gaps
from airshed.data.inspect.tally import Tally
from airshed.data.problems import Findings
from airshed.data.rawhour import Hour
from airshed.data.source import Archives, duplicate_hour
from airshed.progress import progress

HOUR = timedelta(hours=1)
HOURS_APART = 7  # from one chosen day to the next, so that all times of day occur


def chosen_hours(days: list[date], count: int | None) -> dict[date, set[int]]:
    """Hours to read by day: ``count``, spread over all days and times, or every one if None."""
    if count is None:
        return {day: set(range(24)) for day in days}
    picks = Counter(np.linspace(0, len(days) - 1, count).round().astype(int).tolist())
    chosen: dict[date, set[int]] = {}
    for order, (position, several) in enumerate(sorted(picks.items())):
        of_day = [24 * number // several for number in range(several)]
        chosen[days[position]] = {(hour + HOURS_APART * order) % 24 for hour in of_day}
    return chosen


def chosen_times(times: pd.DatetimeIndex, count: int | None) -> dict[date, set[int]]:
    """Hours to read by day: ``count`` of the existing ones, or every one if None."""
    positions = np.linspace(0, len(times) - 1, count or len(times)).round().astype(int)
    chosen: dict[date, set[int]] = defaultdict(set)
    for hour in times[positions]:
        chosen[hour.date()].add(hour.hour)
    return chosen


@dataclass
class Hours:
    """Hours of archives and hourly files: UTC, or by the names of files without a study.

    Attributes:
        source: The files.
        tally: Content of the sampled hours.
        found: Hours in names of files or members.
        assumed: All 24 hours of days whose archives were not opened, or not to the end.
        sampled: Hours that were read.
        opened: Number of days whose archives were opened.
        mean_temp: Mean temperature of each hour, by the names, of the first whole day opened.
        ahead_h: Hours by which names are ahead of the files' own time coordinates.
    """

    source: Archives
    tally: Tally
    found: set[datetime] = field(default_factory=set)
    assumed: set[datetime] = field(default_factory=set)
    sampled: set[datetime] = field(default_factory=set)
    opened: int = 0
    mean_temp: dict[int, float] = field(default_factory=dict)
    ahead_h: set[float] = field(default_factory=set)

    @property
    def ahead(self) -> timedelta:
        """Time by which names are ahead of UTC."""
        return timedelta(hours=self.source.utc_offset_h or 0)

    def look(self, count: int | None) -> None:
        """Open the chosen days, and read the chosen hours."""
        chosen = chosen_hours(list(self.source.files), count)
        for day, paths in self.source.files.items():
            for path in () if day in chosen else paths:
                if HOUR_NAME.fullmatch(path.name):
                    self._note(hour_of(path.name) - self.ahead, str(path))
                else:
                    self._assume(day)
        for day, wanted in progress(chosen.items(), "days inspected", total=len(chosen)):
            self._look_at_day(day, wanted)

    def _look_at_day(self, day: date, wanted: set[int]) -> None:
        damage, looked = Findings(), len(self.sampled)
        temperatures: dict[int, float] = {}
        last: Hour | None = None
        for hour in self.source.day_by_name(day).hours(damage):
            last, number = hour, (hour.time_utc + self.ahead).hour
            self._note(hour.time_utc, hour.where)
            if number in wanted:
                self._look_at_hour(hour)
            if not self.mean_temp and (mean := _mean_temperature(hour)) is not None:
                temperatures[number] = mean
        for problem in damage.problems:
            self.tally.findings.add(problem)
            self._assume(day)
        if last is not None and len(self.sampled) == looked:
            self._look_at_hour(last)  # none of the chosen hours is there
        if len(temperatures) == 24:
            self.mean_temp = temperatures
        self.opened += 1

    def _look_at_hour(self, hour: Hour) -> None:
        contents = hour.read(self.tally.findings)
        self.tally.look(contents, hour.where)
        self.sampled.add(hour.time_utc)
        if contents.stated_utc is not None:
            ahead = hour.time_utc + self.ahead - contents.stated_utc
            self.ahead_h.add(ahead.total_seconds() / 3600)

    def _note(self, hour: datetime, where: str) -> None:
        if hour in self.found:
            dataset, findings = self.tally.dataset, self.tally.findings
            if dataset and dataset.quality.duplicate_hours == "mask":
                findings.remark("an hour is there twice: left out", where)
            else:
                findings.add(duplicate_hour(where, f"{hour}" + (" UTC" if dataset else "")))
        self.found.add(hour)

    def _assume(self, day: date) -> None:
        self.assumed.update(hour - self.ahead for hour in _range(day, day))

    def summary(self, dataset: DatasetConfig | None) -> dict[str, Any]:
        """Hours expected, found and missing: of a study's period, or from first to last day."""
        days = list(self.source.files)
        span = (dataset.period.start, dataset.period.end) if dataset else (days[0], days[-1])
        clock = "UTC" if dataset else "file names"
        return counted(list(_range(*span)), self.found | self.assumed, clock, ABSENT) | {
            "days_opened": self.opened,
            "hours_taken_from_names_of_archives": len(self.assumed - self.found),
            "sampled": [hour.isoformat() for hour in sorted(self.sampled)],
        }


def counted(
    expected: list[datetime],
    there: Collection[datetime],
    clock: str,
    reason: str,
    step_h: int = 1,
) -> dict[str, Any]:
    """Counts of the hours, or times every ``step_h`` hours, expected, found and missing."""
    known = set(there)
    listed = [(hour, None if hour in known else reason) for hour in expected]
    missing = sum(reason is not None for _, reason in listed)
    return {
        "clock": clock,
        "first": expected[0].isoformat() if expected else None,
        "last": expected[-1].isoformat() if expected else None,
        "expected": len(expected),
        "found": len(expected) - missing,
        "missing": missing,
        "gaps": gaps(listed, step_h),
    }


def _range(first: date, last: date) -> Iterable[datetime]:
    start = datetime.combine(first, time())
    return (start + number * HOUR for number in range(((last - first).days + 1) * 24))


def _mean_temperature(hour: Hour) -> float | None:
    """Mean of the air temperature, in whatever unit; None if it cannot be read."""
    for stored in hour.read(Findings(), ("temp",)).variables:
        if stored.values is not None and np.isfinite(stored.values).any():
            return float(np.nanmean(stored.values, dtype=np.float64))
    return None
