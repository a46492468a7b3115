"""From archives to the hourly store, with everything that can be wrong with archives."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raw_files as made
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError
from airshed.variables import HOURLY, VARIABLES


def run(dataset: DatasetConfig, raw: Path, workers: int = 1) -> tuple[xr.Dataset, dict[str, Any]]:
    hourly = made.ingest_into(raw.parent / "out", dataset, raw, workers)
    report = json.loads((raw.parent / "out" / "ingest.json").read_text())
    return open_hourly(hourly).load(), report


def replace_hour(raw: Path, hour: int, content: bytes | None) -> None:
    """Change one hour of the first day, or leave it out."""
    members = made.day_members(made.START)
    name = made.member(made.START + timedelta(hours=hour))
    if content is None:
        del members[name]
    else:
        members[name] = content
    made.write_archive(raw / "201603/CN-Reanalysis20160301.tar.gz", members)


def refused(dataset: DatasetConfig, raw: Path) -> str:
    """The message; nothing may be left under the final names."""
    with pytest.raises(AirshedError) as caught:
        run(dataset, raw)
    out = raw.parent / "out"
    assert not (out / "hourly.zarr").exists()
    assert not (out / "ingest.json").exists()
    return str(caught.value)


def hour_nine(**changes: Any) -> bytes:
    time = made.START + timedelta(hours=9)
    content: bytes = made.netcdf(made.hour_fields(time) | made.positions(), **changes)
    return content


@pytest.mark.parametrize("workers", [1, 2])
def test_every_value_arrives_at_its_hour_and_cell(
    dataset: DatasetConfig, raw: Path, workers: int
) -> None:
    store, report = run(dataset, raw, workers)
    assert store.sizes == {"time": 48, "y": made.ROWS, "x": made.COLUMNS}
    assert store["present"].all()
    for hour in (0, 13, 24, 47):
        expected = made.hour_fields(made.START + timedelta(hours=hour))
        for name in HOURLY:
            found = store[name].sel(time=np.datetime64(made.START) + np.timedelta64(hour, "h"))
            np.testing.assert_allclose(found, expected[name], rtol=1e-6)
    np.testing.assert_allclose(store["lat2d"], made.positions()["lat2d"], atol=1e-9)
    assert (report["hours_expected"], report["hours_present"], report["gaps"]) == (48, 48, [])
    first, last = (made.hour_fields(made.START + timedelta(hours=hour)) for hour in (0, 47))
    assert report["variables"]["co"]["min"] == pytest.approx(np.nanmin(first["co"]))
    assert report["variables"]["co"]["max"] == pytest.approx(np.nanmax(last["co"]))


@pytest.mark.parametrize("form", ["{}.tar", "{}.zip", "{}", "flat", "link"])
def test_all_forms_of_archives_give_the_same(
    dataset: DatasetConfig, raw: Path, tmp_path: Path, ingested: xr.Dataset, form: str
) -> None:
    other = tmp_path / "other" / "raw"
    if form == "link":  # a month folder that lies elsewhere, and a way back to where it began
        other.mkdir(parents=True)
        (raw / "201603/back").symlink_to(other)
        (other / "201603").symlink_to(raw / "201603")
    for number in range(2 if form != "link" else 0):
        day = made.START + timedelta(days=number)
        name = f"CN-Reanalysis{day:%Y%m%d}"
        members = made.day_members(day)
        if form == "flat":
            other.mkdir(parents=True, exist_ok=True)
            for member, content in members.items():
                (other / member).write_bytes(content)
        else:
            made.write_archive(other / form.format(name), members)
    found, _ = run(dataset, other)
    xr.testing.assert_identical(found, ingested)


def test_a_missing_hour_is_a_gap_and_shifts_nothing(
    dataset: DatasetConfig, raw: Path, ingested: xr.Dataset
) -> None:
    members = made.day_members(made.START)
    for hour in (9, 10):
        del members[made.member(made.START + timedelta(hours=hour))]
    made.write_archive(raw / "201603/CN-Reanalysis20160301.tar.gz", members)
    store, report = run(dataset, raw)
    assert np.flatnonzero(~store["present"].values).tolist() == [9, 10]
    assert report["hours_present"] == 46
    assert report["gaps"] == [
        {
            "start": "2016-03-01T09:00:00",
            "end": "2016-03-01T10:00:00",
            "hours": 2,
            "reason": "not in the archives",
        }
    ]
    kept = [hour for hour in range(48) if hour not in (9, 10)]
    xr.testing.assert_equal(store.isel(time=kept), ingested.isel(time=kept))
    assert store["pm25"].isel(time=9).isnull().all()


def test_a_missing_archive_is_a_gap_of_a_day(dataset: DatasetConfig, raw: Path) -> None:
    (raw / "201603/CN-Reanalysis20160302.tar.gz").unlink()
    store, report = run(dataset, raw)
    assert store["present"].values.tolist() == [True] * 24 + [False] * 24
    assert [gap["hours"] for gap in report["gaps"]] == [24]


def test_an_hour_without_a_value_of_one_variable_is_a_gap(
    dataset: DatasetConfig, raw: Path
) -> None:
    fields = made.hour_fields(made.START + timedelta(hours=9))
    fields["so2"] = np.full((made.ROWS, made.COLUMNS), np.nan)
    replace_hour(raw, 9, made.netcdf(fields | made.positions()))
    store, report = run(dataset, raw)
    assert not store["present"][9]
    assert report["gaps"][0]["reason"] == "no value of so2"


def test_units_are_converted(dataset: DatasetConfig, raw: Path) -> None:
    fields = made.hour_fields(made.START + timedelta(hours=9))
    other = fields | {
        "co": fields["co"] * 1000,
        "psfc": fields["psfc"] / 100,
        "temp": fields["temp"] - 273.15,
        "u": fields["u"] * 3.6,
    }
    units = {"co": "ug/m3", "psfc": "hPa", "temp": "degC", "u": "km/h"}
    replace_hour(raw, 9, made.netcdf(other | made.positions(), units))
    store, _ = run(dataset, raw)
    for name in ("co", "psfc", "temp", "u"):
        np.testing.assert_allclose(store[name][9], fields[name], rtol=1e-6)


def test_a_gas_in_ppb_becomes_a_concentration_with_the_air_of_its_hour(
    dataset: DatasetConfig, raw: Path
) -> None:
    """By the molar gas constant: c = x p M / (R T), with the air that the file itself has."""
    fields = made.hour_fields(made.START) | made.positions()
    fields["o3"] = np.full_like(fields["o3"], 40.0) + fields["rh"] / 100
    ppb = fields["o3"].copy()
    celsius = fields | {"temp": fields["temp"] - 273.15}
    replace_hour(raw, 0, made.netcdf(celsius, units={"o3": "ppb", "temp": "degC"}))
    store, report = run(dataset, raw)
    expected = ppb * 1e-9 * fields["psfc"] * 47.9982e-3 / (8.314463 * fields["temp"]) * 1e9
    np.testing.assert_allclose(store["o3"][0], expected, rtol=1e-4)  # 287.05 is rounded
    np.testing.assert_allclose(store["temp"][0], fields["temp"], rtol=1e-6)
    assert report["conversions"] == {
        "o3": "o3 [ppb], times the density of dry air at psfc and temp and 47.9982 / 28.9647"
    }


def test_ppb_without_the_air_is_refused(dataset: DatasetConfig, raw: Path) -> None:
    """The study says ppb, and its hours hold no temperature."""
    without = {"psfc", "temp"}
    hours = tuple(name for name in HOURLY if name not in without)
    own = {"hourly": hours, "units": {"o3": "ppb"}, "units_override": ("o3",)}
    fields = made.hour_fields(made.START) | made.positions()
    kept = {name: field for name, field in fields.items() if name not in without}
    replace_hour(raw, 0, made.netcdf(kept))
    message = refused(dataset.model_copy(update=own), raw)
    for part in (
        "mixing ratio needs temperature and pressure",
        "variable o3",
        "no psfc and no temp",
    ):
        assert part in message


def test_units_of_the_configuration_serve_files_without_any(
    dataset: DatasetConfig, raw: Path
) -> None:
    no_units = dict.fromkeys(HOURLY)
    for number in range(2):
        day = made.START + timedelta(days=number)
        members = made.day_members(
            day,
            lambda time: made.netcdf(
                made.hour_fields(time)
                | {"co": 1000 * made.hour_fields(time)["co"]}
                | made.positions(),
                no_units,
            ),
        )
        made.write_archive(raw / f"201603/CN-Reanalysis{day:%Y%m%d}.tar.gz", members)
    assert "dataset.units" in refused(dataset, raw)
    units = {name: VARIABLES[name].units for name in HOURLY} | {"co": "ug m-3"}
    store, _ = run(dataset.model_copy(update={"units": units}), raw)
    np.testing.assert_allclose(store["co"][0], made.hour_fields(made.START)["co"], rtol=1e-6)


def with_ammonia(dataset: DatasetConfig, **changes: Any) -> DatasetConfig:
    """A dataset of four fields; one is not in the dictionary, another has a name of its own."""
    described = {
        "nh3": {"standard_name": "ammonia", "units": "ug m-3", "limits": [0, 50]} | changes,
        "pm25": {"aliases": ["PM2_5_DRY"]},
    }
    given = {"hourly": ["nh3", "u", "v", "pm25"], "variables": described, "precision": "float16"}
    return DatasetConfig.model_validate(dataset.model_dump() | given)


def ammonia_hour(time: datetime) -> bytes:
    """Of the usual fields three are there, and ammonia in another unit."""
    fields = made.hour_fields(time)
    kept = {"u": fields["u"], "v": fields["v"], "pm2_5_dry": fields["pm25"]}
    content: bytes = made.netcdf(
        kept | {"NH3": 0.01 * fields["co"]} | made.positions(),
        {"NH3": "mg m-3", "pm2_5_dry": "ug m-3"},
    )
    return content


def write_ammonia(raw: Path) -> None:
    for number in range(2):
        day = made.START + timedelta(days=number)
        members = made.day_members(day, ammonia_hour)
        made.write_archive(raw / f"201603/CN-Reanalysis{day:%Y%m%d}.tar.gz", members)


def test_a_dataset_leaves_out_and_adds_quantities(dataset: DatasetConfig, raw: Path) -> None:
    """Stored in half precision, whose error is at most 2**-11 of a value."""
    write_ammonia(raw)
    store, report = run(with_ammonia(dataset, limits=[0, 5000]), raw)
    assert list(report["variables"]) == ["u", "v", "pm25", "nh3"]
    fields = made.hour_fields(made.START)
    for name, expected in (("nh3", 10 * fields["co"]), ("pm25", fields["pm25"])):
        np.testing.assert_allclose(store[name][0], expected, rtol=2**-10.9)
    assert store["nh3"].attrs["standard_name"] == "ammonia"
    assert "so2" not in store


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ("physically impossible", "variable nh3", "0 to 50 ug m-3", "limits.nh3")),
        ({"units": "spoons"}, ("dataset.variables.nh3.units", "spoons")),
        ({"units": "K"}, ("cannot be converted", "nh3", "convertible to K", "mg m-3")),
    ],
)
def test_what_is_said_of_a_new_quantity_is_checked(
    dataset: DatasetConfig, raw: Path, changes: dict[str, Any], said: tuple[str, ...]
) -> None:
    write_ammonia(raw)
    message = refused(with_ammonia(dataset, **changes), raw)
    assert all(part in message for part in said), message


def test_a_file_without_a_field_of_the_dataset_says_where_to_look(
    dataset: DatasetConfig, raw: Path
) -> None:
    message = refused(with_ammonia(dataset), raw)
    assert "expected: nh3" in message
    assert "aliases in dataset.variables" in message
    assert "out of dataset.hourly" in message


def broken_cases() -> dict[str, tuple[bytes, tuple[str, ...]]]:
    time = made.START + timedelta(hours=9)
    fields = made.hour_fields(time) | made.positions()
    without = {name: values for name, values in fields.items() if name != "no2"}
    huge = {name: values.copy() for name, values in fields.items()}
    huge["psfc"][2, 3] = 1e7
    infinite = {name: values.copy() for name, values in fields.items()}
    infinite["pm25"][1, 1] = np.inf
    moved = fields | {"lon2d": fields["lon2d"] + 1}
    return {
        "missing variable": (made.netcdf(without), ("no2",)),
        "wrong unit": (made.netcdf(fields, {"co": "K"}), ("co", "mg m-3", "K")),
        "unknown unit": (made.netcdf(fields, {"co": "spoons"}), ("co", "spoons")),
        "impossible value": (made.netcdf(huge), ("psfc", "row 2, column 3", "110000")),
        "infinity": (made.netcdf(infinite), ("pm25", "inf")),
        "other grid": (made.netcdf(moved), ("grid", "101.000")),
        "no NetCDF": (b"nonsense", ("NetCDF",)),
        "truncated": (made.netcdf(fields)[:3000], ("NetCDF",)),
    }


@pytest.mark.parametrize("case", broken_cases())
def test_a_broken_file_stops_the_run_and_is_named(
    dataset: DatasetConfig, raw: Path, case: str
) -> None:
    content, expected = broken_cases()[case]
    replace_hour(raw, 9, content)
    message = refused(dataset, raw)
    for part in ("CN-Reanalysis20160301.tar.gz", "2016030109", *expected):
        assert part in message


def test_a_unit_attribute_that_contradicts_the_configuration_stops_the_run(
    dataset: DatasetConfig, raw: Path
) -> None:
    message = refused(dataset.model_copy(update={"units": {"co": "ug m-3"}}), raw)
    assert "contradicts" in message
    assert "dataset.units.co" in message
    assert "mg m-3" in message
    same = dataset.model_copy(update={"units": {"co": "mg/m3", "psfc": "Pa"}})
    run(same, raw)  # another spelling is no contradiction
    wrong = dataset.model_copy(
        update={"units": dataset.units | {"co": "ug m-3"}, "units_override": ("co",)}
    )
    right, taken = (run(each, raw)[0]["co"] for each in (same, wrong))
    np.testing.assert_allclose(taken, right / 1000, rtol=1e-6)  # what the file says does not count


def test_a_truncated_archive_is_named(dataset: DatasetConfig, raw: Path) -> None:
    path = raw / "201603/CN-Reanalysis20160302.tar.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    assert "CN-Reanalysis20160302.tar.gz" in refused(dataset, raw)


@pytest.mark.parametrize("name", ["../CN-Reanalysis2016030100.nc", "/CN-Reanalysis2016030100.nc"])
def test_unsafe_members_are_refused(dataset: DatasetConfig, raw: Path, name: str) -> None:
    made.write_archive(raw / "201603/CN-Reanalysis20160301.tar.gz", {name: b""})
    assert name in refused(dataset, raw)


def test_links_in_archives_are_refused(dataset: DatasetConfig, raw: Path) -> None:
    path = raw / "201603/CN-Reanalysis20160301.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("CN-Reanalysis2016030100.nc")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link, io.BytesIO())
    assert "unsafe" in refused(dataset, raw)


def test_no_archives_and_another_period(dataset: DatasetConfig, raw: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty" / "raw"
    empty.mkdir(parents=True)
    assert str(empty) in refused(dataset, empty)
    period = {"start": "2020-01-01", "end": "2020-01-02"}
    later = DatasetConfig.model_validate(dataset.model_dump() | {"period": period})
    assert "dataset.period" in refused(later, raw)


def test_local_time_is_brought_to_utc(dataset: DatasetConfig, raw: Path) -> None:
    store, report = run(dataset.model_copy(update={"utc_offset_h": 8.0}), raw)
    at_eight = made.hour_fields(made.START + timedelta(hours=8))  # 08 local is 00 UTC
    np.testing.assert_allclose(store["o3"][0], at_eight["o3"], rtol=1e-6)
    assert report["gaps"] == [
        {
            "start": "2016-03-02T16:00:00",
            "end": "2016-03-02T23:00:00",
            "hours": 8,
            "reason": "not in the archives",
        }
    ]
