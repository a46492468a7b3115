"""Concentrations from mass concentrations, or from mixing ratios and the air's density."""

from __future__ import annotations

from collections.abc import Callable

from airshed.arrays import Floats
from airshed.data.ratios import AIR_G_MOL, MOLAR_MASS_G_MOL, ratio_of
from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import Variable


def concentration(
    values: Floats,
    pollutant: Variable,
    attribute: str | None,
    stated: str | None,
    air_density: Callable[[], Floats | None],
    where: str,
) -> Floats:
    """Values of a pollutant as mass concentration in its canonical units.

    A mixing ratio, by mass (kg kg-1) or of a known gas by volume (ppb), is multiplied by the
    density of the air, if that is known.

    Args:
        values: Fields of a file.
        pollutant: What they are.
        attribute: The unit attribute, if the file has one.
        stated: The unit that the configuration states, None where it does not.
        air_density: Gives kg m-3 with the shape of ``values``, or None if it is not known.
        where: File and variable, for messages.

    Raises:
        AirshedError: The unit is unknown or contradicts the configuration, or the values are a
            mixing ratio and the air's density is unknown.
    """
    units = attribute if attribute is not None else stated
    ratio = ratio_of(units or "")
    if ratio is None or (ratio.molar and pollutant.name not in MOLAR_MASS_G_MOL):
        return to_canonical(values, pollutant, attribute, stated, where)
    density = air_density()
    if density is None:
        raise AirshedError(
            "a mixing ratio needs the density of the air to become a concentration",
            where=where,
            expected=f"{pollutant.units}, or surface pressure and 2 m temperature in the"
            " same files",
            found=units,
            hint="add them (sp and t2m), or convert the forecast first",
        )
    factor, _ = linear_conversion("kg m-3", pollutant.units)
    molar_g = MOLAR_MASS_G_MOL.get(pollutant.name, AIR_G_MOL)
    return ratio.concentration(values, density, molar_g) * factor
