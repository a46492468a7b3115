"""Units of raw fields: what a file and the configuration say, and conversion to canonical units."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import pint

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.errors import AirshedError, brief
from airshed.variables import Variable

SPELLINGS = {
    "%": "percent",
    "degC": "degree_Celsius",
    "deg C": "degree_Celsius",
    "degrees_north": "degree",
    "degrees_east": "degree",
    "1": "dimensionless",
    "": "dimensionless",
}

MOST_LETTERS = 64
NUMBER_POWER = re.compile(r"[\d.)]\s*(?:\*\*|\^)\s*[(+-]*\s*(\d*)")

_registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


@lru_cache
def _unit(text: str) -> Any:
    powers_of_numbers = NUMBER_POWER.findall(text)  # the units library works them out
    if (
        len(text) > MOST_LETTERS
        or len(powers_of_numbers) > 1
        or len("".join(powers_of_numbers)) > 3
    ):
        raise ValueError("too long, or too large a power, for a unit")
    spelled = SPELLINGS.get(text.strip(), text.strip())
    # CF leaves out signs of product and power: "ug m-3" is ug * m**-3
    powers = re.sub(r"([A-Za-z])([+-]?\d+)", r"\1**\2", spelled)
    return _registry.parse_units(re.sub(r"\s+(?=[A-Za-z])", " * ", powers))


@lru_cache
def linear_conversion(units: str, canonical: str) -> tuple[float, float]:
    """Factor and offset that take values in ``units`` to ``canonical``.

    Raises:
        ValueError: One is unknown, or they measure different things.
    """
    try:
        given, wanted = _unit(units), _unit(canonical)
        ends = [_registry.Quantity(value, given).to(wanted).magnitude for value in (0.0, 1.0)]
    except Exception as error:  # the units library raises all kinds for text that is no unit
        raise ValueError(brief(error)) from error
    return float(ends[1] - ends[0]), float(ends[0])


def to_canonical(
    values: Floats, variable: Variable, attribute: str | None, stated: str | None, where: str
) -> Floats:
    """Values of a variable in its canonical units.

    Args:
        values: A field of a raw file.
        variable: What they are.
        attribute: Its unit attribute, None where the file has none.
        stated: The unit that the configuration states for files, None where it does not.
        where: File, member and variable, for messages.

    Raises:
        AirshedError: No unit is known, it is no unit of this quantity, or file and configuration
            contradict each other.
    """
    units = attribute if attribute is not None else stated
    name, canonical = variable.name, variable.units
    if units is None:
        raise AirshedError(
            "the unit of a variable is unknown",
            where=where,
            expected="a units attribute in the file, or dataset.units in the configuration",
            found="neither",
            hint=f"add dataset.units.{name} to the study, for example {{{name}: {canonical}}}",
        )
    factor, offset = _checked(units, canonical, where)
    if stated is not None and not np.allclose(
        _checked(stated, canonical, "dataset.units." + name), (factor, offset)
    ):
        raise AirshedError(
            "a file's unit attribute contradicts the configuration",
            where=where,
            expected=f"{stated} (dataset.units.{name})",
            found=units,
            hint="correct dataset.units, or the file",
        )
    return values if (factor, offset) == (1.0, 0.0) else values * factor + offset


def check_described(dataset: DatasetConfig) -> None:
    """The units of quantities that a dataset adds to the dictionary are units.

    Raises:
        AirshedError: One is not.
    """
    for name, described in dataset.variables.items():
        if described.units is not None:
            _checked(described.units, described.units, f"dataset.variables.{name}.units")


def _checked(units: str, canonical: str, where: str) -> tuple[float, float]:
    try:
        return linear_conversion(units, canonical)
    except ValueError as error:
        raise AirshedError(
            "a unit cannot be converted",
            where=where,
            expected=f"something convertible to {canonical}",
            found=f"{units} ({error})",
            hint="correct the unit attribute, or dataset.units in the configuration",
        ) from None
