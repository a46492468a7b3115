"""Samples by time stamp, and the tensors made from them."""

from __future__ import annotations

import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import raw_files as made
import torch
from made_once import MadeOnce
from torch.utils.data import DataLoader

from airshed.config.data import DatasetConfig, Split
from airshed.config.preprocessing import LoaderConfig
from airshed.data.dataset import Batch, ForecastDataset, loader_options
from airshed.data.normalisation import Normaliser
from airshed.data.samples import sample_index
from airshed.data.shards import HourReader
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


def test_ten_years_are_listed_in_bounded_memory() -> None:
    """Two leap years; the table takes 32 bytes a row, and making it not ten times as much."""
    times = pd.date_range("2010-01-01", "2019-12-31 23:00", freq="h")
    hours = 24 * (10 * 365 + 2)
    assert len(times) == hours
    tracemalloc.start()
    samples = sample_index(
        times, np.ones(hours, dtype=bool), split("2010-01-01", "2019-12-31"), [12, 24, 48, 96]
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(samples) == 4 * (hours - 96)
    assert peak < 320 * len(samples)


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
def prepared(dataset: DatasetConfig, made_once: MadeOnce) -> Path:
    """What samples are made from; to be read only."""

    def make(folder: Path) -> None:
        raw, chosen = made.write_days(folder), made.with_files(dataset, folder)
        made.ingest_into(folder, chosen, raw)
        static_fields(chosen, raw, folder / "hourly.zarr", folder / "static.nc")
        train = split("2016-03-01", "2016-03-01")
        hourly, static = folder / "hourly.zarr", folder / "static.nc"
        made.statistics_into(folder / "stats.nc", hourly, static, train)

    return made_once("samples", make)


OTHERS = (["population", "o3", "u", "lat2d", "pm25", "v"], ["co", "pm25"])


@pytest.mark.parametrize(
    ("hold", "inputs", "targets"),
    [("always", INPUTS, TARGETS), ("never", INPUTS, TARGETS), ("always", *OTHERS)],
)
def test_items_are_the_normalised_fields(
    prepared: Path, hold: Any, inputs: list[str], targets: list[str]
) -> None:
    samples = ForecastDataset(
        prepared / "hourly.zarr",
        prepared / "static.nc",
        prepared / "stats.nc",
        split("2016-03-02", "2016-03-02", every=5),
        [6, 12],
        inputs,
        targets,
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
    assert (len(item.x), len(item.y)) == (len(inputs), len(targets))
    for channel, name in enumerate(inputs):
        field = init[name] if name in HOURLY else static[name].values
        mean, std = (moments[key].sel(variable=name).item() for key in ("mean", "std"))
        expected = np.where(inside, (field - mean) / std, 0)
        np.testing.assert_allclose(item.x[channel], expected, rtol=1e-4, atol=1e-4)
    for channel, name in enumerate(targets):
        mean, std = (moments[key].sel(variable=name).item() for key in ("mean", "std"))
        expected = np.where(inside, (valid[name] - mean) / std, np.nan)
        np.testing.assert_allclose(item.y[channel], expected, rtol=1e-4, atol=1e-4)
    assert item.lead_hours == 12
    assert item.x.dtype == item.y.dtype == torch.float32
    assert torch.equal(samples.mask, torch.from_numpy(inside))


def loaded(samples: ForecastDataset, workers: int, start_method: Any) -> list[Batch]:
    settings = LoaderConfig(start_method=start_method)
    return list(DataLoader(samples, batch_size=4, **loader_options(settings, workers)))


def of(prepared: Path, hold: Any) -> ForecastDataset:
    day = split("2016-03-02", "2016-03-02", every=2)
    names = ("hourly.zarr", "static.nc", "stats.nc")
    return ForecastDataset(*(prepared / name for name in names), day, [2, 6], INPUTS, TARGETS, hold)


def test_batches_are_their_items_whoever_reads_them(prepared: Path) -> None:
    """Held or streamed, in this process, forked or spawned: the same numbers, bit by bit."""
    samples = of(prepared, "always")
    expected = loaded(samples, 0, "fork")
    assert [len(batch.x) for batch in expected] == [4] * 4 + [2]
    number = 0
    for batch in expected:
        for row in range(len(batch.x)):
            item = samples[number]
            for values, value in zip(batch, item, strict=True):
                torch.testing.assert_close(values[row], value, rtol=0, atol=0, equal_nan=True)
            number += 1
    assert number == len(samples)
    cases = ("always", 2, "fork"), ("never", 1, "spawn"), ("always", 2, "forkserver")
    for hold, workers, start_method in cases:
        found = loaded(of(prepared, hold), workers, start_method)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_without_room_hours_are_streamed_or_the_run_stops(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = loaded(of(prepared, "always"), 0, "fork")
    shutil.rmtree(prepared / "normalised")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000))
    found = loaded(of(prepared, "auto"), 0, "fork")
    assert "do not fit on the disk" in caplog.text
    assert not list((prepared / "normalised").rglob("*.f32"))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    with pytest.raises(AirshedError, match=r"loader\.hold"):
        of(prepared, "always")


def test_another_normalisation_is_another_file_and_a_replaced_store_leaves_none(
    prepared: Path,
) -> None:
    def files() -> set[Path]:
        return set((prepared / "normalised").rglob("*.f32"))

    of(prepared, "auto")
    first = files()
    assert len(first) == 1
    of(prepared, "auto")
    assert files() == first
    made.statistics_into(
        prepared / "stats.nc",
        prepared / "hourly.zarr",
        prepared / "static.nc",
        split("2016-03-01", "2016-03-01"),
        log={"pm25": 10.0},
    )
    of(prepared, "auto")
    both = files()
    assert len(both) == 2
    assert first < both
    (prepared / "hourly.zarr/zarr.json").touch()
    of(prepared, "auto")
    assert len(files()) == 1
    assert not files() & both


def test_an_hour_that_a_batch_shares_is_read_once(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = of(prepared, "never")
    read: list[int] = []
    whole = HourReader.read

    def counted(self: HourReader, hour: int) -> Any:
        read.append(hour)
        return whole(self, hour)

    monkeypatch.setattr(HourReader, "read", counted)
    # inits 0, 0, 2 and 2 h with targets at 2, 6, 4 and 8 h; the day begins at hour 24
    samples.__getitems__([0, 1, 2, 3])
    assert sorted(read) == [24, 26, 28, 30, 32]


def test_a_logarithm_is_undone(prepared: Path, tmp_path: Path) -> None:
    path = made.statistics_into(
        tmp_path / "log.nc",
        prepared / "hourly.zarr",
        prepared / "static.nc",
        split("2016-03-01", "2016-03-01"),
        log={"pm25": 10.0, "population": 100.0},
        fixed={"so2": {"mean": 1000.0, "std": 500.0}},
    )
    names = ("pm25", "so2", "population")
    normaliser = Normaliser.read(path, names)
    fields = np.random.default_rng(0).uniform(0, 3000, (2, 3, 4, 5))
    z = normaliser.forward(fields)
    np.testing.assert_allclose(normaliser.inverse(z), fields, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(z[:, 1], (fields[:, 1] - 1000) / 500, rtol=1e-5, atol=1e-6)
    stored = open_statistics(path)
    day = [made.hour_fields(made.START + pd.Timedelta(hours=hour))["pm25"] for hour in range(24)]
    inside = open_static(prepared / "static.nc")["domain_mask"].values.astype(bool)
    logged = np.log1p(np.stack(day)[:, inside] / 10.0)
    assert stored["mean"].sel(variable="pm25") == pytest.approx(logged.mean(), rel=1e-6)
    assert stored["std"].sel(variable="pm25") == pytest.approx(logged.std(), rel=1e-5)
    assert stored["fixed"].sel(variable="so2") == 1
