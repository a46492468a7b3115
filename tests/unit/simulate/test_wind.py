from __future__ import annotations

import numpy as np
import pytest

from airshed.simulate.wind import DIURNAL, Flow, SimulatedWind

CELL_M = 60_000.0
FLAT = np.zeros((20, 40))


def plateau() -> np.ndarray:
    height = FLAT.copy()
    height[6:14, 8:20] = 4800.0
    return height


@pytest.mark.parametrize("seed", [0, 1])
def test_as_much_air_leaves_a_cell_as_enters_it(seed: int) -> None:
    wind = SimulatedWind(
        plateau() + 300 * np.random.default_rng(seed).random((20, 40)), CELL_M, seed
    )
    for hour in range(24):
        flow, _ = wind.step(np.cos(hour / 4))
        excess = flow.u[:, 1:] - flow.u[:, :-1] + flow.v[1:] - flow.v[:-1]
        assert np.abs(excess).max() < 1e-12 * np.abs(flow.u).max()


def test_winds_at_centres_are_means_of_opposite_faces() -> None:
    flow = Flow(u=np.array([[1.0, 3.0, 7.0]]), v=np.array([[0.0, 2.0], [4.0, -2.0]]))
    u, v = flow.at_centres()
    np.testing.assert_array_equal(u, [[2.0, 5.0]])
    np.testing.assert_array_equal(v, [[2.0, 0.0]])


def test_the_seed_decides() -> None:
    first, again, other = (SimulatedWind(FLAT, CELL_M, seed) for seed in (3, 3, 4))
    for _ in range(3):
        a, b, c = (wind.step(0.0)[0].u for wind in (first, again, other))
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.5


def test_high_ground_turns_the_wind_around_it() -> None:
    over, beside, free = [], [], []
    around, flat = SimulatedWind(plateau(), CELL_M, 0), SimulatedWind(FLAT, CELL_M, 0)
    for _ in range(300):
        deflected, undisturbed = around.step(0.0)[0], flat.step(0.0)[0]
        speed, before = np.hypot(*deflected.at_centres()), np.hypot(*undisturbed.at_centres())
        over.append(speed[9:11, 12:16].mean() / before[9:11, 12:16].mean())
        beside.append(speed[:, 8:20].max())
        free.append(before[:, 8:20].max())
    assert np.mean(over) < 0.5  # 1 - DEFLECTION = 0.3 in the middle of a wide plateau
    assert np.mean(beside) > np.mean(free)  # what does not cross it goes along its rim


def test_wind_speeds_are_those_of_the_lowest_hundred_metres() -> None:
    wind = SimulatedWind(FLAT, CELL_M, 0)
    speeds = np.array([np.hypot(*wind.step(0.0)[0].at_centres()) for _ in range(24 * 60)])
    assert 1 < np.percentile(speeds, 10) < np.percentile(speeds, 90) < 9
    assert speeds.max() < 25


def test_afternoons_are_windier_by_the_diurnal_swing() -> None:
    afternoon, night = (SimulatedWind(FLAT, CELL_M, 0).step(phase)[0] for phase in (1.0, -1.0))
    np.testing.assert_allclose(afternoon.u, night.u * (1 + DIURNAL) / (1 - DIURNAL), rtol=1e-9)


def test_weather_travels_eastward_and_is_forgotten_slowly() -> None:
    wind = SimulatedWind(FLAT, CELL_M, 1)
    weather = np.array([wind.step(0.0)[1] for _ in range(24 * 100)])
    assert 0.5 < weather.std() < 1.6  # about 1

    def likeness(lag_h: int, east: int) -> float:
        """Correlation of a place with another, ``east`` columns on, ``lag_h`` hours later."""
        middle = weather[:, :, 10:30]
        shifted = weather[:, :, 10 + east : 30 + east]
        return float(np.corrcoef(middle[:-lag_h].ravel(), shifted[lag_h:].ravel())[0, 1])

    assert likeness(24, 6) > likeness(24, -6) + 0.2
    assert likeness(3, 0) > 0.9
    assert abs(likeness(240, 0)) < 0.4
