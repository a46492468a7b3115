from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scoring import TARGET_VARIABLES, write_hourly, write_static

from airshed.config.data import Split
from airshed.data.climatology import (
    Climatology,
    fit_climatology,
    open_climatology,
    seasonal_terms,
)
from airshed.data.stores import write_netcdf
from airshed.errors import AirshedError
from airshed.variables import TARGETS

MASK = np.array([[True, False, True]])


def fitted(
    folder: Path, times: pd.DatetimeIndex, fields: np.ndarray, present: np.ndarray, harmonics: int
) -> Climatology:
    """Of a store whose pollutants are the same fields [time, Y, X], trained on all of it."""
    write_hourly(folder / "hourly.zarr", times, present, dict.fromkeys(TARGETS, fields))
    write_static(folder / "static.nc", MASK)
    train = Split(start=times[0].date(), end=times[-1].date())
    output = folder / "climatology.nc"
    fit_climatology(
        folder / "hourly.zarr", folder / "static.nc", train, TARGET_VARIABLES, harmonics, output
    )
    return open_climatology(output, TARGET_VARIABLES)


def test_a_short_split_gives_the_mean_of_each_hour_of_the_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Days 0, 1, 2 average to 100 plus the hour; an absent hour and a missing cell are left out."""
    times = pd.date_range("2016-02-28", periods=72, freq="h")
    value = 100 * (np.arange(72) // 24) + times.hour.to_numpy()
    fields = np.broadcast_to(value[:, None, None], (72, *MASK.shape)).astype(np.float32).copy()
    present = np.arange(72) != 24 + 7
    fields[48 + 9, 0, 2] = np.nan
    fields[:, 0, 1] = np.nan  # outside the domain
    climatology = fitted(tmp_path, times, fields, present, harmonics=2)
    assert climatology.harmonics == 0
    assert "3 days of the year" in caplog.text
    found = climatology.at(pd.DatetimeIndex(["2016-06-01 05:00", "2018-02-28 07:00"]))
    np.testing.assert_allclose(found[:, :, 0, 0], [[105] * 6, [107] * 6])
    assert np.isnan(found[:, :, 0, 1]).all()
    at_nine = climatology.at(pd.DatetimeIndex(["2019-01-01 09:00"]))
    np.testing.assert_allclose(at_nine[0, 0, 0], [109, np.nan, 59])


def test_a_store_of_every_third_hour_has_a_mean_for_each_of_its_eight(tmp_path: Path) -> None:
    times = pd.date_range("2016-02-28", periods=24, freq="3h")
    value = 100 * (np.arange(24) // 8) + times.hour.to_numpy()
    fields = np.broadcast_to(value[:, None, None], (24, *MASK.shape)).astype(np.float32)
    climatology = fitted(tmp_path, times, fields, np.arange(24) != 8 + 5, harmonics=0)
    found = climatology.at(pd.DatetimeIndex(["2016-06-01 03:00", "2018-02-28 15:00"]))
    np.testing.assert_allclose(found[:, 0, 0, 0], [103, 115])


def test_the_seasonal_cycle_of_each_hour_is_found_and_noise_is_not(tmp_path: Path) -> None:
    """A cycle of the year whose size depends on the hour of the day, under noise, with gaps."""
    times = pd.date_range("2015-12-01", "2016-12-31 23:00", freq="h")
    rng = np.random.default_rng(0)

    def expected(at: pd.DatetimeIndex) -> np.ndarray:
        angle = 2 * np.pi * (at.day_of_year.to_numpy() - 1) / np.where(at.is_leap_year, 366, 365)
        return 60 + at.hour.to_numpy() * np.cos(angle) + 8 * np.sin(2 * angle)

    clean = np.broadcast_to(expected(times)[:, None, None], (len(times), *MASK.shape))
    fields = (clean + rng.normal(0, 4, clean.shape)).astype(np.float32)
    fields[rng.random(fields.shape) < 0.02] = np.nan
    present = rng.random(len(times)) > 0.02
    climatology = fitted(tmp_path, times, fields, present, harmonics=2)
    assert climatology.harmonics == 2
    later = pd.date_range("2018-01-01", "2018-12-31", periods=200).round("h")
    found = climatology.at(later)[:, 0, 0][:, MASK[0]]
    error = found - expected(later)[:, None]
    assert np.abs(error).max() < 2  # 397 values for 5 coefficients: 4 * sqrt(5 / 397) is 0.45
    assert np.sqrt((error**2).mean()) < 0.6


def test_the_fit_is_that_of_least_squares(tmp_path: Path) -> None:
    """Every cell and hour separately, by numpy's solver, with the values that the cell lacks."""
    times = pd.date_range("2015-01-01", "2015-12-31 23:00", freq="h")
    rng = np.random.default_rng(1)
    fields = rng.gamma(2, 30, (len(times), *MASK.shape)).astype(np.float32)
    fields[rng.random(fields.shape) < 0.1] = np.nan
    climatology = fitted(tmp_path, times, fields, np.ones(len(times), dtype=bool), harmonics=1)
    for hour in (0, 17):
        at_hour = times.hour == hour
        for column in (0, 2):
            values = fields[at_hour, 0, column]
            known = np.isfinite(values)
            design = seasonal_terms(times[at_hour], 1)
            weights = np.linalg.lstsq(design[known], values[known])[0]
            found = climatology.at(times[at_hour])[:, 3, 0, column]
            np.testing.assert_allclose(found, design @ weights, rtol=1e-4)


def test_a_cell_that_is_hardly_known_is_refused(tmp_path: Path) -> None:
    times = pd.date_range("2016-02-28", periods=72, freq="h")
    fields = np.ones((72, *MASK.shape), dtype=np.float32)
    fields[3::24, 0, 2] = np.nan
    with pytest.raises(AirshedError, match=r"fewer at 3 h \(UTC\), in 1 cells"):
        fitted(tmp_path, times, fields, np.ones(72, dtype=bool), harmonics=0)


def test_a_file_of_other_pollutants_is_refused(tmp_path: Path) -> None:
    times = pd.date_range("2016-02-28", periods=24, freq="h")
    fields = np.ones((24, *MASK.shape), dtype=np.float32)
    fitted(tmp_path, times, fields, np.ones(24, dtype=bool), harmonics=0)
    stored = xr.load_dataset(tmp_path / "climatology.nc")
    write_netcdf(stored.isel(pollutant=slice(None, None, -1)), tmp_path / "other.nc")
    with pytest.raises(AirshedError, match="other pollutants"):
        open_climatology(tmp_path / "other.nc", TARGET_VARIABLES)
    with pytest.raises(AirshedError, match="cannot be read"):
        open_climatology(tmp_path / "hourly.zarr", TARGET_VARIABLES)


def test_the_year_ends_where_it_begins() -> None:
    ends = pd.DatetimeIndex(["2015-12-31", "2016-12-31", "2017-01-01"])
    terms = seasonal_terms(ends, 2)
    np.testing.assert_allclose(terms[2], [1, 1, 0, 1, 0], atol=1e-12)
    assert np.abs(terms - terms[2]).max() < 4 * np.pi / 365
    assert date(2016, 12, 31).timetuple().tm_yday == 366
