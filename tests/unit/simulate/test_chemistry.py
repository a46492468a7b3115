from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from airshed.simulate.chemistry import (
    BACKGROUND,
    CO,
    COARSE,
    FINE,
    LIFETIME_H,
    NOX,
    OX,
    OZONE_PER_NO2,
    SO2,
    Hour,
    exchange,
    react,
)

Floats = npt.NDArray[np.floating[Any]]


def hour(sun: float = 0.0, mixing_m: float = 1000.0, wind_ms: float = 2.0) -> Hour:
    def field(value: float) -> Floats:
        return np.full((1, 1), value)

    return Hour(field(sun), field(1.0), field(mixing_m), field(wind_ms), field(1.0))


def air(**above: float) -> Floats:
    state = np.array(BACKGROUND)[:, None, None]
    for name, value in above.items():
        state[{"so2": SO2, "nox": NOX, "co": CO, "ox": OX, "fine": FINE}[name]] += value
    return state


def test_no2_and_ozone_are_in_balance_and_conserve_nox_and_ox() -> None:
    rng = np.random.default_rng(0)
    nox, ox, sun = rng.uniform(0.01, 300, 500), rng.uniform(1, 250, 500), rng.random(500)
    no2, o3 = exchange(nox, ox, sun)
    np.testing.assert_allclose(o3 + no2 * OZONE_PER_NO2, ox, rtol=1e-12)
    no = (nox - no2) * OZONE_PER_NO2
    ratio = 0.6 + (22.0 - 0.6) * sun
    np.testing.assert_allclose(o3 * no, ratio * no2 * OZONE_PER_NO2, rtol=1e-6)
    assert (no2 >= 0).all()
    assert (no2 <= nox).all()
    assert (o3 >= 0).all()


def test_at_night_traffic_eats_the_ozone_and_by_day_sunlight_gives_it_back() -> None:
    nox, ox = np.array([80.0]), np.array([70.0])
    night_no2, night_o3 = exchange(nox, ox, np.array([0.0]))
    day_no2, day_o3 = exchange(nox, ox, np.array([1.0]))
    assert night_o3[0] < 0.1 * ox[0]
    assert day_o3[0] > 3 * night_o3[0]
    assert day_no2[0] < night_no2[0]


def test_emission_adds_its_mass_over_the_mixed_depth() -> None:
    """0.001 people per m2, 6000 ug of CO a second each, an hour, 1000 m deep: 21.6 ug m-3."""
    none, dry = np.zeros((1, 1)), np.zeros((1, 1))
    people = np.full((1, 1), 1e-3)
    with_people = react(air(), hour(), people, dry)[CO] - react(air(), hour(), none, dry)[CO]
    assert with_people.item() == pytest.approx(21.6 * np.exp(-1 / LIFETIME_H[CO]))
    shallow = react(air(), hour(mixing_m=500.0), people, dry)[CO]
    assert shallow.item() - BACKGROUND[CO] == pytest.approx(2 * with_people.item())


def test_without_sources_what_is_above_the_background_decays_with_its_lifetime() -> None:
    """900 ug m-3 of CO above the background, lifetime 120 h: 900 / e are left after 120 h."""
    none = np.zeros((1, 1))
    state = air(co=900.0, ox=40.0)
    for _ in range(120):
        state = react(state, hour(), none, none)
    assert state[CO].item() == pytest.approx(BACKGROUND[CO] + 900 / np.e)
    assert state[OX].item() == pytest.approx(BACKGROUND[OX] + 40 / np.e**3)  # lifetime 40 h
    assert state[COARSE].item() == pytest.approx(BACKGROUND[COARSE])


def test_sun_makes_ozone_where_there_is_nox() -> None:
    none = np.zeros((1, 1))
    made = {
        (sun, nox): react(air(nox=nox), hour(sun=sun), none, none)[OX].item()
        for sun in (0.0, 1.0)
        for nox in (-4.0, 60.0)  # -4: none at all
    }
    assert made[1.0, 60.0] > made[0.0, 60.0] + 3
    assert made[1.0, -4.0] == pytest.approx(made[0.0, -4.0])


def test_so2_becomes_fine_particles() -> None:
    """One part sulfur dioxide (64 g/mol) makes 1.5 parts sulfate (96 g/mol)."""
    none = np.zeros((1, 1))
    clean, loaded = (react(air(so2=more), hour(), none, none) for more in (0.0, 100.0))
    lost = 100.0 - (loaded - clean)[SO2].item() * np.exp(1 / LIFETIME_H[SO2])
    gained = (loaded - clean)[FINE].item() * np.exp(1 / LIFETIME_H[FINE])
    assert lost > 0.5
    assert gained == pytest.approx(1.5 * lost)


def test_only_strong_wind_over_dry_ground_raises_dust() -> None:
    none, dry = np.zeros((1, 1)), np.ones((1, 1))
    dust = {
        (wind, bool(ground.any())): react(air(), hour(wind_ms=wind), none, ground)[COARSE].item()
        for wind in (5.9, 12.0)
        for ground in (none, dry)
    }
    assert dust[5.9, True] == dust[5.9, False] == dust[12.0, False]
    assert dust[12.0, True] > dust[12.0, False] + 1


def test_emissions_do_not_change_the_air_they_are_given() -> None:
    state = air(co=5.0)
    before = state.copy()
    react(state, hour(sun=1.0), np.ones((1, 1)), np.ones((1, 1)))
    np.testing.assert_array_equal(state, before)
