"""One hour as it was read, whatever it was read from, and whether its parts fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.data.problems import STOP, Problems, passing
from airshed.data.units import to_canonical
from airshed.errors import AirshedError
from airshed.variables import HOURLY, STATIC, VARIABLES, canonical_name

Floats = npt.NDArray[np.floating[Any]]
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


def by_canonical_name(
    names: Iterable[str], where: str, problems: Problems = STOP
) -> dict[str, str]:
    """Which of the names stands for which variable; an exact name goes before its aliases.

    Raises:
        AirshedError: Two names stand for the same variable, and neither is the exact one.
    """
    found: dict[str, str] = {}
    names = list(names)

    def choose(key: str) -> None:
        name = canonical_name(key)
        if name in found and key != name:
            raise AirshedError(
                "two variables of a raw file stand for the same quantity",
                where=where,
                expected=f"one variable for {name}",
                found=", ".join(each for each in names if canonical_name(each) == name),
                hint=f"call the right one {name}, or remove the other",
            )
        if name is not None:
            found[name] = key

    passing(problems, sorted(names, key=lambda key: key in VARIABLES), choose)  # exact names last
    return found
