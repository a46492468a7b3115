"""The normalisation of inputs: moments in one pass against numpy, and files of earlier versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from airshed.data.normalisation import Normaliser
from airshed.data.statistics import RunningMoments
from airshed.data.stores import write_netcdf


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
def test_moments_are_those_of_numpy(name: str) -> None:
    values = samples()[name].astype(np.float32)
    running = RunningMoments()
    for block in np.array_split(values, 7):
        running.add(block)
    exact = values.astype(np.float64)
    assert running.count == len(values)
    assert running.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-12)
    assert running.std == pytest.approx(exact.std(), rel=1e-9, abs=1e-12)


def test_nothing_has_no_spread() -> None:
    assert np.isnan(RunningMoments().std)


def test_files_that_hold_percentiles_too_are_read(tmp_path: Path) -> None:
    """As earlier results have them."""
    moments = {"mean": [3.0], "std": [2.0], "log_scale": [0.0], "fixed": [0], "units": ["ug m-3"]}
    stored = xr.Dataset(
        {name: ("variable", values) for name, values in moments.items()}
        | {"percentiles": (("variable", "percentile"), [[1.0, 5.0]])},
        coords={"variable": ["pm25"], "percentile": [50.0, 99.0]},
    )
    write_netcdf(stored, tmp_path / "statistics.nc")
    normaliser = Normaliser.read(tmp_path / "statistics.nc", ["pm25"])
    assert normaliser.parameters() == [["pm25"], [3.0], [2.0], [0.0]]
