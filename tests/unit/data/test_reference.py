"""Damped persistence against plain regressions, and the way to departures and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scoring import TARGET_VARIABLES, write_hourly, write_static

from airshed.config.data import Split
from airshed.data.climatology import Climatology, fit_climatology, open_climatology
from airshed.data.damping import fit_damping, open_damping
from airshed.data.normalisation import Normaliser
from airshed.data.reference import DampedPersistence, Persistence, restored
from airshed.errors import AirshedError
from airshed.variables import TARGETS

MASK = np.array([[True, False, True], [True, True, True]])
TIMES = pd.date_range("2016-02-28", periods=10 * 24, freq="h")
TRAIN = Split(start=TIMES[0].date(), end=TIMES[7 * 24 - 1].date(), init_every_h=3)
HORIZONS = [6, 12, 48]


def fields_of(seed: int) -> dict[str, np.ndarray]:
    """An anomaly of every pollutant that is forgotten at another rate, over a daily cycle."""
    rng, found = np.random.default_rng(seed), {}
    daily = 50 + 10 * np.sin(2 * np.pi * TIMES.hour.to_numpy() / 24)
    for number, name in enumerate(TARGETS):
        noise = rng.normal(0, 3, (len(TIMES), *MASK.shape))
        anomaly = np.zeros_like(noise)
        for hour in range(1, len(TIMES)):
            anomaly[hour] = (0.99 - 0.05 * number) * anomaly[hour - 1] + noise[hour]
        found[name] = (daily[:, None, None] + anomaly).astype(np.float32)
    return found


def fitted(folder: Path, fields: dict[str, np.ndarray], present: np.ndarray) -> np.ndarray:
    """Coefficients [horizon, T] of the training split of a store with these fields."""
    folder.mkdir(exist_ok=True)
    write_hourly(folder / "hourly.zarr", TIMES, present, fields)
    write_static(folder / "static.nc", MASK)
    data = folder / "hourly.zarr", folder / "static.nc"
    fit_climatology(*data, TRAIN, TARGET_VARIABLES, 0, folder / "climatology.nc")
    output = folder / "damping.nc"
    fit_damping(*data, folder / "climatology.nc", TRAIN, HORIZONS, TARGET_VARIABLES, output)
    return np.asarray(open_damping(output, TARGET_VARIABLES, HORIZONS))


def test_the_coefficients_are_those_of_plain_regressions(tmp_path: Path) -> None:
    """By numpy's solver, from whole arrays, with an absent hour and values that are missing."""
    fields, present = fields_of(0), np.arange(len(TIMES)) != 40
    fields["co"][np.random.default_rng(1).random(fields["co"].shape) < 0.1] = np.nan
    found = fitted(tmp_path, fields, present)
    climatology = open_climatology(tmp_path / "climatology.nc", TARGET_VARIABLES).at(TIMES)
    inits = np.arange(0, 7 * 24 - max(HORIZONS), 3)
    for number, name in enumerate(TARGETS):
        anomaly = (fields[name] - climatology[:, number])[:, MASK].astype(np.float64)
        for row, horizon in enumerate(HORIZONS):
            chosen = inits[present[inits] & present[inits + horizon]]
            before, after = anomaly[chosen].ravel(), anomaly[chosen + horizon].ravel()
            known = np.isfinite(before) & np.isfinite(after)
            slope = np.linalg.lstsq(before[known, None], after[known])[0][0]
            np.testing.assert_allclose(found[row, number], np.clip(slope, 0, 1), rtol=1e-9)
    assert (found == 0).any()  # at 48 h some slopes are negative
    assert found[0, 0] > 0.8


def test_the_coefficients_use_the_training_split_alone(tmp_path: Path) -> None:
    """Whatever later days hold changes nothing, and any hour of the split does."""
    fields, present = fields_of(0), np.ones(len(TIMES), dtype=bool)
    expected = fitted(tmp_path / "a", fields, present)
    later = {name: values.copy() for name, values in fields.items()}
    for values in later.values():
        values[7 * 24 :] = 1000.0
    np.testing.assert_array_equal(fitted(tmp_path / "b", later, present), expected)
    later["so2"][7 * 24 - 3] = 1000.0  # 21 h of the last day, the last one that a sample reaches
    assert (fitted(tmp_path / "c", later, present) != expected).any()


def test_coefficients_of_other_horizons_are_refused(tmp_path: Path) -> None:
    fitted(tmp_path, fields_of(0), np.ones(len(TIMES), dtype=bool))
    with pytest.raises(AirshedError, match=r"(?s)other horizons.*12 h, 24 h.*6 h, 12 h, 48 h"):
        open_damping(tmp_path / "damping.nc", TARGET_VARIABLES, [12, 24])


def damped() -> DampedPersistence:
    """Climatology is the hour of the day in every cell; coefficients 0.5 at 6 h, 0 at 12 h."""
    hours = np.broadcast_to(np.arange(24, dtype=np.float32)[:, None, None, None], (24, 6, 2, 3))
    fields = np.where(MASK, hours, np.nan)[None].astype(np.float32)
    coefficients = np.array([[0.5] * 6, [0.0] * 6])
    return DampedPersistence(Climatology(fields), coefficients, [6, 12], np.zeros(6))


def test_damped_persistence_carries_half_of_the_anomaly() -> None:
    """At 10 h 14 is 4 too much: 16 + 2 six hours later; then 22; below 0 there is nothing."""
    init = pd.DatetimeIndex(["2018-05-01 10:00", "2018-05-01 10:00", "2018-05-01 23:00"])
    latest = np.full((3, 6, 2, 3), 14.0, dtype=np.float32)
    latest[0, 0, 0, 0], latest[2] = np.nan, 0.0
    found = damped()(latest, init, np.array([6, 12, 6]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 1][:, MASK], [[18] * 5, [22] * 5, [0] * 5])
    assert found[0, 0, 0, 0] == 16  # nothing is known of the anomaly
    assert np.isnan(found[:, :, ~MASK]).all()


def test_persistence_is_the_mean_where_the_latest_field_is_not_known() -> None:
    latest = np.array([[[[1.0, np.nan]], [[3.0, 4.0]]]], dtype=np.float32)
    found = Persistence(np.array([10.0, 20.0]))(latest, TIMES[:1], np.array([12]))
    np.testing.assert_array_equal(found, [[[[1, 10]], [[3, 4]]]])


@pytest.mark.parametrize("reference", [damped(), Persistence(np.arange(6.0))])
def test_a_reference_comes_back_from_a_file_as_it_was(
    reference: DampedPersistence | Persistence, tmp_path: Path
) -> None:
    torch.save(reference.state(), tmp_path / "state.pt")
    again = restored(torch.load(tmp_path / "state.pt", weights_only=True))
    latest = np.random.default_rng(0).gamma(2, 9, (2, 6, 2, 3)).astype(np.float32)
    when = TIMES[:2], np.array([6, 12])
    np.testing.assert_array_equal(again(latest, *when), reference(latest, *when))


def test_a_departure_is_one_of_normalised_fields() -> None:
    """With and without a logarithm, and a departure of nothing leads nowhere, to the last bit."""
    normaliser = Normaliser(
        ("pm25", "o3"), np.array([2.0, 50.0]), np.array([0.7, 20.0]), np.array([10.0, 0.0])
    )
    rng = np.random.default_rng(0)
    reference = rng.gamma(2, 30, (3, 2, 4, 5)).astype(np.float32)
    departure = rng.normal(0, 1, reference.shape).astype(np.float32)
    found = normaliser.departed(reference, departure)
    plain = normaliser.inverse(normaliser.forward(reference).astype(np.float64) + departure)
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(normaliser.departed(reference, 0 * departure), reference)
