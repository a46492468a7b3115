"""One hour as it was read, whatever it was read from, and whether its parts fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.conversion import Conversion
from airshed.data.problems import STOP, Problems, passing
from airshed.errors import AirshedError
from airshed.variables import Quantities


@dataclass
class Stored:
    """One variable of a raw file or store.

    Attributes:
        stored_as: Its name there.
        dimensions: Their names.
        shape: Their sizes.
        dtype: As stored.
        attribute: Its units attribute, a text unless the file is wrong; None without one.
        values: NaN where missing; None where they were not read.
        units: Of the values: canonical ones once they are converted, else None.
        name: Its canonical name, None for one that is not known.
    """

    stored_as: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attribute: Any
    values: Floats | None = None
    units: str | None = None
    name: str | None = None

    def conversion(self, name: str, quantities: Quantities, where: str) -> Conversion:
        """How it becomes a quantity of the dataset in canonical units.

        Raises:
            AirshedError: Its unit attribute is no text.
        """
        return Conversion.of(
            quantities[name], self.attribute, quantities, f"{where}, variable {name}"
        )


def with_air(
    names: tuple[str, ...], there: Mapping[str, Stored], quantities: Quantities
) -> tuple[str, ...]:
    """The variables to read so that some can be converted: for mixing ratios also the air's."""
    needed = set[str]()
    for name in there.keys() & set(names):
        with suppress(AirshedError):  # of a wrong attribute, which is refused on conversion
            needed |= set(there[name].conversion(name, quantities, "").made_of)
    return (*names, *sorted(needed - set(names)))


def convert_all(
    read: Mapping[str, Stored],
    right: Iterable[str],
    quantities: Quantities,
    where: str,
    problems: Problems,
) -> dict[str, Floats]:
    """Bring what was read to canonical units, mixing ratios with the air of the same hours.

    Args:
        read: Variables by canonical name.
        right: Names of those without a problem.
        quantities: What the dataset knows.
        where: The file, for messages.
        problems: Takes what is wrong.

    Returns:
        The fields of those that are converted, by canonical name.

    Raises:
        AirshedError: A unit is unknown, wrong, or contradicts the configuration; or a mixing ratio
            lacks temperature or pressure.
    """
    ways, done = dict[str, Conversion](), set[str]()

    def look(name: str) -> None:
        ways[name] = read[name].conversion(name, quantities, where)

    def convert(name: str) -> None:
        way, stored = ways[name], read[name]
        if stored.values is None:
            return
        way.check_air(done, "add them to the file, or convert the field first")
        air = {each: read[each].values for each in way.made_of}
        there = {each: values for each, values in air.items() if values is not None}
        for each, values in there.items():
            if values.shape != stored.values.shape:
                place = f"{where}, variable {each}"
                raise differing(place, stored.values.shape, name, values.shape)
        stored.values = way.convert(stored.values, *there.values())
        stored.units = way.variable.units
        done.add(name)

    clear = passing(problems, right, look)
    air_first = sorted(clear, key=lambda name: len(ways[name].made_of))
    fields = {name: read[name].values for name in passing(problems, air_first, convert)}
    return {name: field for name, field in fields.items() if field is not None}


def described(stored_as: str, variable: Any, name: str | None = None) -> Stored:
    """The description of a variable that xarray has opened; ``name`` is its canonical name."""
    dimensions, units = tuple(map(str, variable.dims)), variable.attrs.get("units")
    return Stored(stored_as, dimensions, variable.shape, str(variable.dtype), units, name=name)


@dataclass
class Contents:
    """What an hour holds.

    Attributes:
        variables: All that are there.
        fields: Those in which nothing is wrong, by canonical name, in canonical units.
        stated_utc: The time in the file's own time coordinate; None if it has none that is
            understood.
    """

    variables: list[Stored] = field(default_factory=list)
    fields: dict[str, Floats] = field(default_factory=dict)
    stated_utc: datetime | None = None

    def at(self, number: int) -> Contents:
        """One hour of several: of fields [T, Y, X]; those [Y, X] are the same in all."""

        def one(values: Floats) -> Floats:
            return values[number] if values.ndim == 3 else values

        variables = [
            each if each.values is None else replace(each, values=one(each.values))
            for each in self.variables
        ]
        return Contents(variables, {name: one(field) for name, field in self.fields.items()})


@dataclass(frozen=True)
class Hour:
    """One hour of a source that is not read yet.

    Attributes:
        time_utc: Its time; by the files' clock if the study states no offset from UTC.
        where: Its name for messages.
        reader: Reads the fields of some canonical variables.
        quantities: What its dataset knows.
    """

    time_utc: datetime
    where: str
    reader: Callable[[Problems, tuple[str, ...]], Contents]
    quantities: Quantities

    def read(self, problems: Problems = STOP, names: tuple[str, ...] | None = None) -> Contents:
        """Read it: the fields that an ingest reads, or those that are named.

        Raises:
            AirshedError: It does not hold what it should, unless problems are noted.
        """
        return self.reader(problems, self.quantities.read if names is None else names)


def of_mixing_ratios(hour: Hour) -> dict[str, str]:
    """The conversion, in words, of each hourly quantity that an hour has as a mixing ratio."""
    quantities, found = hour.quantities, {}
    for stored in hour.read(names=()).variables:
        if stored.name in quantities.hourly:
            way = stored.conversion(stored.name, quantities, hour.where)
            if way.ratio:
                found[stored.name] = way.in_words(stored.stored_as)
    return found


@dataclass(frozen=True)
class RawHour:
    """One hour: its hourly fields [V, Y, X] in the dataset's order, and its grid.

    Values are in canonical units, NaN where the file has none. ``invalid`` names variables in which
    a problem was noted; they are NaN everywhere.
    """

    fields: Floats
    lat_deg: Floats
    lon_deg: Floats
    invalid: tuple[str, ...] = ()


def as_hour(
    contents: Contents, hourly: tuple[str, ...], where: str, problems: Problems = STOP
) -> RawHour:
    """The hour, if its variables have the shape of the latitudes; both positions must be there.

    Args:
        contents: What was read of it.
        hourly: Names of the hourly fields, in the dataset's order.
        where: Its name for messages.
        problems: Takes what is wrong.

    Raises:
        AirshedError: A shape differs.
    """
    fields = contents.fields
    shape = fields["lat2d"].shape

    def check(name: str) -> None:
        if fields[name].shape != shape:
            raise differing(f"{where}, variable {name}", shape, "lat2d", fields[name].shape)

    right = passing(problems, (name for name in hourly if name in fields), check)
    check("lon2d")
    invalid = tuple(name for name in hourly if name not in right)
    stacked = np.stack(
        [fields[name] if name in right else np.full(shape, np.nan) for name in hourly]
    )
    return RawHour(stacked, fields["lat2d"], fields["lon2d"], invalid)


def differing(where: str, shape: object, of: str, found: object) -> AirshedError:
    """The problem of a variable with another shape than it must have."""
    return AirshedError(
        "the variables of a raw file differ in shape",
        where=where,
        expected=f"{shape}, as {of} has",
        found=found,
        hint="rows come before columns, in every variable",
    )


def choose_variables(
    there: Iterable[str],
    needed: Iterable[str],
    where: object,
    quantities: Quantities,
    problems: Problems = STOP,
    kind: str = "raw file",
) -> dict[str, str]:
    """The name in a file of each canonical variable; an exact name goes before aliases.

    Raises:
        AirshedError: Two names stand for the same variable, and neither is the exact one; or a
            variable is missing.
    """
    there, found = list(there), dict[str, str]()

    def choose(stored_as: str) -> None:
        name = quantities.canonical_name(stored_as)
        if name in found and stored_as != name:
            raise AirshedError(
                "two variables of a raw file stand for the same quantity",
                where=where,
                expected=f"one variable for {name}",
                found=", ".join(each for each in there if quantities.canonical_name(each) == name),
                hint=f"call the right one {name}, or remove the other",
            )
        if name is not None:
            found[name] = stored_as

    passing(problems, sorted(there, key=lambda name: name in quantities), choose)  # exact ones last
    with problems:
        if missing := [name for name in needed if name not in found]:
            raise AirshedError(
                f"a {kind} lacks a variable",
                where=where,
                expected=", ".join(missing),
                found=", ".join(there),
                hint="if it is there by another name, add that to its aliases in dataset.variables;"
                " if the dataset does not have it, take it out of dataset.hourly",
            )
    return found
