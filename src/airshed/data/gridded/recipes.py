"""How the quantities of a study come from the variables that a series has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats
from airshed.data.gridded import humidity
from airshed.data.ratios import AIR_G_MOL, MOLAR_MASS_G_MOL, Ratio, dry_air_density, ratio_of
from airshed.data.units import contradicting, is_density, linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import HELPERS, STATIC, Quantities, Variable

AIR = ("psfc", "temp")
"""What the density of air follows from."""


@dataclass(frozen=True)
class Recipe:
    """A quantity that follows from others.

    Attributes:
        made_of: The others, in canonical units.
        formula: From their fields.
        told: The formula in words.
    """

    made_of: tuple[str, ...]
    formula: Callable[..., Floats]
    told: str


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
    """How each wanted quantity that is not there itself is made.

    Args:
        wanted: Quantities of the study.
        there: Those that the series has, helpers among them.
        names: Of all variables of the series, for messages.
        where: For messages.

    Raises:
        AirshedError: One is not there, nor what it follows from.
    """
    recipes, lacking = {}, []
    for name in wanted:
        if name in there:
            continue
        ways = [each for each in RECIPES.get(name, ()) if set(each.made_of) <= there]
        if ways:
            recipes[name] = ways[0]
        else:
            instead = (" and ".join(each.made_of) for each in RECIPES.get(name, ()))
            lacking.append(" or ".join([name, *instead]))
    if lacking:
        raise AirshedError(
            "a series lacks a variable",
            where=where,
            expected="; ".join(lacking),
            found=", ".join(sorted(names)) or "no variable",
            hint="say what it is called there: dataset.gridded.names, such as {pm25: PM2_5_DRY}",
        )
    return recipes


@dataclass(frozen=True)
class Conversion:
    """From the numbers of a variable to a quantity in canonical units.

    Attributes:
        variable: The quantity, or a helper.
        attribute: The unit that the file states, None without one.
        stated: The unit that the study states, None without one.
        where: File and variable, for messages.
    """

    variable: Variable
    attribute: str | None
    stated: str | None
    where: str

    @property
    def units(self) -> str | None:
        """The unit of the numbers."""
        return self.attribute if self.attribute is not None else self.stated

    @property
    def ratio(self) -> Ratio | None:
        """Of a mixing ratio where a mass concentration is wanted, what its unit means."""
        ratio = ratio_of(self.units or "")
        return ratio if ratio and is_density(self.variable.units) else None

    @property
    def made_of(self) -> tuple[str, ...]:
        """Quantities that it needs beside the numbers: of a mixing ratio those of the air."""
        return AIR if self.ratio else ()

    def convert(self, values: Floats, *air: Floats) -> Floats:
        """The quantity in canonical units.

        Args:
            values: The numbers.
            air: Fields of what it is made of.

        Raises:
            AirshedError: The unit is unknown, of something else, or contradicts the study's.
        """
        ratio = self.ratio
        if ratio is None:
            return to_canonical(values, self.variable, self.attribute, self.stated, self.where)
        if self.stated is not None and ratio_of(self.stated) != ratio:
            raise contradicting(self.variable.name, self.stated, self.units, self.where)
        found = ratio.concentration(values, dry_air_density(*air), self._molar_mass(ratio))
        return found * linear_conversion("kg m-3", self.variable.units)[0]

    def _molar_mass(self, ratio: Ratio) -> float:
        name = self.variable.name
        if ratio.molar and name not in MOLAR_MASS_G_MOL:
            raise AirshedError(
                "a unit cannot be converted",
                where=self.where,
                expected=f"something convertible to {self.variable.units}",
                found=f"{self.units}, of something whose molar mass is unknown",
                hint=f"molar masses are known of {', '.join(MOLAR_MASS_G_MOL)}",
            )
        return MOLAR_MASS_G_MOL[name] if ratio.molar else AIR_G_MOL

    def told(self, stored_as: str) -> str:
        """What is done, in words."""
        said = f"{stored_as} [{'no unit' if self.units is None else self.units.strip()}]"
        if self.ratio is None:
            return said
        density = f"times the density of dry air at {' and '.join(AIR)}"
        grams = f" and {self._molar_mass(self.ratio):g} / {AIR_G_MOL:g}" if self.ratio.molar else ""
        return f"{said}, {density}{grams}"
