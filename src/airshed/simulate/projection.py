"""Positions of the grid's cells: a Lambert conformal projection like CAQRA's."""

from __future__ import annotations

from typing import Any

import numpy as np

from airshed.arrays import Floats
from airshed.data.sphere import EARTH_RADIUS_KM

CENTRE_LAT_DEG, CENTRE_LON_DEG = 35.0, 105.0
STANDARD_LATS_DEG = (25.0, 47.0)


def cell_positions(rows: int, columns: int, cell_m: float) -> tuple[Floats, Floats]:
    """Latitude and longitude [rows, columns] of cell centres, in degrees; rows run northwards.

    Inverse Lambert conformal conic projection on a sphere with two standard parallels (Snyder 1987,
    USGS Professional Paper 1395, equations 15-1 to 15-11); the grid is centred on 35 N, 105 E.
    """
    north = (np.arange(rows) - (rows - 1) / 2)[:, None] * cell_m
    east = (np.arange(columns) - (columns - 1) / 2)[None, :] * cell_m
    first, second, centre = np.radians([*STANDARD_LATS_DEG, CENTRE_LAT_DEG])
    cone = np.log(np.cos(first) / np.cos(second)) / np.log(_stretch(second) / _stretch(first))
    scale = 1000 * EARTH_RADIUS_KM * np.cos(first) * _stretch(first) ** cone / cone
    to_centre = scale / _stretch(centre) ** cone
    radius = np.hypot(east, to_centre - north)
    turn = np.arctan2(east, to_centre - north)
    lat = 2 * np.arctan((scale / radius) ** (1 / cone)) - np.pi / 2
    return np.degrees(lat), CENTRE_LON_DEG + np.degrees(turn / cone)


def _stretch(lat: Any) -> Any:
    return np.tan(np.pi / 4 + lat / 2)
