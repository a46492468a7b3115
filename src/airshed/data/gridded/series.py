"""Days and hours of a gridded series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.config.data import Box, DatasetConfig
from airshed.data.gridded.blocks import Variable, variable_of
from airshed.data.gridded.listing import series_files
from airshed.data.gridded.opening import Place, opened, places_of
from airshed.data.gridded.positions import Positions, positions_of
from airshed.data.gridded.recipes import Conversion, Recipe, chosen_recipes, quantity_of
from airshed.data.gridded.times import times_of
from airshed.data.problems import STOP, Problems
from airshed.data.rawhour import Contents, Hour, Stored
from airshed.errors import AirshedError
from airshed.progress import progress
from airshed.variables import HOURLY, STATIC, VARIABLES

QUIET_S = 5.0  # opening files shows its progress if it takes longer
HELD = 24  # variables of which a block is held, in each process
SAME_SHARE = 1e-5  # of a value: rounding
SAME_PACKED = 1.01  # of a step of packing, of both files together: their rounding


@dataclass(frozen=True)
class Part:
    """A file of a series: when it is, and which quantities it has.

    Attributes:
        place: Where it is.
        axis: Its dimension of time, None if it has one time without a dimension.
        times: UTC, in the order of the file; in a part of a day those of the day.
        numbers: Position of each on the time axis.
        stored: What it calls each quantity that it has.
    """

    place: Place
    axis: str | None
    times: pd.DatetimeIndex
    numbers: tuple[int, ...]
    stored: dict[str, str]

    def during(self, start: datetime, stop: datetime) -> Part | None:
        """The part of a stretch of time; None if it has none."""
        inside = np.flatnonzero((self.times >= start) & (self.times < stop))
        if not inside.size:
            return None
        numbers = tuple(self.numbers[place] for place in inside.tolist())
        return Part(self.place, self.axis, self.times[inside], numbers, self.stored)


@dataclass(frozen=True)
class Found:
    """Where a quantity is at one time."""

    part: Part
    number: int


@dataclass
class GriddedDay:
    """Hours of one day of a series.

    Attributes:
        on: The day, UTC.
        dataset: What a study says of the files.
        parts: Files that hold times of the day.
        recipes: How quantities are made that the series does not have.
    """

    on: date
    dataset: DatasetConfig
    parts: list[Part]
    recipes: dict[str, Recipe]

    def fingerprint(self) -> list[Any]:
        """Path, member, size and time of every file that holds times of the day."""
        return [
            [str(part.place), *part.place.state, sorted(part.stored.items())] for part in self.parts
        ]

    def checksums(self) -> dict[str, str]:
        """None: a file may hold the hours of years, and is hashed once in the end."""
        return {}

    def hours(self, problems: Problems = STOP) -> Iterator[Hour]:
        """Each time at which every quantity is there; what contradicts itself comes twice.

        Raises:
            AirshedError: Two files have different values for one time, unless problems are noted
                or the study leaves such hours out.
        """
        found: dict[pd.Timestamp, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
        for part in self.parts:
            for time, number in zip(part.times, part.numbers, strict=True):
                for name in part.stored:
                    found[time][name].append(Found(part, number))
        needed = needed_of(HOURLY, self.recipes)
        for time, places in sorted(found.items()):
            if not needed <= places.keys():
                continue
            hour = self._hour(time.to_pydatetime(), places)
            yield hour
            if any(len(each) > 1 for each in places.values()):
                with problems:
                    if self._contradiction(time, places):
                        yield hour

    def _hour(self, time: datetime, places: Mapping[str, list[Found]]) -> Hour:
        first = next(iter(places.values()))[0].part.place
        fields = HourFields(self.dataset, self.recipes, {n: each[0] for n, each in places.items()})
        return Hour(time, f"{first}, {time}", fields.contents)

    def _contradiction(self, time: pd.Timestamp, places: Mapping[str, list[Found]]) -> bool:
        """Whether files that hold the same time differ; refused unless such hours are left out."""
        for name, (first, *others) in places.items():
            for other in others:
                if _same(self.dataset, name, first, other):
                    continue
                if self.dataset.quality.duplicate_hours == "mask":
                    return True
                raise AirshedError(
                    "two files of a series have different values for one time",
                    where=f"{first.part.place}, variable {first.part.stored[name]}",
                    expected=f"what {other.part.place}, {other.part.stored[name]} has",
                    found=f"other values of {name} at {time} UTC",
                    hint="remove one of them, say which variable is meant in"
                    " dataset.gridded.names, or set dataset.quality.duplicate_hours to mask",
                )
        return False


def needed_of(wanted: tuple[str, ...], recipes: Mapping[str, Recipe]) -> set[str]:
    """The quantities that must be there so that all wanted ones are."""
    made_of = {each for name in wanted if name in recipes for each in recipes[name].made_of}
    return {name for name in wanted if name not in recipes} | made_of


def _same(dataset: DatasetConfig, name: str, one: Found, other: Found) -> bool:
    """Whether two files have the same values, but for the rounding of packed numbers."""
    fields, step = [], 0.0
    for found in (one, other):
        variable = _variable(dataset, found.part, name)
        fields.append(variable.field(found.number))
        stored = opened(found.part.place)[variable.name]
        step += abs(float(stored.encoding.get("scale_factor", 0.0)))
    return fields[0].shape == fields[1].shape and np.allclose(
        *fields, rtol=SAME_SHARE, atol=SAME_PACKED * step, equal_nan=True
    )


@dataclass(frozen=True)
class HourFields:
    """The fields of one time, read and converted when they are asked for."""

    dataset: DatasetConfig
    recipes: dict[str, Recipe]
    found: dict[str, Found]
    _known: dict[str, Floats] = field(default_factory=dict)

    def contents(self, problems: Problems, names: tuple[str, ...]) -> Contents:
        """What the hour holds, of some quantities the fields."""
        contents = Contents()
        with problems:
            self._place(contents)
        for name, found in self.found.items():
            stored = opened(found.part.place)[found.part.stored[name]]
            dimensions, units = tuple(map(str, stored.dims)), stored.attrs.get("units")
            contents.variables.append(
                Stored(str(stored.name), dimensions, stored.shape, str(stored.dtype), units)
            )
        described = {each.stored_as: each for each in contents.variables}
        for name in names:
            if name in contents.fields:
                continue
            with problems:
                contents.fields[name] = self.field(name)
                if name in self.found:
                    stored = described[self.found[name].part.stored[name]]
                    stored.values, stored.units = contents.fields[name], VARIABLES[name].units
        return contents

    def _place(self, contents: Contents) -> None:
        """The positions of the cells, the same in all files."""
        parts = {found.part.place: found.part for found in self.found.values()}
        first, *others = (_positions(self.dataset, part.place) for part in parts.values())
        for part, other in zip([*parts.values()][1:], others, strict=True):
            if not first.same_as(other):
                raise AirshedError(
                    "the files of a series lie on different grids",
                    where=part.place,
                    expected=f"{first}, as {next(iter(parts))}",
                    found=str(other),
                    hint="a dataset has one grid; give a pattern that leaves the others out",
                )
        contents.fields |= {"lat2d": first.lat_deg, "lon2d": first.lon_deg}

    def field(self, name: str) -> Floats:
        """A quantity [Y, X] in canonical units."""
        if name not in self._known:
            if name in self.recipes:
                recipe = self.recipes[name]
                self._known[name] = recipe.formula(*map(self.field, recipe.made_of))
            else:
                self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> Floats:
        found = self.found[name]
        conversion = _conversion(self.dataset, found.part, name)
        lacking = [each for each in conversion.made_of if each not in self.found]
        if lacking:
            raise AirshedError(
                "a mixing ratio needs temperature and pressure to become a concentration",
                where=conversion.where,
                expected=" and ".join(conversion.made_of),
                found=f"no {' and no '.join(lacking)} at this time",
                hint="request them too, or say what they are called in dataset.gridded.names",
            )
        air = [self.field(each) for each in conversion.made_of] or [None, None]
        return conversion.convert(
            _variable(self.dataset, found.part, name).field(found.number), *air
        )


def _conversion(dataset: DatasetConfig, part: Part, name: str) -> Conversion:
    stored = part.stored[name]
    units = opened(part.place)[stored].attrs.get("units")
    if units is not None and not isinstance(units, str):
        raise AirshedError(
            "a unit attribute is no text",
            where=f"{part.place}, {stored}",
            expected="such as 'K'",
            found=repr(units),
        )
    where = f"{part.place}, variable {stored}"
    return Conversion(name, units.strip() if units else units, dataset.units, where)


def _variable(dataset: DatasetConfig, part: Part, name: str) -> Variable:
    level = tuple(sorted(dataset.gridded.level.items()))
    return _held(part.place, part.stored[name], part.axis, _where(dataset), level)


@lru_cache(maxsize=HELD)
def _held(
    place: Place,
    stored: str,
    axis: str | None,
    where: tuple[Any, ...],
    level: tuple[tuple[str, float], ...],
) -> Variable:
    return variable_of(place, stored, axis, _placed(place, where), dict(level))


def _positions(dataset: DatasetConfig, place: Place) -> Positions:
    return _placed(place, _where(dataset))


def _where(dataset: DatasetConfig) -> tuple[Any, ...]:
    """What positions depend on beside the file: the box, and a file that has them."""
    box = dataset.box
    return (None if box is None else tuple(vars(box).items())), dataset.gridded.positions_file


@lru_cache(maxsize=HELD)
def _placed(place: Place, where: tuple[Any, ...]) -> Positions:
    given, file = where
    box = None if given is None else Box(**dict(given))
    holder = place if file is None else places_of(Path(file))[0]
    return positions_of(opened(holder), box, holder)


@dataclass(frozen=True)
class GriddedSeries:
    """A series: its files, and how the quantities of the study come from them."""

    dataset: DatasetConfig
    parts: tuple[Part, ...]
    recipes: dict[str, Recipe]

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Every time of any file, in order."""
        return pd.DatetimeIndex(np.unique(np.concatenate([part.times for part in self.parts])))

    def span(self) -> str:
        """First and last time that are there."""
        return f"a series from {self.times[0]} to {self.times[-1]} (UTC)"

    def day(self, day: date) -> GriddedDay:
        """What one UTC day needs."""
        start = datetime.combine(day, datetime.min.time())
        parts = [part.during(start, start + timedelta(days=1)) for part in self.parts]
        return GriddedDay(day, self.dataset, [part for part in parts if part], self.recipes)

    def day_by_name(self, day: date) -> GriddedDay:
        """The same: a series has no other clock than its times."""
        return self.day(day)

    def conversions(self) -> dict[str, str]:
        """How each quantity comes from the variables of the files, in words."""
        told: dict[str, list[str]] = {name: [] for name in HOURLY}
        for name in HOURLY:
            if name in self.recipes:
                recipe = self.recipes[name]
                told[name].append(f"from {', '.join(recipe.made_of)}: {recipe.told}")
        for part in self.parts:
            for name, stored in part.stored.items():
                text = _conversion(self.dataset, part, name).told(stored)
                if text not in told.setdefault(name, []):
                    told[name].append(text)
        return {name: "; or ".join(texts) for name, texts in told.items()}


def open_series(dataset: DatasetConfig, given: str) -> GriddedSeries:
    """All files of a series, looked at but not read.

    Raises:
        AirshedError: There is none, one cannot be read, its times or levels are not clear, or a
            quantity of the study is in none of them.
    """
    places = [place for path in series_files(given) for place in places_of(path)]
    found = progress(places, "files looked at", total=len(places), delay_s=QUIET_S)
    parts = [part for place in found if (part := _part(dataset, place)) is not None]
    names = {str(name) for place in places[:1] for name in opened(place).data_vars}
    there = {name for part in parts for name in part.stored}
    recipes = chosen_recipes(HOURLY, there, names, given)
    needed = needed_of(HOURLY, recipes)
    airy = {
        each
        for part in parts
        for name in needed & part.stored.keys()
        for each in _conversion(dataset, part, name).made_of
    }
    kept = [
        replace(part, stored={n: s for n, s in part.stored.items() if n in needed | airy})
        for part in parts
    ]
    _check_levels(dataset, kept)
    return GriddedSeries(dataset, tuple(part for part in kept if part.stored), recipes)


def _part(dataset: DatasetConfig, place: Place) -> Part | None:
    """A file's times and quantities; None if it has no quantity that could be of use."""
    content = opened(place)
    stored = _stored_names(dataset, content, place)
    if not stored:
        return None
    axis, clock = times_of(content, place)
    times = clock.round("min") - pd.Timedelta(hours=dataset.utc_offset_h)
    _check_steps(times, dataset, place)
    return Part(place, axis, times, tuple(range(len(times))), stored)


def _stored_names(dataset: DatasetConfig, content: xr.Dataset, place: Place) -> dict[str, str]:
    """What a file calls each quantity that it has: as the study says, or as is usual."""
    given = dataset.gridded.names
    found = {name: stored for name, stored in given.items() if stored in content.data_vars}
    usual: dict[str, list[str]] = defaultdict(list)
    for stored in map(str, content.data_vars):
        name = quantity_of(stored)
        if name is not None and name not in given and name not in STATIC:
            usual[name].append(stored)
    for name, several in usual.items():
        exact = [stored for stored in several if stored == name] or several
        if len(exact) > 1:
            raise AirshedError(
                "two variables of a series stand for the same quantity",
                where=place,
                expected=f"one variable for {name}",
                found=", ".join(several),
                hint=f"say which is meant: dataset.gridded.names: {{{name}: {several[0]}}}",
            )
        found[name] = exact[0]
    return found


def _check_steps(times: pd.DatetimeIndex, dataset: DatasetConfig, place: Place) -> None:
    """Times lie on the steps of the dataset, counted from midnight UTC."""
    step = pd.Timedelta(hours=dataset.time_step_h)
    off = times[(times - times.normalize()) % step != pd.Timedelta(0)]
    if len(off):
        raise AirshedError(
            "a time of a series lies between the dataset's steps",
            where=place,
            expected=f"every {dataset.time_step_h} h from 00:00 UTC (dataset.time_step_h)",
            found=f"{off[0]}, {len(off)} of {len(times)} such times",
            hint="set dataset.time_step_h to the step of the files; of means whose time is the"
            " middle, set dataset.utc_offset_h to half a step to count them from their start",
        )


def _check_levels(dataset: DatasetConfig, parts: Iterable[Part]) -> None:
    """Every level that the study chooses is one of a variable."""
    there = {
        str(axis)
        for part in parts
        for stored in part.stored.values()
        for axis in (*opened(part.place)[stored].dims, *opened(part.place)[stored].coords)
    }
    for axis, value in dataset.gridded.level.items():
        if axis not in there:
            raise AirshedError(
                "a level is not there",
                where=f"dataset.gridded.level.{axis}",
                expected=f"{axis} {value:g} in a variable that is read",
                found=f"dimensions and coordinates {', '.join(sorted(there))}",
                hint="call it as the files do; leave it out if they hold one level",
            )
