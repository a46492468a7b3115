from __future__ import annotations

import numpy as np
import pytest

from airshed.simulate.terrain import POPULATION, make_land


@pytest.mark.parametrize(("rows", "columns"), [(10, 20), (40, 80), (64, 128)])
def test_the_land_has_a_plateau_a_ringed_basin_and_a_plain(rows: int, columns: int) -> None:
    height = make_land(rows, columns, 0).elevation_m
    row = int(0.36 * rows)
    west = height[int(0.30 * rows) : int(0.50 * rows), int(0.18 * columns) : int(0.34 * columns)]
    basin = height[row, int(0.53 * columns) : int(0.56 * columns) + 1].mean()
    ring = height[row, int(0.59 * columns) : int(0.66 * columns) + 1].max()
    plain = np.median(height[int(0.35 * rows) : int(0.60 * rows), int(0.75 * columns) :])
    assert 4000 < np.median(west) < 5200
    assert plain < 200
    assert basin < 1000
    assert ring > basin + 800
    assert 0 < height.min() < height.max() <= 5800


def test_the_basin_is_closed_to_all_sides() -> None:
    """From the basin's floor no path leads to the plain that stays below 1000 m."""
    height = make_land(64, 128, 0).elevation_m
    start = (int(0.36 * 64), int(0.545 * 128))
    reached, frontier = {start}, [start]
    while frontier:
        y, x = frontier.pop()
        for cell in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            inside = 0 <= cell[0] < 64 and 0 <= cell[1] < 128
            if inside and cell not in reached and height[cell] < 1000:
                reached.add(cell)
                frontier.append(cell)
    assert 5 < len(reached) < 400


def test_people_are_all_inside_the_domain_and_live_low_and_in_the_east() -> None:
    land = make_land(40, 80, 0)
    assert land.population.sum() == pytest.approx(POPULATION)
    assert (land.population >= 0).all()
    assert (land.population[~land.domain] == 0).all()
    assert land.population[:, 40:].sum() > 0.85 * POPULATION
    assert land.population[land.elevation_m > 2500].sum() < 0.05 * POPULATION
    assert land.population.max() > 20 * np.median(land.population[land.domain])  # cities


def test_the_domain_leaves_out_the_corners() -> None:
    domain = make_land(40, 80, 0).domain
    assert not domain[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert domain[20, 40]
    assert 0.6 < domain.mean() < 0.95


def test_the_seed_decides_about_hills_and_cities() -> None:
    first, again, other = (make_land(20, 40, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.elevation_m, again.elevation_m)
    np.testing.assert_array_equal(first.population, again.population)
    assert np.abs(first.elevation_m - other.elevation_m).max() > 20
    assert (first.population != other.population).any()
