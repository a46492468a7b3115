"""One hour as it was read, whatever it was read from, and whether its parts fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.problems import STOP, Problems, passing
from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.variables import HOURLY, STATIC, VARIABLES, canonical_name

NEEDED = (*HOURLY, "lat2d", "lon2d")
"""What an ingest reads of each hour."""


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
        units: Of the values: canonical ones, or None as long as nobody says.
    """

    stored_as: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attribute: Any
    values: Floats | None = None
    units: str | None = None

    @property
    def name(self) -> str | None:
        """Its canonical name, None for one that is not used."""
        return canonical_name(self.stored_as)

    def convert(self, name: str, configured: Mapping[str, str], where: str) -> None:
        """Bring the values to canonical units.

        Args:
            name: Canonical name.
            configured: Units that the configuration states, by canonical name.
            where: The file, for messages.

        Raises:
            AirshedError: The unit is unknown, wrong, or contradicts the configuration.
        """
        said, place = self.attribute, f"{where}, variable {name}"
        if said is None and name in STATIC:
            said = VARIABLES[name].units  # the name says it
        if self.values is not None:
            self.values = to_canonical(self.values, name, said, configured, place)
            self.units = VARIABLES[name].units


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

    def accept(self, name: str, stored: Stored) -> None:
        """Note that nothing is wrong with a variable by itself."""
        if stored.values is not None:
            self.fields[name] = stored.values

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
        time_utc: When it is; by the files' clock if nobody knows how far that is ahead of UTC.
        where: Its name for messages.
        reader: Reads it: of some canonical variables the fields.
    """

    time_utc: datetime
    where: str
    reader: Callable[[Problems, tuple[str, ...]], Contents]

    def read(self, problems: Problems = STOP, names: tuple[str, ...] = NEEDED) -> Contents:
        """Read it.

        Raises:
            AirshedError: It does not hold what it should, unless problems are noted.
        """
        return self.reader(problems, names)


@dataclass(frozen=True)
class RawHour:
    """One hour: fields [11, Y, X] in HOURLY order, and its grid.

    Values are as they are in the file, in canonical units; NaN where the file has none. ``lacking``
    names variables in which something is wrong, where that was noted; they are NaN.
    """

    fields: Floats
    lat_deg: Floats
    lon_deg: Floats
    lacking: tuple[str, ...] = ()


def as_hour(contents: Contents, where: str, problems: Problems = STOP) -> RawHour:
    """The hour, if its variables have the shape of the latitudes; both positions must be there.

    Raises:
        AirshedError: A shape differs.
    """
    fields = contents.fields
    shape = fields["lat2d"].shape

    def check(name: str) -> None:
        if fields[name].shape != shape:
            raise AirshedError(
                "the variables of a raw file differ in shape",
                where=f"{where}, variable {name}",
                expected=f"{shape}, as lat2d has",
                found=fields[name].shape,
                hint="rows come before columns, in every variable",
            )

    right = passing(problems, (name for name in HOURLY if name in fields), check)
    check("lon2d")
    lacking = tuple(name for name in HOURLY if name not in right)
    stacked = np.stack(
        [fields[name] if name in right else np.full(shape, np.nan) for name in HOURLY]
    )
    return RawHour(stacked, fields["lat2d"], fields["lon2d"], lacking)


def choose_variables(
    there: Iterable[str],
    needed: Iterable[str],
    where: object,
    problems: Problems = STOP,
    kind: str = "raw file",
) -> dict[str, str]:
    """What a file calls each canonical variable that it has; an exact name goes before aliases.

    Raises:
        AirshedError: Two names stand for the same variable, and neither is the exact one; or a
            variable is lacking.
    """
    there, found = list(there), dict[str, str]()

    def choose(stored_as: str) -> None:
        name = canonical_name(stored_as)
        if name in found and stored_as != name:
            raise AirshedError(
                "two variables of a raw file stand for the same quantity",
                where=where,
                expected=f"one variable for {name}",
                found=", ".join(each for each in there if canonical_name(each) == name),
                hint=f"call the right one {name}, or remove the other",
            )
        if name is not None:
            found[name] = stored_as

    passing(problems, sorted(there, key=lambda name: name in VARIABLES), choose)  # exact names last
    with problems:
        if lacking := [name for name in needed if name not in found]:
            raise AirshedError(
                f"a {kind} lacks a variable",
                where=where,
                expected=", ".join(lacking),
                found=", ".join(there),
                hint="aliases of names are listed in src/airshed/variables.py",
            )
    return found
