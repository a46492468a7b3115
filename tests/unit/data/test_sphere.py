"""Positions on the earth, against values by hand."""

from __future__ import annotations

import numpy as np

from airshed.config.grids import Box
from airshed.data.sphere import distance_km, great_circle, in_box


def test_great_circles() -> None:
    """A quarter of the equator, and a meridian, by hand."""
    lat, lon = great_circle((0.0, 0.0), (0.0, 90.0), 4)
    np.testing.assert_allclose(lat, 0, atol=1e-12)
    np.testing.assert_allclose(lon, [0, 30, 60, 90])
    lat, lon = great_circle((30.0, 100.0), (40.0, 100.0), 3)
    np.testing.assert_allclose(lat, [30, 35, 40])
    np.testing.assert_allclose(distance_km(lat, lon), np.array([0, 5, 10]) * np.pi / 180 * 6371)


def test_a_box_across_the_date_line_and_from_western_longitudes() -> None:
    box = Box(south=-10, north=10, west=170, east=190)
    lon = np.array([169.0, 175.0, -175.0, -169.0, 185.0])
    assert in_box(np.zeros(5), lon, box).tolist() == [False, True, True, False, True]
