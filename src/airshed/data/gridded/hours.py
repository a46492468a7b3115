"""The fields of one time of a series, read and converted when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.config.grids import Box
from airshed.data.conversion import Conversion
from airshed.data.gridded.blocks import Variable, variable_of
from airshed.data.gridded.opening import Place, opened, places_of
from airshed.data.gridded.parts import Part
from airshed.data.gridded.positions import Positions, positions_of
from airshed.data.gridded.recipes import Recipe, known_variable
from airshed.data.problems import Problems
from airshed.data.rawhour import Contents
from airshed.errors import AirshedError
from airshed.variables import POSITIONS, Quantities

BUFFERED = 16  # variables of which a block is buffered, in each process
SAME_SHARE = 1e-5  # of a value: rounding
SAME_PACKED = 1.01  # of the steps of packing of both files: their rounding
_shared: WeakValueDictionary[bytes, Positions] = WeakValueDictionary()
"""Positions in use, by digest: all files of one grid share one copy."""


@dataclass(frozen=True)
class Reading:
    """How the files of a series are read.

    Attributes:
        quantities: What the dataset knows.
        box: What is read; None for all.
        level: Value of each coordinate of levels that is chosen, by its name.
        positions_file: Where positions are if not in the files.
        recipes: Of quantities that the series does not have.
        air: Quantities that the conversion of mixing ratios needs.
    """

    quantities: Quantities
    box: Box | None
    level: tuple[tuple[str, float], ...]
    positions_file: str | None
    recipes: dict[str, Recipe]
    air: frozenset[str] = frozenset()

    @classmethod
    def of(cls, dataset: DatasetConfig) -> Reading:
        """By the dataset's settings, without recipes."""
        given = dataset.gridded
        level = tuple(sorted(given.level.items()))
        return cls(dataset.quantities, dataset.box, level, given.positions_file, {})

    @property
    def needed(self) -> set[str]:
        """Quantities that the series must have, so that every hourly one can be made."""
        wanted = set(self.quantities.hourly)
        ingredients = (self.recipes[name].made_of for name in wanted & self.recipes.keys())
        return (wanted - self.recipes.keys()).union(*ingredients) | self.air

    def positions(self, place: Place) -> Positions:
        """Of the cells of a file that are read."""
        return _positions(place, self.box, self.positions_file)

    def variable(self, part: Part, name: str) -> Variable:
        """The variable of a file that holds a quantity."""
        where = self.box, self.positions_file, self.level
        return _variable(part.place, part.stored[name], part.axis, *where)

    def conversion(self, part: Part, name: str) -> Conversion:
        """How a quantity comes from the variable that holds it.

        Raises:
            AirshedError: The unit attribute is no text.
        """
        variable = known_variable(self.quantities, name)
        where = f"{part.place}, variable {part.stored[name]}"
        return Conversion.of(variable, part.units[name], self.quantities, where)


@lru_cache(maxsize=BUFFERED)
def _variable(
    place: Place,
    stored: str,
    axis: str | None,
    box: Box | None,
    positions_file: str | None,
    level: tuple[tuple[str, float], ...],
) -> Variable:
    return variable_of(place, stored, axis, _positions(place, box, positions_file), dict(level))


@lru_cache(maxsize=BUFFERED)
def _positions(place: Place, box: Box | None, file: str | None) -> Positions:
    holder = place if file is None else places_of(Path(file))[0]
    found = positions_of(opened(holder), box, holder)
    return _shared.setdefault(found.digest(), found)


@dataclass(frozen=True)
class Found:
    """Where a quantity is at one time: a file, and the position on its time axis."""

    part: Part
    number: int


def same_values(reading: Reading, name: str, one: Found, other: Found) -> bool:
    """Whether two files have the same values, but for the rounding of packed numbers."""
    first, second = (reading.variable(found.part, name) for found in (one, other))
    here, there = first.field(one.number), second.field(other.number)
    steps = SAME_PACKED * (first.packed_step + second.packed_step)
    return here.shape == there.shape and np.allclose(
        here, there, rtol=SAME_SHARE, atol=steps, equal_nan=True
    )


@dataclass(frozen=True)
class HourFields:
    """One time of a series: where each quantity is."""

    reading: Reading
    found: dict[str, Found]

    def contents(self, problems: Problems, names: tuple[str, ...]) -> Contents:
        """What the hour holds, of some quantities the fields.

        Raises:
            AirshedError: Something is wrong with them, unless problems are noted.
        """
        contents, read = Contents(), dict[str, Floats]()
        with problems:
            contents.fields |= dict(zip(POSITIONS, self._positions(), strict=True))
        if not contents.fields:
            names = ()  # values of different grids cannot be set beside each other
        for name, found in self.found.items():
            with problems:
                stored = replace(self.reading.variable(found.part, name).stored, name=name)
                contents.variables.append(stored)
                if name in names:
                    stored.values = self.field(name, read)
                    stored.units = known_variable(self.reading.quantities, name).units
        for name in names:
            if name not in POSITIONS:
                with problems:
                    contents.fields[name] = self.field(name, read)
        return contents

    def _positions(self) -> tuple[Floats, Floats]:
        """Latitudes and longitudes, the same in all files."""
        first, *others = {found.part.place: None for found in self.found.values()}
        positions = self.reading.positions(first)
        for place in others:
            other = self.reading.positions(place)
            if not positions.same_as(other):
                raise AirshedError(
                    "the files of a series lie on different grids",
                    where=place,
                    expected=f"{positions}, as {first}",
                    found=other,
                    hint="a dataset has one grid; give a pattern that leaves the others out",
                )
        return positions.lat_deg, positions.lon_deg

    def field(self, name: str, read: dict[str, Floats]) -> Floats:
        """A quantity [Y, X] in canonical units.

        Raises:
            AirshedError: It cannot be read or converted.
        """
        if name not in read:
            if name in self.reading.recipes:
                recipe = self.reading.recipes[name]
                read[name] = recipe.formula(*(self.field(each, read) for each in recipe.made_of))
            else:
                read[name] = self._converted(name, read)
        return read[name]

    def _converted(self, name: str, read: dict[str, Floats]) -> Floats:
        found = self.found[name]
        conversion = self.reading.conversion(found.part, name)
        values = self.reading.variable(found.part, name).field(found.number)
        return conversion.convert(values, *(self.field(each, read) for each in conversion.made_of))
