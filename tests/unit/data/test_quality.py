"""What is wrong with raw hours: refused or masked, and counted by month and variable."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import raw_files as made
import xarray as xr
from pydantic import ValidationError

from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import QualityConfig
from airshed.data.native import NativeGrid
from airshed.data.quality import check_hour
from airshed.data.rawhour import RawHour
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError
from airshed.variables import CAQRA, HOURLY, VARIABLES

NINE = made.START + timedelta(hours=9)
CELLS = made.ROWS * made.COLUMNS


def spoiled(name: str, change: Any) -> bytes:
    """The raw file of nine o'clock with one field changed."""
    fields = made.hour_fields(NINE)
    fields[name] = change(fields[name].copy())
    content: bytes = made.netcdf(fields | made.positions())
    return content


def put(cells: Any, value: float) -> Any:
    def change(field: np.ndarray) -> np.ndarray:
        field[cells] = value
        return field

    return change


def ingested(
    dataset: DatasetConfig, raw: Path, quality: dict[str, Any]
) -> tuple[xr.Dataset, pd.DataFrame]:
    config = QualityConfig.model_validate(quality)
    hourly = made.ingest_into(
        raw.parent / "out", dataset.model_copy(update={"quality": config}), raw
    )
    table = pd.read_csv(raw.parent / "out" / "quality.csv").set_index("variable")
    return open_hourly(hourly).load(), table


def replace_nine(raw: Path, content: bytes) -> None:
    members = made.day_members(made.START) | {made.member(NINE): content}
    made.write_archive(raw / "201603/CN-Reanalysis20160301.tar.gz", members)


def test_good_data_have_nothing_to_count(dataset: DatasetConfig, raw: Path) -> None:
    store, table = ingested(dataset, raw, {})
    assert table["month"].unique().tolist() == ["2016-03"]
    assert table.index.tolist() == list(HOURLY)
    assert (table["hours_expected"] == 48).all()
    counted = [name for name in table.columns if name.startswith(("hours_m", "hours_d", "cells"))]
    assert not table[counted].to_numpy().any()
    for name in HOURLY:
        assert table.loc[name, "mean"] == pytest.approx(float(store[name].mean()), rel=1e-5)
        assert table.loc[name, "max"] == pytest.approx(float(store[name].max()), rel=1e-5)


def test_implausible_values_are_masked_and_counted(dataset: DatasetConfig, raw: Path) -> None:
    replace_nine(raw, spoiled("psfc", put(([1, 2], [3, 3]), 1e7)))
    clean, _ = ingested(dataset, raw, {"implausible_values": "mask"})
    assert clean["present"].all()
    missing = np.argwhere(np.isnan(clean["psfc"].values[9]))
    assert missing.tolist() == [[0, 0], [1, 3], [2, 3]]
    assert not np.isnan(clean["psfc"].values[10, 1, 3])
    assert not np.isnan(clean["temp"].values[9, 1, 3])
    _, table = ingested(dataset, raw, {"implausible_values": "mask"})
    assert table["cells_implausible"].to_dict() == dict.fromkeys(HOURLY, 0) | {"psfc": 2}


def test_infinite_values_count_as_implausible(dataset: DatasetConfig, raw: Path) -> None:
    replace_nine(raw, spoiled("o3", put((1, 1), -np.inf)))
    store, table = ingested(dataset, raw, {"implausible_values": "mask"})
    assert np.isnan(store["o3"].values[9, 1, 1])
    assert table.loc["o3", "cells_implausible"] == 1
    assert np.isfinite(table.loc["o3", "min"])


def test_limits_of_the_configuration_take_the_place_of_the_known_ones(
    dataset: DatasetConfig, raw: Path
) -> None:
    highest = float(np.nanmax(made.hour_fields(made.START + timedelta(hours=47))["pm25"]))
    ingested(dataset, raw, {"limits": {"pm25": [0, highest + 1]}})
    with pytest.raises(AirshedError, match=r"(?s)pm25.*dataset\.quality\.limits\.pm25"):
        ingested(dataset, raw, {"limits": {"pm25": [0, highest - 1]}})


def test_real_extremes_are_let_through() -> None:
    """Kong et al. 2021: daily means reached these; hourly values go further."""
    extremes = {"pm25": 311, "pm10": 401, "so2": 199, "no2": 111, "co": 12.4, "psfc": 46_100}
    for factor in (1, 3):
        for name, value in extremes.items():
            low, high = QualityConfig().bounds(VARIABLES[name])
            assert low <= (value if name == "psfc" else factor * value) <= high


@pytest.mark.parametrize(
    ("policy", "name", "change", "said"),
    [
        ("constant_fields", "so2", put(slice(None), 5.0), "same value everywhere"),
        ("missing_cells", "no2", put((2, 4), np.nan), "row 2, column 4"),
        ("missing_hours", "co", put(slice(None), np.nan), "hours are missing"),
    ],
)
def test_what_the_configuration_refuses_stops_the_run(
    dataset: DatasetConfig, raw: Path, policy: str, name: str, change: Any, said: str
) -> None:
    replace_nine(raw, spoiled(name, change))
    with pytest.raises(AirshedError) as caught:
        ingested(dataset, raw, {policy: "refuse"})
    assert said in str(caught.value)
    assert f"dataset.quality.{policy}" in str(caught.value)
    assert not (raw.parent / "out" / "hourly.zarr").exists()
    assert not (raw.parent / "out" / "quality.csv").exists()
    ingested(dataset, raw, {policy: "mask"})


def test_a_constant_field_makes_its_hour_missing(dataset: DatasetConfig, raw: Path) -> None:
    replace_nine(raw, spoiled("so2", put(slice(None), 5.0)))
    store, table = ingested(dataset, raw, {"constant_fields": "mask"})
    assert np.flatnonzero(~store["present"].values).tolist() == [9]
    assert table["hours_constant"].to_dict() == dict.fromkeys(HOURLY, 0) | {"so2": 1}
    assert (table["hours_missing"] == 1).all()


def test_lost_cells_are_counted_and_known_ones_outside_are_not(
    dataset: DatasetConfig, raw: Path
) -> None:
    replace_nine(raw, spoiled("no2", put(([2, 3], [4, 5]), np.nan)))
    store, table = ingested(dataset, raw, {})
    assert store["present"].all()
    assert table["cells_missing"].to_dict() == dict.fromkeys(HOURLY, 0) | {"no2": 2}
    assert int(np.isnan(store["no2"].values[9]).sum()) == 3  # the cell that is always missing too


def test_an_hour_that_is_there_twice(dataset: DatasetConfig, raw: Path) -> None:
    """Its archive, and a loose file with other values: nobody can know which one is right."""
    (raw / made.member(NINE)).write_bytes(spoiled("o3", lambda field: field + 1))
    with pytest.raises(AirshedError, match=r"more than once|twice"):
        ingested(dataset, raw, {})
    store, table = ingested(dataset, raw, {"duplicate_hours": "mask"})
    assert np.flatnonzero(~store["present"].values).tolist() == [9]
    assert np.isnan(store["o3"].values[9]).all()
    assert (table["hours_duplicate"] == 1).all()


def test_inspection_changes_no_field_that_it_is_given() -> None:
    fields = np.stack([made.hour_fields(NINE)[name] for name in HOURLY])
    fields[HOURLY.index("rh"), 1, 1] = 500
    before = fields.copy()
    config = QualityConfig(implausible_values="mask")
    lat_deg, lon_deg = made.positions().values()
    window = np.array([0, made.ROWS, 0, made.COLUMNS])
    grid = NativeGrid(lat_deg, lon_deg, np.isfinite(fields), window)
    found = check_hour(RawHour(fields, lat_deg, lon_deg), grid, CAQRA, config, "here")
    np.testing.assert_array_equal(fields, before)
    assert np.isnan(found.fields[HOURLY.index("rh"), 1, 1])
    assert found.cells_implausible["rh"] == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limits": {"pm52": [0, 1]}}, "did you mean 'pm25'"),
        ({"limits": {"pm25": [1, 1]}}, "not below"),
        ({"implausible_values": "interpolate"}, "refuse"),
    ],
)
def test_wrong_settings_are_named(
    dataset: DatasetConfig, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        DatasetConfig.model_validate(dataset.model_dump() | {"quality": values})
