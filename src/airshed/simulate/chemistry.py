"""Emissions, deposition and the chemistry of NO2 and ozone, on concentrations in ug m-3.

Transported species, in this order: fine particles, coarse particles, SO2, NOx (as NO2), CO, Ox.
Ox, the sum of ozone and NO2 in ozone's mass, is what the fast exchange of the two leaves unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats

FINE, COARSE, SO2, NOX, CO, OX = range(6)
BACKGROUND = np.array([12.0, 15.0, 3.0, 4.0, 180.0, 75.0])
"""ug m-3 of air that enters the grid."""
PER_PERSON_UG_S = np.array([300.0, 220.0, 500.0, 650.0, 6000.0, 0.0])
"""Emission per person, averaged over the day."""
LIFETIME_H = np.array([60.0, 26.0, 40.0, 20.0, 120.0, 40.0])
"""Time in which deposition and slow loss take a species to 1/e of what is above background."""
OZONE_PER_NO2 = 48.0 / 46.0  # mass of ozone in which a mass of NO2 takes part
NIGHT_RATIO, DAY_RATIO = 0.6, 22.0  # photolysis of NO2 over its formation from ozone, ug m-3
SULFATE_PER_H, NITRATE_PER_H = 0.010, 0.008  # shares of SO2 and NOx that become fine particles
OZONE_UG_H = 5.0  # ozone made in full sun where NOx abounds, ug m-3 h-1
HALF_NOX = 12.0  # NOx at which half of it is made
DUST_WIND_MS, DUST_UG_S = 6.0, 2.4  # threshold and strength of wind-blown dust, ug m-2 s-1


@dataclass(frozen=True)
class Hour:
    """What the chemistry needs to know of an hour, fields [Y, X].

    ``sun`` is 0 to 1, ``traffic`` the emission relative to its daily mean, ``mixing_m`` the depth
    over which emissions are mixed, ``warmth`` 1 at mild temperature.
    """

    sun: Floats
    traffic: Floats
    mixing_m: Floats
    wind_speed_ms: Floats
    warmth: Floats


def react(concentration: Floats, hour: Hour, people_per_m2: Floats, dry: Floats) -> Floats:
    """Concentrations [6, Y, X] after one hour of emission, chemistry and deposition.

    Args:
        concentration: [6, Y, X], ug m-3.
        hour: The hour's sun, traffic, mixing and wind.
        people_per_m2: [Y, X].
        dry: Share of dusty ground, [Y, X].
    """
    source = PER_PERSON_UG_S[:, None, None] * people_per_m2 * hour.traffic
    source[COARSE] += DUST_UG_S * dry * np.maximum(hour.wind_speed_ms / DUST_WIND_MS - 1, 0) ** 2
    after = concentration + 3600 * source / hour.mixing_m
    sulfate = SULFATE_PER_H * after[SO2]
    nitrate = NITRATE_PER_H * after[NOX]
    after[SO2] -= sulfate
    after[NOX] -= nitrate
    after[FINE] += 1.5 * sulfate + 1.35 * nitrate
    after[OX] += OZONE_UG_H * hour.sun * hour.warmth * after[NOX] / (after[NOX] + HALF_NOX)
    background = BACKGROUND[:, None, None]
    decay = np.exp(-1 / LIFETIME_H)[:, None, None]
    return np.asarray(background + (after - background) * decay)


def exchange(nox: Floats, ox: Floats, sun: Floats) -> tuple[Floats, Floats]:
    """NO2 and ozone (ug m-3) in balance: NO + O3 makes NO2, sunlight splits it again.

    With x the NO2 in ozone's mass, N all NOx and O all Ox so counted, and r the ratio of the two
    rates, (O - x)(N - x) = r x; the smaller root is the physical one.
    """
    nitrogen = nox * OZONE_PER_NO2
    ratio = NIGHT_RATIO + (DAY_RATIO - NIGHT_RATIO) * sun
    total = ox + nitrogen + ratio
    x = 2 * ox * nitrogen / (total + np.sqrt(np.maximum(total**2 - 4 * ox * nitrogen, 0)))
    return x / OZONE_PER_NO2, ox - x
