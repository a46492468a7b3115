"""How the quantities of a study come from the variables that a series has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats
from airshed.data.conversion import AIR
from airshed.data.gridded import humidity
from airshed.errors import AirshedError
from airshed.variables import HELPERS, STATIC, Quantities, Variable


@dataclass(frozen=True)
class Recipe:
    """A quantity that follows from others.

    Attributes:
        made_of: The others, in canonical units.
        formula: From their fields.
        words: The formula in words.
    """

    made_of: tuple[str, ...]
    formula: Callable[..., Floats]
    words: str


def _eastward(speed: Floats, from_deg: Floats) -> Floats:
    return -speed * np.sin(np.radians(from_deg))


def _northward(speed: Floats, from_deg: Floats) -> Floats:
    return -speed * np.cos(np.radians(from_deg))


WIND = ("wind_speed", "wind_direction")
MAGNUS = "saturation by Alduchov and Eskridge 1996"
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "u": (Recipe(WIND, _eastward, "- speed x sin(direction it comes from)"),),
    "v": (Recipe(WIND, _northward, "- speed x cos(direction it comes from)"),),
    "rh": (
        Recipe(("dew_point", "temp"), humidity.from_dew_point, MAGNUS),
        Recipe(("specific_humidity", *AIR), humidity.from_specific_humidity, MAGNUS),
        Recipe(("humidity_mixing_ratio", *AIR), humidity.from_mixing_ratio, MAGNUS),
    ),
}


HELPED_BY = Quantities(known=HELPERS, hourly=())


def known_variable(quantities: Quantities, name: str) -> Variable:
    """A quantity of the dataset, or a helper."""
    return quantities[name] if name in quantities else HELPED_BY[name]


def quantity_of(quantities: Quantities, stored_as: str) -> str | None:
    """The hourly quantity or helper that a variable of a file stands for by its name."""
    name = quantities.canonical_name(stored_as) or HELPED_BY.canonical_name(stored_as)
    return None if name in STATIC else name


def chosen_recipes(
    wanted: Iterable[str], there: set[str], names: Iterable[str], where: object
) -> dict[str, Recipe]:
    """A recipe for each wanted quantity that the series does not have.

    Args:
        wanted: Quantities of the study.
        there: Quantities and helpers that the series has.
        names: Of all variables of the series, for messages.
        where: For messages.

    Raises:
        AirshedError: One is missing, and so are the ingredients of its recipes.
    """
    recipes, missing = {}, []
    for name in wanted:
        if name in there:
            continue
        ways = [each for each in RECIPES.get(name, ()) if set(each.made_of) <= there]
        if ways:
            recipes[name] = ways[0]
        else:
            instead = (" and ".join(each.made_of) for each in RECIPES.get(name, ()))
            missing.append(" or ".join([name, *instead]))
    if missing:
        raise AirshedError(
            "a series lacks a variable",
            where=where,
            expected="; ".join(missing),
            found=", ".join(sorted(names)) or "no variable",
            hint="name its variable in dataset.gridded.names, such as {pm25: PM2_5_DRY}",
        )
    return recipes
