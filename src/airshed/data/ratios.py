"""Mixing ratios to mass concentrations, by the law of ideal gases.

    c = r rho of a mass mixing ratio r,   c = x rho M / M_air of a molar one x,   rho = p / (R_d T)

with R_d = 287.05 J kg-1 K-1 and M_air = 28.9647 g mol-1 of dry air, and M of the gas. Air is taken
as dry: moisture makes warm air up to 2 % lighter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airshed.arrays import Floats

GAS_CONSTANT_DRY_AIR = 287.05  # J kg-1 K-1
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

PARTS = {"m": 1e-6, "b": 1e-9, "t": 1e-12}
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

    def concentration(self, ratio: Floats, air_kg_m3: Floats, molar_g: float = AIR_G_MOL) -> Floats:
        """Mass concentration, kg m-3.

        Args:
            ratio: In the unit that this describes.
            air_kg_m3: Density of the air.
            molar_g: Molar mass of the gas, g mol-1; not used of a mass mixing ratio.
        """
        share = molar_g / AIR_G_MOL if self.molar else 1.0
        return ratio * (self.factor * share) * air_kg_m3


def dry_air_density(pressure_pa: Floats, temp_k: Floats) -> Floats:
    """Density of dry air, kg m-3."""
    density: Floats = pressure_pa / (GAS_CONSTANT_DRY_AIR * temp_k)
    return density


def ratio_of(units: str) -> Ratio | None:
    """The meaning of a unit of mixing ratios; None for others, also for a bare "1"."""
    text = re.sub(r"\s+", " ", units.strip())
    parts = re.fullmatch(r"(?:pp|parts per )([mbt])(?:r?illion)?v?", text.lower())
    if parts:
        return Ratio(PARTS[parts[1]], molar=True)
    words = QUOTIENT.fullmatch(text)
    if words is None:
        return None
    above, below = words[1], words[2] or words[3]
    if above in MASSES_KG and below in MASSES_KG:
        return Ratio(MASSES_KG[above] / MASSES_KG[below], molar=False)
    if above in MOLES and below in MOLES:
        return Ratio(MOLES[above] / MOLES[below], molar=True)
    return None
