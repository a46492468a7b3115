from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from airshed.simulate.transport import DIFFUSIVITY_M2_S, Transport
from airshed.simulate.wind import Flow

Floats = npt.NDArray[np.floating[Any]]
CELL_M = 60_000.0


def random_flow(rows: int, columns: int, rng: np.random.Generator) -> Flow:
    """Any flow, sources and sinks of air included."""
    return Flow(
        u=6 * rng.standard_normal((rows, columns + 1)),
        v=6 * rng.standard_normal((rows + 1, columns)),
    )


def closed_nondivergent_flow(rows: int, columns: int, rng: np.random.Generator) -> Flow:
    """A flow from a streamfunction that is zero on the boundary: nothing crosses it."""
    psi = np.zeros((rows + 1, columns + 1))
    psi[1:-1, 1:-1] = 4 * CELL_M * rng.standard_normal((rows - 1, columns - 1))
    return Flow(u=-np.diff(psi, axis=0) / CELL_M, v=np.diff(psi, axis=1) / CELL_M)


def rugged(rows: int, columns: int, rng: np.random.Generator) -> Floats:
    return np.asarray(5000 * rng.random((rows, columns)))


def slow_step(
    air: Floats, flow: Flow, height: Floats, blocking: float, inflow: Floats, seconds: float
) -> Floats:
    """One step of the same scheme, cell by cell and face by face."""
    species, rows, columns = air.shape
    after = air.copy()
    for s in range(species):
        for y in range(rows):
            for x in range(columns):
                faces = [
                    (y, x + 1, flow.u[y, x + 1]),
                    (y, x - 1, -flow.u[y, x]),
                    (y + 1, x, flow.v[y + 1, x]),
                    (y - 1, x, -flow.v[y, x]),
                ]
                for other_y, other_x, outward in faces:
                    inside = 0 <= other_y < rows and 0 <= other_x < columns
                    there = air[s, other_y, other_x] if inside else inflow[s]
                    here = air[s, y, x]
                    out = outward * (here if outward > 0 else there)
                    out += DIFFUSIVITY_M2_S / CELL_M * (here - there)
                    if inside:
                        rise = (height[other_y, other_x] - height[y, x]) * (1 if out > 0 else -1)
                        out *= 1 - blocking * min(max(rise / 1000, 0), 1)
                    after[s, y, x] -= out * seconds / CELL_M
    return after


@pytest.mark.parametrize("blocking", [0.0, 0.7])
def test_a_step_equals_the_scheme_written_face_by_face(blocking: float) -> None:
    rng = np.random.default_rng(0)
    air, flow, height = rng.random((2, 5, 7)), random_flow(5, 7, rng), rugged(5, 7, rng)
    inflow = np.array([0.4, 2.0])
    seconds = 600.0  # short enough for one step
    moved = Transport(height, CELL_M, blocking, inflow).advance(air, flow, seconds)
    expected = slow_step(air, flow, height, blocking, inflow, seconds)
    np.testing.assert_allclose(moved, expected, rtol=1e-13)


@pytest.mark.parametrize("blocking", [0.0, 0.7, 1.0])
def test_mass_of_every_species_is_conserved_behind_closed_boundaries(blocking: float) -> None:
    rng = np.random.default_rng(1)
    air = rng.random((3, 9, 14)) * np.array([1.0, 50.0, 3000.0])[:, None, None]
    transport = Transport(rugged(9, 14, rng), CELL_M, blocking, inflow=None)
    moved = air
    for _ in range(20):
        moved = transport.advance(moved, random_flow(9, 14, rng), 3600.0)
    assert np.abs(moved - air).max() > 0.1  # it did move
    np.testing.assert_allclose(moved.sum((1, 2)), air.sum((1, 2)), rtol=1e-13)


@pytest.mark.parametrize("inflow", [None, np.array([2.0, 5.0])])
def test_without_blocking_terrain_changes_nothing(inflow: Floats | None) -> None:
    rng = np.random.default_rng(2)
    air, flow = rng.random((2, 6, 8)), random_flow(6, 8, rng)
    steep = Transport(rugged(6, 8, rng), CELL_M, 0.0, inflow).advance(air, flow, 3600.0)
    flat = Transport(np.zeros((6, 8)), CELL_M, 0.0, inflow).advance(air, flow, 3600.0)
    np.testing.assert_array_equal(steep, flat)


def test_on_flat_ground_blocking_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    air, flow, plain = rng.random((2, 6, 8)), random_flow(6, 8, rng), np.full((6, 8), 900.0)
    hindered = Transport(plain, CELL_M, 1.0, None).advance(air, flow, 3600.0)
    free = Transport(plain, CELL_M, 0.0, None).advance(air, flow, 3600.0)
    np.testing.assert_array_equal(hindered, free)


# A line of three cells of 100 km, the middle one a ridge; a wind of 1 m/s along the line, for
# 1000 s. Diffusion adds 20000 / 100000 = 0.2 m/s times the difference of concentration. A flux of
# 1 ug m-3 m/s moves 1000 / 100000 = 0.01 ug m-3.
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("against", [False, True], ids=["along", "against"])
@pytest.mark.parametrize(
    ("ridge_m", "before", "expected"),
    [
        # up: (1 + 0.2) * 100 = 120 without blocking
        (0, [100, 0, 0], [98.8, 1.2, 0]),
        # a rise of 500 m passes 1 - 0.7 * 0.5 = 0.65 of it
        (500, [100, 0, 0], [99.22, 0.78, 0]),
        # from 1000 m on 1 - 0.7 = 0.3 passes
        (1000, [100, 0, 0], [99.64, 0.36, 0]),
        (3000, [100, 0, 0], [99.64, 0.36, 0]),
        # down: 120 with the wind and 0.2 * 100 against it, whatever the height
        (0, [0, 100, 0], [0.2, 98.6, 1.2]),
        (3000, [0, 100, 0], [0.2, 98.6, 1.2]),
    ],
)
def test_a_ridge_holds_back_what_climbs_it_by_the_known_share(
    ridge_m: float, before: list[float], expected: list[float], against: bool, turned: bool
) -> None:
    u, v = np.full((1, 4), -1.0 if against else 1.0), np.zeros((2, 3))
    air, height = np.array([[before]], float), np.array([[0.0, ridge_m, 0.0]])
    if against:
        air = air[:, :, ::-1]
    if turned:
        air, height, u, v = air.transpose(0, 2, 1), height.T, v.T, u.T
    moved = Transport(height, 1e5, 0.7, None).advance(air, Flow(u=u, v=v), 1000.0)
    line = moved.ravel()[::-1] if against else moved.ravel()
    np.testing.assert_allclose(line, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("blocking", [0.0, 0.7])
def test_concentrations_stay_positive(blocking: float) -> None:
    rng = np.random.default_rng(4)
    air: Floats = np.zeros((1, 10, 12))
    air[0, 4, 6], air[0, 8, 1] = 1e4, 3.0
    transport = Transport(rugged(10, 12, rng), CELL_M, blocking, inflow=None)
    for _ in range(30):
        air = transport.advance(air, closed_nondivergent_flow(10, 12, rng), 3600.0)
        assert air.min() >= 0


def test_uniform_air_stays_uniform_in_a_nondivergent_wind() -> None:
    rng = np.random.default_rng(5)
    psi = 6 * CELL_M * rng.standard_normal((9, 13))
    through = Flow(u=-np.diff(psi, axis=0) / CELL_M, v=np.diff(psi, axis=1) / CELL_M)
    air = np.full((1, 8, 12), 40.0)
    closed = Transport(np.zeros((8, 12)), CELL_M, 0.0, None)
    opened = Transport(np.zeros((8, 12)), CELL_M, 0.0, np.array([40.0]))
    moved = closed.advance(air, closed_nondivergent_flow(8, 12, rng), 6 * 3600.0)
    np.testing.assert_allclose(moved, 40.0, rtol=1e-12)
    np.testing.assert_allclose(opened.advance(air, through, 6 * 3600.0), 40.0, rtol=1e-12)


def test_a_puff_drifts_with_the_wind_and_spreads_by_diffusion() -> None:
    """Upwind transport moves the centre exactly; diffusion widens it by 2 D t in each direction."""
    rows, columns, hours = 31, 61, 10
    air = np.zeros((1, rows, columns))
    air[0, 15, 20] = 1.0
    still = Flow(u=np.zeros((rows, columns + 1)), v=np.zeros((rows + 1, columns)))
    windy = Flow(u=np.full((rows, columns + 1), 4.0), v=np.full((rows + 1, columns), -1.5))
    transport = Transport(np.zeros((rows, columns)), CELL_M, 0.7, np.zeros(1))
    moved = transport.advance(air, windy, 3600.0 * hours)[0]
    spread = transport.advance(air, still, 3600.0 * hours)[0]
    y, x = np.mgrid[:rows, :columns] * CELL_M
    seconds = 3600.0 * hours
    assert (moved * x).sum() == pytest.approx(20 * CELL_M + 4.0 * seconds, rel=1e-6)
    assert (moved * y).sum() == pytest.approx(15 * CELL_M - 1.5 * seconds, rel=1e-6)
    width = (spread * (x - 20 * CELL_M) ** 2).sum()
    assert width == pytest.approx(2 * DIFFUSIVITY_M2_S * seconds, rel=1e-6)


def test_air_that_enters_is_the_air_outside() -> None:
    wind = Flow(u=np.full((4, 7), 8.0), v=np.zeros((5, 6)))
    transport = Transport(np.zeros((4, 6)), CELL_M, 0.7, np.array([12.0, 75.0]))
    air = transport.advance(np.zeros((2, 4, 6)), wind, 60 * 3600.0)
    np.testing.assert_allclose(air[0], 12.0, rtol=1e-6)
    np.testing.assert_allclose(air[1], 75.0, rtol=1e-6)
