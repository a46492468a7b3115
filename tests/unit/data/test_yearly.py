"""Yearly Zarr stores of the founding project's form: the same hours as from archives."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import raw_files as made
import xarray as xr
import zarr

from airshed.config.data import DatasetConfig
from airshed.data.source import open_source
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError
from airshed.variables import HOURLY, VARIABLES

YEAR_END = made.START.replace(month=12, day=31)


def write_year(
    folder: Path,
    times: pd.DatetimeIndex,
    *,
    stamps: bool = True,
    steady: bool = True,
    **changes: Any,
) -> Path:
    """A store of these hours; ``changes`` replace or add variables, None leaves one out."""
    hours = [made.hour_fields(time.to_pydatetime()) for time in times]
    fields = {
        name: (("time", "lat", "lon"), np.stack([hour[name] for hour in hours])) for name in HOURLY
    }
    still = made.positions() | {
        "elevation": np.full((made.ROWS, made.COLUMNS), 100.0),
        "population": np.full((made.ROWS, made.COLUMNS), 5.0),
    }
    for name, field in still.items():
        repeated = np.broadcast_to(field, (len(times), *field.shape))
        dims = ("lat", "lon") if steady else ("time", "lat", "lon")
        fields[name] = (dims, field if steady else repeated)
    store = xr.Dataset(fields, coords={"time": times} if stamps else {})
    for name in fields:
        store[name].attrs["units"] = VARIABLES[name].units
    for name, value in changes.items():
        store = store.drop_vars(name) if value is None else store.assign({name: value})
    path = folder / f"data_{times[0].year}_china_masked.zarr"
    store.to_zarr(path, consolidated=True)
    return path


@pytest.fixture
def yearly(dataset: DatasetConfig, tmp_path: Path) -> DatasetConfig:
    (tmp_path / "yearly").mkdir()
    values = dataset.model_dump() | {"source": "yearly_zarr", "path": str(tmp_path / "yearly")}
    return DatasetConfig.model_validate(values)


@pytest.mark.parametrize("steady", [True, False])
def test_the_hours_are_those_of_the_archives(
    yearly: DatasetConfig, dataset: DatasetConfig, raw: Path, tmp_path: Path, steady: bool
) -> None:
    times = pd.date_range(made.START - timedelta(days=1), periods=24 * 4, freq="h")
    write_year(tmp_path / "yearly", times, steady=steady)
    found = made.ingest_into(tmp_path / "from_stores", yearly, tmp_path / "yearly")
    expected = made.ingest_into(tmp_path / "from_archives", dataset, raw)
    xr.testing.assert_allclose(open_hourly(found).load(), open_hourly(expected).load(), rtol=1e-6)


def test_hours_across_new_year_come_from_two_stores(yearly: DatasetConfig, tmp_path: Path) -> None:
    for start in (YEAR_END, YEAR_END + timedelta(days=1)):
        write_year(tmp_path / "yearly", pd.date_range(start, periods=24, freq="h"))
    local = DatasetConfig.model_validate(
        yearly.model_dump()
        | {"utc_offset_h": 8, "period": {"start": "2016-12-31", "end": "2016-12-31"}}
        | {"quality": {"limits": {name: [-1e9, 1e9] for name in HOURLY}}}  # values grow with time
    )
    store = open_hourly(made.ingest_into(tmp_path / "out", local, tmp_path / "yearly"))
    assert store["present"].all()
    for hour in (0, 15, 16, 23):
        expected = made.hour_fields(YEAR_END + timedelta(hours=hour + 8))["o3"]
        np.testing.assert_allclose(store["o3"][hour], expected, rtol=1e-6)


def test_hours_that_a_store_lacks_are_gaps(yearly: DatasetConfig, tmp_path: Path) -> None:
    times = pd.date_range(made.START, periods=48, freq="h").delete([5, 6])
    write_year(tmp_path / "yearly", times)
    store = open_hourly(made.ingest_into(tmp_path / "out", yearly, tmp_path / "yearly"))
    assert np.flatnonzero(~store["present"].values).tolist() == [5, 6]
    expected = made.hour_fields(made.START + timedelta(hours=7))["u"]
    np.testing.assert_allclose(store["u"][7], expected, rtol=1e-6)


def test_without_time_stamps_every_hour_of_the_year_must_be_there(
    yearly: DatasetConfig, tmp_path: Path
) -> None:
    path = write_year(
        tmp_path / "yearly", pd.date_range("2016-01-01", periods=30, freq="h"), stamps=False
    )
    with pytest.raises(AirshedError, match=r"(?s)no time stamps.*8784 hours.*30 hours"):
        made.ingest_into(tmp_path / "out", yearly, tmp_path / "yearly")
    assert path.exists()


def test_a_whole_year_without_time_stamps(yearly: DatasetConfig, tmp_path: Path) -> None:
    """March 1st of a leap year begins at hour 60 x 24 of its store."""
    hour = np.arange(8784)
    shape = (8784, made.ROWS, made.COLUMNS)
    cells = np.arange(made.ROWS * made.COLUMNS).reshape(made.ROWS, made.COLUMNS) / 1000
    fields = {
        name: (
            ("time", "y", "x"),
            np.broadcast_to((hour / 1e4)[:, None, None] + cells + VARIABLES[name].low + 1, shape),
        )
        for name in HOURLY
    }
    still = {name: (("y", "x"), field) for name, field in made.positions().items()}
    still |= {name: (("y", "x"), np.ones(shape[1:])) for name in ("elevation", "population")}
    xr.Dataset(fields | still).astype("float32").to_zarr(
        tmp_path / "yearly/data_2016_china_masked.zarr"
    )
    units = {name: VARIABLES[name].units for name in HOURLY}
    stated = yearly.model_copy(update={"units": units})
    store = open_hourly(made.ingest_into(tmp_path / "out", stated, tmp_path / "yearly"))
    expected = (60 * 24 + 10) / 1e4 + cells + 1
    np.testing.assert_allclose(store["o3"][10], expected, atol=1e-6)


def test_units_nobody_states_are_refused(yearly: DatasetConfig, tmp_path: Path) -> None:
    path = write_year(tmp_path / "yearly", pd.date_range(made.START, periods=48, freq="h"))
    del zarr.open_group(path)["co"].attrs["units"]
    zarr.consolidate_metadata(path)
    with pytest.raises(AirshedError, match=r"(?s)unit of a variable is unknown.*co"):
        made.ingest_into(tmp_path / "out", yearly, tmp_path / "yearly")


@pytest.mark.parametrize(("name", "said"), [("so2", "so2"), ("elevation", "elevation")])
def test_a_store_that_lacks_a_variable_is_named(
    yearly: DatasetConfig, tmp_path: Path, name: str, said: str
) -> None:
    times = pd.date_range(made.START, periods=24, freq="h")
    path = write_year(tmp_path / "yearly", times, **{name: None})
    with pytest.raises(AirshedError, match=rf"(?s)lacks a variable.*{path.name}.*{said}"):
        made.ingest_into(tmp_path / "out", yearly, tmp_path / "yearly")


def test_no_store_at_all(yearly: DatasetConfig, tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match="no yearly store"):
        made.ingest_into(tmp_path / "out", yearly, tmp_path / "yearly")


def test_a_store_whose_values_have_changed_is_another_one(
    yearly: DatasetConfig, tmp_path: Path
) -> None:
    """Also if only a chunk was written: its days are read again by an interrupted ingest."""
    store = write_year(tmp_path / "yearly", pd.date_range(made.START, periods=48, freq="h"))

    def state() -> list[Any]:
        found: list[Any] = open_source(yearly, store.parent).day(made.START.date()).fingerprint()
        return found

    before = state()
    assert state() == before
    chunk = next(path for path in sorted((store / "o3").rglob("*")) if path.name.isdigit())
    chunk = chunk if chunk.is_file() else next(path for path in chunk.rglob("*") if path.is_file())
    os.utime(chunk, ns=(0, chunk.stat().st_mtime_ns + 10**12))
    assert state() != before
