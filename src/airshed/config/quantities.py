"""Configuration of quantities that a study adds to the dictionary, and checks of names.

The dictionary itself is :mod:`airshed.variables`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from airshed.config.base import Section, unknown_key_message
from airshed.variables import CAQRA, VARIABLES

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Limits = Annotated[list[float], Field(min_length=2, max_length=2)]
QuantityName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)]
Alias = Annotated[str, StringConstraints(to_lower=True, min_length=1, max_length=100)]

NEEDED = ("standard_name", "units", "limits")
"""Required of a quantity that is not in the dictionary."""
OF_THE_DICTIONARY = ("standard_name", "units")
"""Fixed for one in the dictionary: limits of standards, for example, rely on them."""
TAKEN = (
    *("all", "domain_mask", "horizon", "init_time", "present", "time", "valid_time", "x", "y"),
    *("false", "inf", "infinity", "na", "nan", "none", "null", "true"),
)
"""Names that stores and tables use for something else, or that tables do not read as text."""


class QuantityConfig(Section):
    """A quantity that is not in the dictionary, or what differs of one that is."""

    standard_name: Text | None = None
    """CF standard name."""
    units: Text | None = None
    """Canonical unit."""
    long_name: Text | None = None
    """What pages call it."""
    limits: Limits | None = None
    """Smallest and largest plausible value."""
    aliases: tuple[Alias, ...] = ()
    """Further names in files."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise ValueError(
                f"limits: the lower limit {self.limits[0]:g} is not below {self.limits[1]:g}"
            )
        return self

    def attributes(self) -> dict[str, Any]:
        """The given values, by the attributes of :class:`airshed.variables.Variable`."""
        given = {name: getattr(self, name) for name in ("standard_name", "units", "long_name")}
        if self.limits is not None:
            given["low"], given["high"] = self.limits
        if self.aliases:
            given["aliases"] = self.aliases
        return {name: value for name, value in given.items() if value is not None}


def check_described(given: dict[str, QuantityConfig]) -> None:
    """Refuse quantities with too little or too much description, or under a name that is taken.

    Raises:
        ValueError: One is.
    """
    for name, one in given.items():
        where = f"variables.{name}"
        other = CAQRA.canonical_name(name)
        if name in TAKEN or (other is not None and other != name):
            means = f"'{other}' in the dictionary" if other else "something else in tables"
            raise ValueError(f"{where}: this name stands for {means}: give the quantity another")
        if name in VARIABLES:
            if any(getattr(one, key) is not None for key in OF_THE_DICTIONARY):
                raise ValueError(
                    f"{where}: the dictionary has its {' and '.join(OF_THE_DICTIONARY)}"
                    f" ({VARIABLES[name].standard_name}, {VARIABLES[name].units}); the unit that"
                    f" files have is given in dataset.units"
                )
        elif missing := [key for key in NEEDED if getattr(one, key) is None]:
            raise ValueError(
                f"{where}: the dictionary does not know it, so that {', '.join(missing)} must be"
                f" given; it knows {', '.join(VARIABLES)}"
            )
    _check_aliases(given)


def _check_aliases(given: dict[str, QuantityConfig]) -> None:
    names: dict[str, str] = {}
    for name, one in [(each.name, each) for each in VARIABLES.values()] + list(given.items()):
        for alias in {name, *one.aliases}:
            if names.setdefault(alias, name) != name:
                raise ValueError(
                    f"variables.{name}: the alias '{alias}' stands for '{names[alias]}' already"
                )


def check_known(names: Iterable[Any], known: Iterable[str], what: str) -> None:
    """Refuse names that are not known.

    Args:
        names: As given.
        known: Those that may be given.
        what: The setting, for the message.

    Raises:
        ValueError: One is unknown; the nearest known one is named.
    """
    listed = list(known)
    for name in names:
        if name not in listed:
            raise ValueError(f"{what}: {unknown_key_message(str(name), listed, 'variable')}")


def check_stored(
    names: Iterable[str], stored: Iterable[str], known: Iterable[str], what: str
) -> None:
    """Refuse names of quantities that are unknown or not in the hourly store.

    Raises:
        ValueError: One is.
    """
    check_known(names, known, what)
    there = list(stored)
    if missing := [name for name in names if name not in there]:
        raise ValueError(
            f"{what}: the hourly store lacks {', '.join(missing)}: add them to dataset.hourly, or"
            f" leave them out of {what}"
        )
