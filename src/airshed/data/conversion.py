"""From the numbers of a raw field to a quantity in canonical units, mixing ratios with the air."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.ratios import AIR_G_MOL, MOLAR_MASS_G_MOL, Ratio, dry_air_density, ratio_of
from airshed.data.units import contradicting, is_density, linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import STATIC, Quantities, Variable

AIR = ("psfc", "temp")
"""What the density of air follows from."""


@dataclass(frozen=True)
class Conversion:
    """How the stored numbers of a variable become a quantity in canonical units.

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

    @classmethod
    def of(
        cls, variable: Variable, attribute: Any, quantities: Quantities, where: str
    ) -> Conversion:
        """The conversion that a file's attribute and the study's settings define.

        Raises:
            AirshedError: The attribute is not a text.
        """
        if attribute is not None and not isinstance(attribute, str):
            raise AirshedError(
                "a unit attribute is not a text",
                where=where,
                expected="such as 'K'",
                found=repr(attribute),
            )
        name = variable.name
        units = quantities.attribute(name, attribute)
        if units is None and name in STATIC:
            units = variable.units  # follow from the name
        return cls(variable, units, quantities.file_unit(name), where)

    @property
    def units(self) -> str | None:
        """The unit of the stored numbers."""
        return self.attribute if self.attribute is not None else self.stated

    @property
    def ratio(self) -> Ratio | None:
        """The meaning of the unit, if a mixing ratio is stored of a mass concentration."""
        ratio = ratio_of(self.units or "")
        return ratio if ratio and is_density(self.variable.units) else None

    @property
    def made_of(self) -> tuple[str, ...]:
        """Other quantities that it needs: for a mixing ratio those of the air."""
        return AIR if self.ratio else ()

    def convert(self, values: Floats, *air: Floats) -> Floats:
        """The quantity in canonical units.

        Args:
            values: The numbers.
            air: Fields of the quantities in ``made_of``.

        Raises:
            AirshedError: The unit is unknown, of something else, or contradicts the study's.
        """
        ratio = self.ratio
        if ratio is None:
            return to_canonical(values, self.variable, self.attribute, self.stated, self.where)
        if self.stated is not None and ratio_of(self.stated) != ratio:
            raise contradicting(self.variable.name, self.stated, self.units, self.where)
        with np.errstate(all="ignore"):  # impossible results are refused by the field's limits
            found = ratio.concentration(values, dry_air_density(*air), self._molar_mass(ratio))
        return found * linear_conversion("kg m-3", self.variable.units)[0]

    def check_air(self, there: Container[str], hint: str) -> None:
        """Refuse a mixing ratio without temperature or pressure of the air.

        Raises:
            AirshedError: One is missing.
        """
        if missing := [each for each in self.made_of if each not in there]:
            raise AirshedError(
                "a mixing ratio needs temperature and pressure to become a concentration",
                where=self.where,
                expected=" and ".join(self.made_of),
                found=f"{self.units}, and no {' and no '.join(missing)}",
                hint=hint,
            )

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

    def in_words(self, stored_as: str) -> str:
        """The conversion in words, for the report of an ingest."""
        stored = f"{stored_as} [{'no unit' if self.units is None else self.units.strip()}]"
        if self.ratio is None:
            return stored
        density = f"times the density of dry air at {' and '.join(AIR)}"
        grams = f" and {self._molar_mass(self.ratio):g} / {AIR_G_MOL:g}" if self.ratio.molar else ""
        return f"{stored}, {density}{grams}"
