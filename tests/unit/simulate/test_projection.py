from __future__ import annotations

import numpy as np
import pytest

from airshed.simulate.projection import cell_positions

EARTH_RADIUS_M = 6_371_000.0


def test_the_middle_of_the_grid_is_the_centre_of_the_projection() -> None:
    lat, lon = cell_positions(5, 7, 60_000.0)
    assert lat[2, 3] == pytest.approx(35.0, abs=1e-10)
    assert lon[2, 3] == pytest.approx(105.0, abs=1e-10)


def test_rows_run_northwards_and_columns_eastwards() -> None:
    lat, lon = cell_positions(40, 80, 60_000.0)
    assert (np.diff(lat, axis=0) > 0).all()
    assert (np.diff(lon, axis=1) > 0).all()


def test_positions_agree_with_the_projection_worked_forward() -> None:
    """Snyder 1987, p. 106-107, forward; the cone constant in its other form, from cosines."""
    lat, lon = cell_positions(40, 80, 60_000.0)
    first, second = np.radians([25.0, 47.0])

    def tangent(lat_rad: np.ndarray) -> np.ndarray:
        """Tan(pi/4 + lat/2), through the identity (1 + sin) / cos."""
        return (1 + np.sin(lat_rad)) / np.cos(lat_rad)

    cone = np.log(np.cos(first) / np.cos(second)) / np.log(tangent(second) / tangent(first))
    factor = np.cos(first) * tangent(first) ** cone / cone
    radius = EARTH_RADIUS_M * factor / tangent(np.radians(lat)) ** cone
    centre = EARTH_RADIUS_M * factor / tangent(np.radians(35.0)) ** cone
    angle = cone * np.radians(lon - 105.0)
    x, y = radius * np.sin(angle), centre - radius * np.cos(angle)
    np.testing.assert_allclose(x[0], 60_000.0 * (np.arange(80) - 39.5), atol=1e-3)
    np.testing.assert_allclose(y[:, 0], 60_000.0 * (np.arange(40) - 19.5), atol=1e-3)
    np.testing.assert_allclose(x - x[0], 0, atol=1e-3)
    np.testing.assert_allclose(y - y[:, :1], 0, atol=1e-3)


def test_cells_have_their_size_on_the_standard_parallels() -> None:
    lat, lon = np.radians(cell_positions(161, 3, 20_000.0))
    dlat, dlon = lat[1:] - lat[:-1], lon[1:] - lon[:-1]
    middle = (lat[1:] + lat[:-1])[:, 1] / 2
    haversine = np.sin(dlat / 2) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(dlon / 2) ** 2
    length = (2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(haversine)))[:, 1]
    for parallel in (25.0, 47.0):
        nearest = np.abs(np.degrees(middle) - parallel).argmin()
        assert length[nearest] == pytest.approx(20_000.0, rel=2e-3)
    assert length[80] > 20_100.0  # between the parallels the map is smaller than the earth
