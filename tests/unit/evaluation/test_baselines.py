from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from airshed.config.data import Split
from airshed.errors import AirshedError
from airshed.evaluation.baselines import climatology, hourly_means, persistence, read_targets
from airshed.variables import TARGETS

TIMES = pd.date_range("2016-02-28", periods=96, freq="h", unit="ns")
TRAIN = Split(start=date(2016, 2, 28), end=date(2016, 3, 1))
ROWS, COLUMNS = 2, 3


@pytest.fixture
def hourly(tmp_path: Path) -> xr.Dataset:
    """Four days around 29 February; pollutant p at hour t is 1000 p + 100 day + hour of the day."""
    value = 100 * (np.arange(96) // 24) + TIMES.hour.to_numpy()
    shape = (96, ROWS, COLUMNS)
    data = {
        name: (
            ("time", "y", "x"),
            np.broadcast_to(1000 * number + value[:, None, None], shape).astype(np.float32),
        )
        for number, name in enumerate(TARGETS)
    }
    present = ("time", np.ones(96, dtype=bool))
    store = xr.Dataset(data | {"present": present}, coords={"time": TIMES})
    store.to_zarr(tmp_path / "hourly.zarr", zarr_format=3, consolidated=False)
    return xr.open_zarr(tmp_path / "hourly.zarr", consolidated=False).load()


def rows(*samples: tuple[str, int]) -> pd.DataFrame:
    table = pd.DataFrame(samples, columns=["init_time", "horizon_h"])
    table["init_time"] = pd.to_datetime(table["init_time"])
    table["input_index"] = TIMES.get_indexer(pd.DatetimeIndex(table["init_time"]))
    return table.assign(target_index=table["input_index"] + table["horizon_h"])


def test_persistence_repeats_the_hour_of_the_init_time(hourly: xr.Dataset) -> None:
    forecast = persistence(hourly, TRAIN)(
        rows(("2016-02-29 05:00", 12), ("2016-02-28 23:00", 1), ("2016-02-29 05:00", 24))
    )
    assert forecast.shape == (3, 6, ROWS, COLUMNS)
    np.testing.assert_array_equal(forecast[:, 0, 1, 2], [105, 23, 105])
    np.testing.assert_array_equal(forecast[0, :, 0, 0], 1000 * np.arange(6) + 105)


def test_targets_are_read_in_any_order_and_more_than_once(hourly: xr.Dataset) -> None:
    fields = read_targets(hourly, np.array([30, 2, 30, 95]))
    np.testing.assert_array_equal(fields[:, 1, 0, 0], [1106, 1002, 1106, 1323])


def test_climatology_is_the_training_mean_at_the_hour_of_the_valid_time(
    hourly: xr.Dataset,
) -> None:
    """Days 0, 1, 2 are averaged to 100; the fourth day lies outside the training split."""
    forecast = climatology(hourly, TRAIN)(rows(("2016-02-29 20:00", 12), ("2016-03-01 00:00", 24)))
    np.testing.assert_allclose(forecast[:, 0, 0, 0], [108, 100])
    np.testing.assert_allclose(forecast[0, :, 1, 1], 1000 * np.arange(6) + 108)


def test_climatology_leaves_out_absent_hours_and_missing_cells(hourly: xr.Dataset) -> None:
    hourly["present"][24 + 7] = False
    hourly["pm25"][24 + 7] = -1e6
    hourly["pm10"][2 * 24 + 9, 0, 1] = np.nan
    hourly["co"][9:72:24, 1, 1] = np.nan
    means = hourly_means(hourly, TRAIN)
    assert means.shape == (24, 6, ROWS, COLUMNS)
    np.testing.assert_allclose(means[7, 0], 107)
    np.testing.assert_allclose(means[9, 1, 0], [1109, 1059, 1109])
    co = means[9, TARGETS.index("co")]
    assert np.isnan(co[1, 1])
    assert np.isfinite(np.delete(co.ravel(), 4)).all()


def test_an_hour_of_the_day_without_any_data_is_refused(hourly: xr.Dataset) -> None:
    hourly["present"][[3, 24 + 3, 48 + 3]] = False
    with pytest.raises(AirshedError, match="never present: 3 h"):
        hourly_means(hourly, TRAIN)
