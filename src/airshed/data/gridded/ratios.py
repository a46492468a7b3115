"""Mixing ratios to mass concentrations, by the law of ideal gases.

    c = r M_air p / (R T) of a mass mixing ratio r,   c = x M p / (R T) of a molar one x

with R = 8.314462618 J mol-1 K-1 (CODATA 2018), M_air = 28.9647 g mol-1 of dry air (U.S. Standard
Atmosphere 1976: 28.9644) and the molar mass M of the gas. Air is taken as dry: 1 % of water vapour
by mass changes the density by 0.6 %.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airshed.arrays import Floats

GAS_CONSTANT = 8.314462618  # J mol-1 K-1
AIR_G_MOL = 28.9647
MOLAR_MASS_G_MOL = {
    "so2": 64.066,
    "no2": 46.0055,
    "no": 30.0061,
    "co": 28.0101,
    "o3": 47.9982,
    "nh3": 17.0305,
    "hcho": 30.0260,
    "hno3": 63.0128,
    "ch4": 16.0425,
    "co2": 44.0095,
}
"""From the standard atomic weights (IUPAC 2021, conventional values)."""

PARTS = {"ppm": 1e-6, "ppb": 1e-9, "ppt": 1e-12}
PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "\u00b5": 1e-6, "\u03bc": 1e-6, "n": 1e-9, "p": 1e-12}
MASSES_KG = {"kg": 1.0, **{f"{prefix}g": 1e-3 * value for prefix, value in PREFIXES.items()}}
MOLES = {f"{prefix}mol": value for prefix, value in PREFIXES.items()}
QUOTIENT = re.compile(r"(\w+)(?: ?/ ?(\w+)| (\w+?)(?:\*\*|\^)?-1)(?:[- ]dry(?: ?air)?)?")


@dataclass(frozen=True)
class Ratio:
    """What a unit of a mixing ratio means.

    Attributes:
        factor: To kg kg-1, or to mol mol-1.
        molar: Whether it counts molecules.
    """

    factor: float
    molar: bool

    def density(self, ratio: Floats, temp_k: Floats, pressure_pa: Floats, molar_g: float) -> Floats:
        """Mass concentration, kg m-3.

        Args:
            ratio: In the unit that this describes.
            temp_k: Of the air.
            pressure_pa: Of the air.
            molar_g: Molar mass of the gas, g mol-1; of a mass mixing ratio that of air.
        """
        return ratio * (self.factor * molar_g / 1e3 / GAS_CONSTANT) * pressure_pa / temp_k


def ratio_of(units: str) -> Ratio | None:
    """What a unit means, if it is one of mixing ratios; a bare "1" says too little to be one."""
    text = re.sub(r"\s+", " ", units.strip())
    parts = re.fullmatch(r"(pp[mbt])[vV]?", text)
    if parts:
        return Ratio(PARTS[parts[1].lower()], molar=True)
    words = QUOTIENT.fullmatch(text)
    if words is None:
        return None
    above, below = words[1], words[2] or words[3]
    if above in MASSES_KG and below in MASSES_KG:
        return Ratio(MASSES_KG[above] / MASSES_KG[below], molar=False)
    if above in MOLES and below in MOLES:
        return Ratio(MOLES[above] / MOLES[below], molar=True)
    return None
