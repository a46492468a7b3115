"""Days and hours of a gridded series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from airshed.config.data import DatasetConfig
from airshed.data.gridded.hours import Found, HourFields, Reading, same_values
from airshed.data.gridded.listing import series_files
from airshed.data.gridded.opening import Place, close_unless, opened, places_of
from airshed.data.gridded.parts import Part, part_of
from airshed.data.gridded.recipes import chosen_recipes
from airshed.data.problems import STOP, Problems
from airshed.data.rawhour import Hour
from airshed.errors import AirshedError
from airshed.progress import progress

SHOWN = 2  # files of a time, in messages
QUIET_S = 5.0  # opening files shows its progress if it takes longer


@dataclass(frozen=True)
class GriddedDay:
    """Hours of one day of a series.

    Attributes:
        reading: How files are read.
        duplicates: What happens to times of which files have different values: refuse or mask.
        parts: Files with times of the day, cut to these.
    """

    reading: Reading
    duplicates: str
    parts: tuple[Part, ...]

    def fingerprint(self) -> list[Any]:
        """Path, member, state and names of every file that holds times of the day."""
        return [
            [str(part.place), *part.place.state, *map(list, sorted(part.stored.items()))]
            for part in self.parts
        ]

    def checksums(self) -> dict[str, str]:
        """None: a file may hold years, and is hashed once in the end."""
        return {}

    def hours(self, problems: Problems = STOP) -> Iterator[Hour]:
        """Each time that has every quantity; one with different values in two files comes twice.

        Raises:
            AirshedError: Two files have different values for one time, unless problems are noted
                or the study masks such hours.
        """
        close_unless(len(self.parts))
        found: dict[pd.Timestamp, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
        for part in self.parts:
            for time, number in zip(part.times, part.numbers, strict=True):
                for name in part.stored:
                    found[time][name].append(Found(part, number))
        needed = self.reading.needed
        for time, places in sorted(found.items()):
            if needed <= places.keys():
                hour = self._hour(time, places)
                yield hour
                with problems:
                    if self._is_ambiguous(time, places):
                        yield hour

    def _hour(self, time: pd.Timestamp, places: Mapping[str, list[Found]]) -> Hour:
        fields = HourFields(self.reading, {name: each[0] for name, each in places.items()})
        files = sorted({str(found.part.place) for each in places.values() for found in each})
        more = f" and {len(files) - SHOWN} more" if files[SHOWN:] else ""
        where = f"{', '.join(files[:SHOWN])}{more}, {time}"
        return Hour(time.to_pydatetime(), where, fields.contents, self.reading.quantities)

    def _is_ambiguous(self, time: pd.Timestamp, places: Mapping[str, list[Found]]) -> bool:
        """Whether files have different values for one time; refused unless these are masked."""
        for name, (first, *others) in places.items():
            for other in others:
                if same_values(self.reading, name, first, other):
                    continue
                if self.duplicates == "mask":
                    return True
                raise AirshedError(
                    "two files of a series have different values for one time",
                    where=f"{first.part.place}, variable {first.part.stored[name]}",
                    expected=f"what {other.part.place}, {other.part.stored[name]} has",
                    found=f"other values of {name} at {time} UTC",
                    hint="remove one of them, name the right variable in"
                    " dataset.gridded.names, or set dataset.quality.duplicate_hours to mask",
                )
        return False


@dataclass(frozen=True)
class GriddedSeries:
    """A series: its files, and how they are read.

    Attributes:
        dataset: The study's description of it.
        reading: How files are read.
        parts: Files with quantities of the study.
        unused: Files without any.
    """

    dataset: DatasetConfig
    reading: Reading
    parts: tuple[Part, ...]
    unused: tuple[Place, ...]

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Every time of any file, in order."""
        return pd.DatetimeIndex(np.unique(np.concatenate([part.times for part in self.parts])))

    @cached_property
    def _by_day(self) -> dict[date, list[Part]]:
        """Files by the days of their times; there may be a hundred thousand files."""
        found: dict[date, list[Part]] = defaultdict(list)
        for part in self.parts:
            for day in part.times.normalize().unique():
                found[day.date()].append(part)
        return found

    @cached_property
    def times_by_quantity(self) -> dict[str, pd.DatetimeIndex]:
        """The times of each needed quantity."""
        found: dict[str, list[Any]] = {name: [] for name in sorted(self.reading.needed)}
        for part in self.parts:
            for name in found.keys() & part.stored.keys():
                found[name].append(part.times)
        return {name: pd.DatetimeIndex(np.unique(np.concatenate(t))) for name, t in found.items()}

    @property
    def whole_times(self) -> pd.DatetimeIndex:
        """Times that have every quantity."""
        whole = self.times
        for times in self.times_by_quantity.values():
            whole = whole.intersection(times)
        return whole

    def span(self) -> str:
        """First and last time that are there."""
        return f"a series from {self.times[0]} to {self.times[-1]} (UTC)"

    def day(self, day: date) -> GriddedDay:
        """The files of one UTC day."""
        start = datetime.combine(day, datetime.min.time())
        of_day = self._by_day.get(day, [])
        parts = (part.during(start, start + timedelta(days=1)) for part in of_day)
        duplicates = self.dataset.quality.duplicate_hours
        return GriddedDay(self.reading, duplicates, tuple(part for part in parts if part))

    def day_by_name(self, day: date) -> GriddedDay:
        """The same: a series has no other clock than its times."""
        return self.day(day)

    def conversions(self) -> dict[str, str]:
        """How each quantity comes from the variables of the files, in words."""
        ways: dict[str, list[str]] = defaultdict(list)
        for name, recipe in self.reading.recipes.items():
            ways[name].append(f"from {', '.join(recipe.made_of)}: {recipe.words}")
        for part in self.parts:
            for name, stored in part.stored.items():
                ways[name].append(self.reading.conversion(part, name).in_words(stored))
        return {name: "; or ".join(dict.fromkeys(ways[name])) for name in sorted(ways)}


def open_series(dataset: DatasetConfig, given: str, problems: Problems = STOP) -> GriddedSeries:
    """All files of a series, opened but not read.

    Raises:
        AirshedError: There is none, one cannot be read, its times or levels are not clear, or a
            quantity of the study is in none of them.
    """
    places = [place for path in series_files(given) for place in places_of(path)]
    parts: list[Part] = []
    for place in progress(places, "files opened", total=len(places), delay_s=QUIET_S):
        with problems:
            parts += part_of(dataset, place)
    names = {str(name) for place in places[:3] for name in opened(place).data_vars}
    there = {name for part in parts for name in part.stored}
    recipes = chosen_recipes(dataset.quantities.hourly, there, names, given)
    reading = replace(Reading.of(dataset), recipes=recipes)
    reading = replace(reading, air=_air(reading, parts, there))
    used = tuple(part for each in parts if (part := each.only(reading.needed)) is not None)
    _check_levels(dataset.gridded.level, used)
    read = {part.place for part in used}
    unused = tuple(place for place in places if place not in read)
    return GriddedSeries(dataset, reading, used, unused)


def _air(reading: Reading, parts: Iterable[Part], there: set[str]) -> frozenset[str]:
    """What mixing ratios need to become concentrations; it must be there."""
    found: set[str] = set()
    for part in parts:
        for name in sorted(reading.needed & part.stored.keys()):
            conversion = reading.conversion(part, name)
            conversion.check_air(
                there, "request them too, or name their variables in dataset.gridded.names"
            )
            found |= set(conversion.made_of)
    return frozenset(found)


def _check_levels(level: Mapping[str, float], parts: Iterable[Part]) -> None:
    """Every level that the study chooses is one of a variable."""
    there = set[str]().union(*(part.axes for part in parts))
    for axis, value in level.items():
        if axis not in there:
            raise AirshedError(
                "a level is missing",
                where=f"dataset.gridded.level.{axis}",
                expected=f"{axis} {value:g} in a variable that is read",
                found=f"dimensions and coordinates {', '.join(sorted(there))}",
                hint="call it as the files do; leave it out if they hold one level",
            )
