"""Interpolation to points, against scipy and against functions that it must keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from airshed.evaluation.points import Points
from airshed.simulate.projection import cell_positions

LAT, LON = np.linspace(20, 50, 13), np.linspace(75, 135, 21)
RNG = np.random.default_rng(0)
AT_LAT, AT_LON = RNG.uniform(20, 50, 200), RNG.uniform(75, 135, 200)
FIELD = RNG.normal(size=(13, 21))


@pytest.mark.parametrize("rows", [1, -1])
@pytest.mark.parametrize("columns", [1, -1])
@pytest.mark.parametrize("turn", [0, -360, 360])
def test_regular_grids_are_interpolated_as_scipy_does(rows: int, columns: int, turn: int) -> None:
    """Whatever the order of rows and columns, and from wherever longitudes are counted."""
    expected = RegularGridInterpolator((LAT, LON), FIELD)(np.stack([AT_LAT, AT_LON], axis=-1))
    points = Points(LAT[::rows], LON[::columns] + turn, AT_LAT, AT_LON)
    np.testing.assert_allclose(points(FIELD[::rows, ::columns]), expected, rtol=1e-9, atol=1e-12)


def test_a_grid_across_greenwich_and_the_date_line() -> None:
    around = np.arange(0.0, 360.0, 10.0)
    field = np.tile(np.cos(np.radians(around)), (13, 1))
    east = np.array([-170.0, -5.0, 175.0])
    found = Points(LAT, around, np.full(3, 30.0), east)(field)
    nearby = [np.cos(np.radians(190)), np.nan, np.cos(np.radians([170, 180])).mean()]
    np.testing.assert_allclose(found, nearby, atol=1e-12)  # none between 350 and 0 degrees


@pytest.mark.parametrize("step", [1, -1])
def test_a_curvilinear_grid_keeps_what_is_linear_in_its_own_coordinates(step: int) -> None:
    """On a Lambert grid, at places known by their fractional row and column."""
    fine = 8
    lat, lon = (part[::step] for part in cell_positions(33, 65, 100_000 / fine))
    coarse = np.s_[::fine, ::fine]
    rows, columns = np.indices(lat.shape) / fine
    points = Points(lat[coarse], lon[coarse], lat, lon)
    index = rows[coarse]
    assert points.inside.reshape(lat.shape)[1:-1, 1:-1].all()  # all but some on the very edge
    for field, expected in ((index, rows), (columns[coarse], columns)):
        found = points(field).reshape(lat.shape)
        np.testing.assert_allclose(
            found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=0.01, equal_nan=False
        )


def test_nearest_takes_the_cell_that_the_point_lies_in() -> None:
    lat, lon = cell_positions(7, 9, 100_000)
    field = np.arange(63.0).reshape(7, 9)
    near_lat, near_lon = lat[2:5, 3:6] + 0.2, lon[2:5, 3:6] - 0.2
    points = Points(lat, lon, near_lat, near_lon, method="nearest")
    assert points(field).tolist() == field[2:5, 3:6].ravel().tolist()


def test_points_beyond_the_grid_have_no_value() -> None:
    lat, lon = cell_positions(7, 9, 100_000)
    beyond_lat = np.array([lat.max() + 1, lat[0, 4] - 0.5, lat[-1, 4] + 0.3, 35.0])
    beyond_lon = np.array([105.0, lon[0, 4], lon[-1, 4], lon.min() - 2])
    points = Points(lat, lon, beyond_lat, beyond_lon)
    assert not points.inside.any()
    assert np.isnan(points(np.ones((7, 9)))).all()


def test_the_hollow_side_of_a_curved_edge_is_outside() -> None:
    """The northern edge of a grid of latitudes bends; a chord across it lies beyond the grid."""
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    north, south, inner = (
        Points(lat, lon, np.array([at]), np.array([105.0])) for at in (51.5, 18.5, 49.9)
    )
    assert not north.inside.any()
    assert not south.inside.any()
    assert inner.inside.all()


def test_missing_cells_make_missing_values_only_where_they_are_needed() -> None:
    field = np.ones((13, 21))
    field[6, 10] = np.nan
    points = Points(
        LAT, LON, np.array([35.0, 34.9, 37.5, 36.0]), np.array([105.0, 104.0, 108.0, 90])
    )
    np.testing.assert_array_equal(points(field), [np.nan, np.nan, 1, 1])
    assert points.need_only(np.isfinite(field)).tolist() == [False, False, True, True]


def test_leading_dimensions_stay() -> None:
    fields = RNG.normal(size=(2, 3, 13, 21))
    points = Points(LAT, LON, AT_LAT[:5], AT_LON[:5])
    found = points(fields)
    assert found.shape == (2, 3, 5)
    np.testing.assert_array_equal(found[1, 2], points(fields[1, 2]))
