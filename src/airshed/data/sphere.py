"""Positions on the earth, taken as a sphere: vectors, distances, directions, boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from airshed.arrays import Floats
from airshed.config.grids import Box

EARTH_RADIUS_KM = 6371.0


def unit_vectors(lat_deg: Floats, lon_deg: Floats) -> Floats:
    """Points on the unit sphere, [3, ...]: towards (0, 0), (0, 90 E) and the north pole."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def lat_lon_deg(vectors: Floats) -> tuple[Floats, Floats]:
    """Latitudes and longitudes [...] to which vectors [3, ...] point, whatever their length."""
    x, y, z = vectors
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def in_box(lat_deg: Floats, lon_deg: Floats, box: Box) -> npt.NDArray[np.bool_]:
    """Which positions lie in a box, its edges included; longitudes modulo 360 degrees."""
    east_of_west = (lon_deg - box.west) % 360
    inside: npt.NDArray[np.bool_] = (
        (lat_deg >= box.south) & (lat_deg <= box.north) & (east_of_west <= box.east - box.west)
    )
    return inside


def spacing_km(lat_deg: Floats, lon_deg: Floats, axis: int) -> Floats:
    """Distances of neighbouring cells in adjacent rows (``axis`` 1) or columns (2), [.., ..].

    Of points along a line [P]: those of neighbours (``axis`` 1).
    """
    chord = np.linalg.norm(np.diff(unit_vectors(lat_deg, lon_deg), axis=axis), axis=0)
    km: Floats = 2 * np.arcsin(np.clip(chord / 2, 0, 1)) * EARTH_RADIUS_KM
    return km


def distance_km(lat_deg: Floats, lon_deg: Floats) -> Floats:
    """Distance along a line of points [P] from its first one, on the sphere."""
    return np.concatenate([[0.0], np.cumsum(spacing_km(lat_deg, lon_deg, axis=1))])


def great_circle(
    start: tuple[float, float], end: tuple[float, float], count: int
) -> tuple[Floats, Floats]:
    """Latitudes and longitudes [count] of evenly spaced points between two places, in degrees."""
    one, other = (unit_vectors(*np.array(place)) for place in (start, end))
    angle = 2 * np.arcsin(np.linalg.norm(one - other) / 2)
    share = np.linspace(0, 1, count)
    way = np.outer(one, np.sin((1 - share) * angle)) + np.outer(other, np.sin(share * angle))
    return lat_lon_deg(way / np.sin(angle))


def axis_directions(lat_deg: Floats, lon_deg: Floats) -> dict[str, Floats]:
    """Directions of increasing column and row in each cell, as east and north components.

    Central differences of the cells' positions on the sphere, projected on the local tangent
    plane and normalised.

    Returns:
        ``column_east``, ``column_north``, ``row_east``, ``row_north``, each [Y, X].
    """
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    points = unit_vectors(lat_deg, lon_deg)
    directions: dict[str, Floats] = {}
    for name, axis in (("row", 1), ("column", 2)):
        step = np.gradient(points, axis=axis)
        along = np.stack([(step * east).sum(0), (step * north).sum(0)])
        along /= np.linalg.norm(along, axis=0)
        directions[f"{name}_east"], directions[f"{name}_north"] = along
    return directions
