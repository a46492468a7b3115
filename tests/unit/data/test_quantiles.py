"""Moments and percentiles in one pass against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from airshed.data.quantiles import RunningMoments, RunningPercentiles

SHARES = np.array([0, 0.1, 1, 5, 25, 50, 75, 95, 99, 99.9, 100])


def samples() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "skewed": rng.lognormal(3, 1.5, 50_000),
        "wind": rng.normal(0.3, 4, 50_000),
        "pressure": rng.normal(90_000, 8_000, 50_000),
        "temperature, little spread": 280 + rng.normal(0, 1e-2, 50_000),
        "mostly zero": np.maximum(rng.normal(-1, 1, 50_000), 0),
        "few": np.array([3.0, -1.0, 2.5]),
        "one": np.array([7.25]),
        "ties": rng.integers(-3, 4, 50_000).astype(float),
    }


@pytest.mark.parametrize("name", samples())
def test_percentiles_are_those_of_numpy(name: str) -> None:
    values = samples()[name].astype(np.float32)
    running = RunningPercentiles()
    for block in np.array_split(values, 7):
        running.add(block)
    expected = np.percentile(values.astype(np.float64), SHARES)
    np.testing.assert_allclose(running.percentiles(SHARES), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", samples())
def test_moments_are_those_of_numpy(name: str) -> None:
    values = samples()[name].astype(np.float32)
    running = RunningMoments()
    for block in np.array_split(values, 7):
        running.add(block)
    exact = values.astype(np.float64)
    assert running.count == len(values)
    assert running.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-12)
    assert running.std == pytest.approx(exact.std(), rel=1e-9, abs=1e-12)


def test_nothing_has_no_percentiles() -> None:
    with pytest.raises(ValueError, match="no values"):
        RunningPercentiles().percentiles(SHARES)
    assert np.isnan(RunningMoments().std)


def test_values_too_large_to_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="larger"):
        RunningPercentiles().add(np.array([1e12]))
