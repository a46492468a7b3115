"""Units of raw fields, by file and configuration, and conversion to canonical units."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
import pint

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.data.ratios import ratio_of
from airshed.errors import AirshedError, brief
from airshed.variables import Variable

SPELLINGS = {
    "degree_Celsius": "c|celsius|centigrade|\u6444\u6c0f\u5ea6",
    "kelvin": "k|kelvin|kelvins|\u5f00\u5c14\u6587",
    "hectopascal": "mb|mbar|millibar|millibars|hpa|\u767e\u5e15",
    "pascal": "pa|pascal|pascals|\u5e15",
    "percent": "%|percent",
    "degree": "deg|degree|degrees|degrees_north|degrees_east|degree_north|degree_east",
    "dimensionless": "|1|0-1|0 - 1|(0 - 1)|fraction|kg/kg",
    "m/s": "m/s|m/sec",
}
"""Units as people write them, in small letters, by what the units library calls them."""
DEGREES = re.compile(r"(?:\u00b0|deg(?:ree)?s?\.?)[ _]*([ck]|celsius|centigrade|kelvins?)")
"""A scale of temperature behind its sign or word."""
NO_FACTORS = {"degree", "radian", "percent"}  # they would scale what they stand beside
WORDS = (
    (r"(?<=[a-z])m(?=-3$)", " m"),  # ugm-3
    (r"\s*(?:\bper\b|\u6bcf|/)\s*", "/"),
    (r"cubic (?:metre|meter)s?|\u7acb\u65b9\u7c73", "m**3"),
    (r"micro-?grams?|mcg|\u5fae\u514b", "ug"),
    (r"milli-?grams?|\u6beb\u514b", "mg"),
    (r"nano-?grams?|\u7eb3\u514b", "ng"),
)
"""Words inside a unit of concentration, in any case, and what they mean."""
CONCENTRATION = re.compile(r"[munk\u00b5\u03bc]?g ?/ ?m\^?(?:\*\*)?3", re.IGNORECASE)
_SPELLED = {spelling: name for name, group in SPELLINGS.items() for spelling in group.split("|")}

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
    spelled = _spelled(text.strip())
    # CF leaves out signs of product and power: "ug m-3" is ug * m**-3
    powers = re.sub(r"([A-Za-z])([+-]?\d+)", r"\1**\2", spelled)
    return _registry.parse_units(re.sub(r"\s+(?=[A-Za-z])", " * ", powers))


def _spelled(text: str) -> str:
    """A unit as the units library and CF write it."""
    # one sign for each meaning: \u2103 is \u00b0C, a small or wide 3 is 3, a long minus is "-"
    words = unicodedata.normalize("NFKC", text.replace("\u00ba", "\u00b0")).replace("\u2212", "-")
    if (name := _SPELLED.get(DEGREES.sub(r"\1", words.lower()))) is not None:
        return name
    for pattern, meaning in WORDS:
        words = re.sub(pattern, meaning, words, flags=re.IGNORECASE)
    return words.lower() if CONCENTRATION.fullmatch(words) else words


@lru_cache
def linear_conversion(units: str, canonical: str) -> tuple[float, float]:
    """Factor and offset that take values in ``units`` to ``canonical``.

    Raises:
        ValueError: One is unknown, or they measure different things; a mixing ratio is no
            relative humidity, though both are shares.
    """
    if canonical == "%" and ratio_of(units) is not None:
        raise ValueError("a mixing ratio")
    try:
        given, wanted = _unit(units), _unit(canonical)
        parts = [name for name, _ in _registry.Quantity(1, given).unit_items()]
        if len(parts) > 1 and NO_FACTORS.intersection(parts):
            raise ValueError("an angle or a share beside another unit")
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
        raise contradicting(name, stated, units, where)
    return values if (factor, offset) == (1.0, 0.0) else values * factor + offset


def contradicting(name: str, stated: str, found: object, where: str) -> AirshedError:
    """The problem of a unit attribute that is not the configured unit."""
    return AirshedError(
        "a file's unit attribute contradicts the configuration",
        where=where,
        expected=f"{stated} (dataset.units.{name})",
        found=found,
        hint="correct dataset.units, or the file; if the file is wrong, name the variable in"
        " dataset.units_override",
    )


@lru_cache
def is_density(units: str) -> bool:
    """Whether a unit is one of mass concentrations."""
    try:
        linear_conversion("kg m-3", units)
    except ValueError:
        return False
    return True


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
