"""How the quantities of a study come from the variables that a series has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats
from airshed.data.gridded import humidity
from airshed.data.gridded.ratios import AIR_G_MOL, MOLAR_MASS_G_MOL, ratio_of
from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import VARIABLES, canonical_name

AIR = ("temp", "psfc")
"""What the density of air follows from."""


@dataclass(frozen=True)
class Helper:
    """A quantity that no study has as its own, from which others follow.

    Attributes:
        units: In which it is used.
        aliases: Usual names in files, lower case.
    """

    units: str
    aliases: tuple[str, ...]


HELPERS = {
    "dew_point": Helper("K", ("d2m", "td2", "td2m", "t2mdew", "dewpoint")),
    "specific_humidity": Helper("kg kg-1", ("qv2m", "huss", "sh2", "q2m")),
    "humidity_mixing_ratio": Helper("kg kg-1", ("q2", "qvapor")),
    "wind_speed": Helper("m s-1", ("ws10", "wspd10", "si10", "sfcwind", "wspd")),
    "wind_direction": Helper("degree", ("wd10", "wdir10", "wdir", "wdir_10m")),
}


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


def quantity_of(stored_as: str) -> str | None:
    """The quantity or helper that a variable of a file stands for by its name."""
    lowered = stored_as.lower()
    helpers = (name for name, each in HELPERS.items() if lowered in (name, *each.aliases))
    return canonical_name(stored_as) or next(helpers, None)


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
        quantity: Its canonical name, or that of a helper.
        attribute: The unit that the file states, None without one.
        configured: Units that the study states, by quantity.
        where: File and variable, for messages.
    """

    quantity: str
    attribute: str | None
    configured: Mapping[str, str]
    where: str

    @property
    def made_of(self) -> tuple[str, ...]:
        """Other quantities that it needs: those of the air, if the unit is one of mixing ratios."""
        return AIR if self._is_ratio() else ()

    def _units(self) -> str | None:
        return self.attribute if self.attribute is not None else self.configured.get(self.quantity)

    def _is_ratio(self) -> bool:
        """Whether it is a mixing ratio where a mass concentration is wanted."""
        units = self._units()
        if self.quantity in HELPERS or units is None or ratio_of(units) is None:
            return False
        try:
            linear_conversion("kg m-3", VARIABLES[self.quantity].units)
        except ValueError:
            return False
        return True

    def convert(self, values: Floats, temp_k: Floats | None, pressure_pa: Floats | None) -> Floats:
        """The quantity in canonical units; of a mixing ratio with the air's state.

        Raises:
            AirshedError: The unit is unknown, of something else, or contradicts the study's.
        """
        units = self._units()
        if units is None or temp_k is None or pressure_pa is None:
            if self.quantity in HELPERS:
                return self._helper(values)
            return to_canonical(values, self.quantity, self.attribute, self.configured, self.where)
        ratio = ratio_of(units)
        stated = self.configured.get(self.quantity)
        if ratio is None or (stated is not None and ratio_of(stated) != ratio):
            raise AirshedError(
                "a file's unit attribute contradicts the configuration",
                where=self.where,
                expected=f"{stated} (dataset.units.{self.quantity})",
                found=units,
                hint="correct dataset.units, or the file",
            )
        density = ratio.density(values, temp_k, pressure_pa, self._molar_mass(ratio.molar))
        return density * linear_conversion("kg m-3", VARIABLES[self.quantity].units)[0]

    def _molar_mass(self, molar: bool) -> float:
        if not molar:
            return AIR_G_MOL
        if self.quantity not in MOLAR_MASS_G_MOL:
            raise AirshedError(
                "a unit cannot be converted",
                where=self.where,
                expected=f"something convertible to {VARIABLES[self.quantity].units}",
                found=f"{self._units()}, of something whose molar mass is unknown",
                hint=f"molar masses are known of {', '.join(MOLAR_MASS_G_MOL)}",
            )
        return MOLAR_MASS_G_MOL[self.quantity]

    def _helper(self, values: Floats) -> Floats:
        known = HELPERS[self.quantity]
        units = self._units() or known.units
        try:
            factor, offset = linear_conversion(units, known.units)
        except ValueError as error:
            raise AirshedError(
                "a unit cannot be converted",
                where=self.where,
                expected=f"something convertible to {known.units}",
                found=f"{units} ({error})",
                hint="correct the unit attribute, or dataset.units in the configuration",
            ) from None
        return values if (factor, offset) == (1.0, 0.0) else values * factor + offset

    def told(self, stored_as: str) -> str:
        """What is done, in words."""
        units = self._units()
        said = f"{stored_as} [{'no unit' if units is None else units}]"
        if self._is_ratio():
            ratio = ratio_of(units or "")
            mass = self._molar_mass(bool(ratio and ratio.molar))
            return f"{said}, with temp and psfc as an ideal gas of {mass:g} g mol-1"
        return said
