"""Relative humidity over water from other measures of moisture.

Saturation pressure: the August-Roche-Magnus formula with the coefficients of Alduchov and Eskridge
(1996, J. Appl. Meteor. 35, 601-609, eq. 21, "AERK"), within 0.4 % from -40 to 50 degrees Celsius:

    e_s(T) = 610.94 Pa * exp(17.625 t / (t + 243.04)),   t = T - 273.15 K

so that rh = 100 e / e_s(T) with the vapour pressure e = e_s(dew point), or from the share of vapour
and the pressure p: e = q p / (eps + (1 - eps) q) of specific humidity q (per mass of moist air),
e = w p / (eps + w) of a mixing ratio w (per mass of dry air); eps = 0.622.
"""

from __future__ import annotations

import numpy as np

from airshed.arrays import Floats

ZERO_C_K = 273.15
VAPOUR_SHARE = 0.622  # molar mass of water over that of dry air


def saturation_pa(temp_k: Floats) -> Floats:
    """Saturation vapour pressure over water, Pa."""
    celsius = temp_k - ZERO_C_K
    pressure: Floats = 610.94 * np.exp(17.625 * celsius / (celsius + 243.04))
    return pressure


def from_dew_point(dew_point_k: Floats, temp_k: Floats) -> Floats:
    """Relative humidity, %."""
    return 100 * saturation_pa(dew_point_k) / saturation_pa(temp_k)


def from_specific_humidity(share: Floats, pressure_pa: Floats, temp_k: Floats) -> Floats:
    """Relative humidity, %, of kg of vapour in a kg of moist air."""
    vapour_pa = share * pressure_pa / (VAPOUR_SHARE + (1 - VAPOUR_SHARE) * share)
    return 100 * vapour_pa / saturation_pa(temp_k)


def from_mixing_ratio(ratio: Floats, pressure_pa: Floats, temp_k: Floats) -> Floats:
    """Relative humidity, %, of kg of vapour for a kg of dry air."""
    vapour_pa = ratio * pressure_pa / (VAPOUR_SHARE + ratio)
    return 100 * vapour_pa / saturation_pa(temp_k)
