"""Samples by time stamp, and the tensors made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import raw_files as made
import torch

from airshed.config.data import DatasetConfig, Split
from airshed.data.dataset import ForecastDataset
from airshed.data.samples import sample_index
from airshed.data.static import static_fields
from airshed.data.stores import open_static, open_statistics
from airshed.errors import AirshedError
from airshed.variables import HOURLY, INPUTS, TARGETS


def split(start: str, end: str, every: int = 1) -> Split:
    return Split.model_validate({"start": start, "end": end, "init_every_h": every})


def test_an_unbroken_year_gives_the_known_number_of_samples() -> None:
    times = pd.date_range("2012-12-01", "2014-02-01", freq="h")
    present = np.ones(len(times), dtype=bool)
    samples = sample_index(times, present, split("2013-01-01", "2013-12-31"), [12, 24, 48, 96])
    assert len(samples) == 4 * (8760 - 96)
    valid = samples["init_time"] + pd.to_timedelta(samples["horizon_h"], unit="h")
    assert samples["init_time"].min() == pd.Timestamp("2013-01-01")
    assert valid.max() == pd.Timestamp("2013-12-31 23:00")
    assert (times[samples["input_index"]] == samples["init_time"]).all()
    assert (times[samples["target_index"]] == valid).all()


def test_a_missing_hour_removes_the_pairs_that_need_it_and_shifts_nothing() -> None:
    times = pd.date_range("2013-01-01", periods=24 * 10, freq="h")
    present = np.ones(len(times), dtype=bool)
    period = split("2013-01-01", "2013-01-10", every=3)
    whole = sample_index(times, present, period, [6, 24])
    gone = pd.Timestamp("2013-01-04 06:00")
    present[times.get_loc(gone)] = False
    broken = sample_index(times, present, period, [6, 24])
    valid = whole["init_time"] + pd.to_timedelta(whole["horizon_h"], unit="h")
    kept = whole[(whole["init_time"] != gone) & (valid != gone)].reset_index(drop=True)
    assert len(kept) == len(whole) - 4
    pd.testing.assert_frame_equal(broken, kept)


def test_a_store_that_begins_elsewhere_gives_the_same_init_times() -> None:
    period = split("2013-01-02", "2013-01-05", every=5)
    frames = []
    for start in ("2013-01-01", "2012-12-30 07:00"):
        times = pd.date_range(start, "2013-01-20", freq="h")
        frames.append(sample_index(times, np.ones(len(times), dtype=bool), period, [12]))
    assert (frames[0]["init_time"] == frames[1]["init_time"]).all()
    assert frames[0]["init_time"][0] == pd.Timestamp("2013-01-02")


def test_no_sample_is_an_error() -> None:
    times = pd.date_range("2013-01-01", periods=48, freq="h")
    with pytest.raises(AirshedError, match="no sample"):
        sample_index(times, np.zeros(48, dtype=bool), split("2013-01-01", "2013-01-02"), [12])


@pytest.fixture
def prepared(dataset: DatasetConfig, raw: Path, tmp_path: Path) -> Path:
    chosen = made.with_files(dataset, tmp_path)
    made.ingest_into(tmp_path, chosen, raw)
    static_fields(chosen, raw, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    train = split("2016-03-01", "2016-03-01")
    hourly, static = tmp_path / "hourly.zarr", tmp_path / "static.nc"
    made.statistics_into(tmp_path / "stats.nc", hourly, static, train)
    return tmp_path


@pytest.mark.parametrize("hold", ["always", "never"])
def test_items_are_the_normalised_fields(prepared: Path, hold: Any) -> None:
    samples = ForecastDataset(
        prepared / "hourly.zarr",
        prepared / "static.nc",
        prepared / "stats.nc",
        split("2016-03-02", "2016-03-02", every=5),
        [6, 12],
        hold,
    )
    assert len(samples) == 2 * 3  # inits at 0, 5 and 10 h
    row = samples.samples.iloc[3]
    assert (row["init_time"], row["horizon_h"]) == (pd.Timestamp("2016-03-02 05:00"), 12)
    item = samples[3]
    moments = open_statistics(prepared / "stats.nc")
    init, valid = (
        made.hour_fields(pd.Timestamp(time)) for time in ("2016-03-02 05:00", "2016-03-02 17:00")
    )
    static = open_static(prepared / "static.nc")
    inside = static["domain_mask"].values.astype(bool)
    for channel, name in enumerate(INPUTS):
        field = init[name] if name in HOURLY else static[name].values
        mean, std = (moments[key].sel(variable=name).item() for key in ("mean", "std"))
        expected = np.where(inside, (field - mean) / std, 0)
        np.testing.assert_allclose(item["x"][channel], expected, rtol=1e-4, atol=1e-4)
    for channel, name in enumerate(TARGETS):
        mean, std = (moments[key].sel(variable=name).item() for key in ("mean", "std"))
        expected = np.where(inside, (valid[name] - mean) / std, np.nan)
        np.testing.assert_allclose(item["y"][channel], expected, rtol=1e-4, atol=1e-4)
    assert item["lead_hours"] == 12
    assert item["x"].dtype == item["y"].dtype == torch.float32
    assert torch.equal(samples.mask, torch.from_numpy(inside))
