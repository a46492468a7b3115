"""Hourly NetCDF files in which something is wrong, through ``airshed ingest`` and ``inspect``.

Some that only look wrong are right, and are read right.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import netCDF4
import numpy as np
import pytest
import raw_files as made
import xarray as xr
from made_study import ingest_command, write_override, write_study
from refusals import airshed, refused

from airshed.data.stores import open_hourly
from airshed.variables import HOURLY, VARIABLES

TIME = made.START + timedelta(hours=1)
Change = Callable[[netCDF4.Dataset], None]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def changed(change: Change, time: datetime = TIME) -> bytes:
    """A whole file of an hour, and what a function does to it."""
    source = netCDF4.Dataset("source", memory=made.whole_hour(time))
    file = netCDF4.Dataset("made", "w", memory=1 << 16)
    for name, dimension in source.dimensions.items():
        file.createDimension(name, len(dimension))
    for name, variable in source.variables.items():
        copy = file.createVariable(name, "f8", variable.dimensions, fill_value=-999.0)
        copy[:] = variable[:]
        copy.units = variable.units
    source.close()
    change(file)
    return bytes(file.close())


def fields(**changes: Any) -> bytes:
    """A file with other values; None leaves a variable out."""
    values = made.hour_fields(TIME) | made.positions() | changes
    return made.netcdf({name: field for name, field in values.items() if field is not None})


@cache
def whole_on_disk() -> bytes:
    """A whole file as the library writes it to a disk, without room to grow."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "whole.nc"
        values = made.hour_fields(TIME) | made.positions()
        dataset = xr.Dataset({name: (("y", "x"), values[name]) for name in values})
        for name in values:
            dataset[name].attrs["units"] = VARIABLES[name].units
        dataset.to_netcdf(path)
        return path.read_bytes()


def field(name: str) -> np.ndarray:
    return (made.hour_fields(TIME) | made.positions())[name].copy()


def with_value(name: str, value: float, cell: tuple[int, int] = (2, 3)) -> bytes:
    values = field(name)
    values[cell] = value
    return fields(**{name: values})


def units(name: str, text: Any) -> bytes:
    return changed(lambda file: file.variables[name].setncattr("units", text))


def instead(name: str, dtype: Any, dimensions: tuple[str, ...], **sizes: int) -> bytes:
    """A file with another variable under a name; it holds no value."""

    def change(file: netCDF4.Dataset) -> None:
        for dimension, size in sizes.items():
            file.createDimension(dimension, size)
        file.renameVariable(name, "former")
        file.createVariable(name, dtype, dimensions).units = VARIABLES[name].units

    return changed(change)


def turned(name: str) -> bytes:
    """On a square grid, one variable with its dimensions exchanged: no size tells."""
    file = netCDF4.Dataset("made", "w", memory=1 << 16)
    for dimension in ("y", "x"):
        file.createDimension(dimension, made.ROWS)
    for each, values in (made.hour_fields(TIME) | made.positions()).items():
        order = ("x", "y") if each == name else ("y", "x")
        file.createVariable(each, "f8", order)[:] = values[:, : made.ROWS]
        file.variables[each].units = VARIABLES[each].units
    return bytes(file.close())


def with_time(units_text: str, value: float) -> bytes:
    def change(file: netCDF4.Dataset) -> None:
        file.createVariable("time", "f8", ())[...] = value
        file.variables["time"].units = units_text

    return changed(change)


def twice(file: netCDF4.Dataset) -> None:
    file.renameVariable("u", "u10")
    file.createVariable("uwind", "f8", ("y", "x"))[:] = 1.0


def packed(**attributes: Any) -> Change:
    """Temperature as 16-bit integers."""

    def change(file: netCDF4.Dataset) -> None:
        kelvin = file.variables["temp"][:]
        file.renameVariable("temp", "former")
        stored = file.createVariable("temp", "i2", ("y", "x"), fill_value=-32768)
        stored.setncatts({"scale_factor": 0.01, "add_offset": 273.15, "units": "K"} | attributes)
        if not attributes:
            stored[:] = kelvin

    return change


NETCDF = "a raw file is no readable NetCDF"
NO_FIELD = "a variable of a raw file is not a field of numbers"
DIMENSIONS = "a variable of a raw file has the wrong dimensions"
POSITIONS = "a raw file lacks positions of cells"
IMPOSSIBLE = "a value is physically impossible"
UNIT = "a unit cannot be converted"
TIME_SAYS = "the time in a raw file contradicts its name"

CASES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "an empty file": (lambda: b"", (NETCDF,)),
    "text": (lambda: b"<html>", (NETCDF,)),
    "a start alone": (lambda: b"\x89HDF\r\n\x1a\n", (NETCDF,)),
    "cut at a quarter": (lambda: fields()[:5000], (NETCDF,)),
    "cut by a byte": (lambda: whole_on_disk()[:-1], (NETCDF, "it is cut")),
    "cut to a half": (lambda: whole_on_disk()[: len(whole_on_disk()) // 2], (NETCDF, "it is cut")),
    "cut in the middle": (lambda: fields()[:12_000], (NETCDF,)),
    **{
        f"without {name}": (
            lambda name=name: fields(**{name: None}),
            ("a raw file lacks a variable", f"expected: {name}"),
        )
        for name in (*HOURLY, "lat2d", "lon2d")
    },
    "two names of one variable": (
        lambda: changed(twice),
        ("two variables of a raw file stand for the same", "u10, uwind"),
    ),
    "dimensions exchanged": (
        lambda: instead("no2", "f8", ("x", "y")),
        ("order of their dimensions", "variable no2", "x, y"),
    ),
    "dimensions of other sizes": (
        lambda: instead("no2", "f8", ("a", "b"), a=6, b=4),
        ("differ in shape", "variable no2", "(6, 4)", "(4, 6)"),
    ),
    "dimensions exchanged on a square": (
        lambda: turned("so2"),
        ("order of their dimensions", "variable so2", "x, y"),
    ),
    "positions on one axis": (
        lambda: instead("lat2d", "f8", ("y",)),
        (DIMENSIONS, "lat2d", "('y',)"),
    ),
    "two hours in one file": (
        lambda: instead("pm25", "f8", ("t", "y", "x"), t=2),
        (DIMENSIONS, "pm25", "(2, 4, 6)"),
    ),
    "levels": (
        lambda: instead("o3", "f8", ("t", "z", "y", "x"), t=1, z=3),
        (DIMENSIONS, "o3", "(1, 3, 4, 6)"),
    ),
    "a single number": (lambda: instead("co", "f8", ()), (DIMENSIONS, "co", "()")),
    "no cell": (lambda: instead("rh", "f8", ("none",), none=0), (NO_FIELD, "rh", "(0,)")),
    "a trillion cells": (
        lambda: instead("u", "f8", ("a", "b"), a=10**6, b=10**6),
        (NO_FIELD, ", u", "(1000000, 1000000)"),
    ),
    "text in place of numbers": (lambda: instead("v", str, ("y", "x")), (NO_FIELD, ", v", "str")),
    "letters in place of numbers": (
        lambda: instead("psfc", "S1", ("y", "x")),
        (NO_FIELD, "psfc", "S1"),
    ),
    "packed by a word": (
        lambda: changed(packed(scale_factor="small")),
        (NO_FIELD, "temp", "int16"),
    ),
    "a unit of something else": (lambda: units("u", "K"), (UNIT, "variable u", "K", "m s-1")),
    "an unknown unit": (lambda: units("o3", "spoons"), (UNIT, "variable o3", "spoons")),
    "a mixing ratio of particles": (
        lambda: units("pm10", "ppb"),
        (UNIT, "variable pm10", "ppb", "ug m-3"),
    ),
    "a gas by volume, of another power": (
        lambda: units("so2", "mol mol-1"),
        (IMPOSSIBLE, "variable so2"),
    ),
    "an empty unit": (lambda: units("no2", ""), (UNIT, "variable no2")),
    "a unit that is a number": (lambda: units("rh", 5), ("not a text", "rh", "5")),
    "a unit that is a list": (lambda: units("rh", [1, 2]), ("not a text", "rh", "[1, 2]")),
    "a unit that is a calculation": (
        lambda: units("v", "9**9**9**9"),
        (UNIT, "variable v", "9**9**9**9"),
    ),
    "a unit of a thousand letters": (lambda: units("v", "m" * 1000), (UNIT, "variable v", "mmm")),
    "a unit with brackets": (lambda: units("v", "(((("), (UNIT, "variable v", "((((")),
    "infinity": (lambda: with_value("pm10", np.inf), (IMPOSSIBLE, "pm10", "row 2, column 3")),
    "minus infinity": (lambda: with_value("temp", -np.inf), (IMPOSSIBLE, "temp", "-inf")),
    "an undeclared missing value": (lambda: with_value("co", -9999), (IMPOSSIBLE, "co", "-9999")),
    "a huge value": (lambda: with_value("u", 1e30), (IMPOSSIBLE, "variable u", "1e+30")),
    "degrees Celsius called Kelvin": (
        lambda: fields(temp=field("temp") - 273.15),
        (IMPOSSIBLE, "temp", "190 to 340 K"),
    ),
    "hectopascals called pascals": (
        lambda: fields(psfc=field("psfc") / 100),
        (IMPOSSIBLE, "psfc", "40000 to 110000 Pa"),
    ),
    "the same everywhere": (
        lambda: fields(so2=np.full((made.ROWS, made.COLUMNS), 5.0)),
        ("same value everywhere", "so2", "5 ug m-3"),
    ),
    "a position that is missing": (lambda: with_value("lat2d", np.nan), (POSITIONS, "lat2d")),
    "a position that is infinite": (lambda: with_value("lon2d", np.inf), (POSITIONS, "inf")),
    "latitude and longitude exchanged": (
        lambda: fields(lat2d=field("lon2d"), lon2d=field("lat2d")),
        (POSITIONS, "lat2d", "100", "exchanged"),
    ),
    "every cell at one place": (
        lambda: fields(lat2d=np.full((4, 6), 30.0)),
        (POSITIONS, "lat2d", "the same in all"),
    ),
    "the time of another day": (
        lambda: with_time("hours since 2016-03-02 00:00:00", 1),
        (TIME_SAYS, "2016-03-01 01:00:00", "2016-03-02 01:00:00"),
    ),
    "a time zone that is not stated": (
        lambda: with_time("hours since 2016-03-01 00:00:00 +08:00", 1),
        (TIME_SAYS, "2016-02-29 17:00:00", "utc_offset_h: 8"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_is_refused_and_named(study: Path, tmp_path: Path, case: str) -> None:
    make, said = CASES[case]
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    (raw / made.member(TIME)).write_bytes(make())
    refused(tmp_path, ingest_command(study, raw, out), raw / made.member(TIME), *said)
    code, text = airshed("inspect", raw, "--config", study, "--all")
    assert code == 1
    assert said[0] in text


SECOND: dict[str, tuple[Callable[[], bytes], dict[str, Any], tuple[str, ...]]] = {
    "a grid that is moved": (
        lambda: fields(lon2d=field("lon2d") + 0.01),
        {},
        ("another grid", "100.010 E"),
    ),
    "a grid turned upside down": (
        lambda: fields(lat2d=field("lat2d")[::-1]),
        {},
        ("another grid", "33.000 N"),
    ),
    "a smaller grid": (
        lambda: made.netcdf({name: field(name)[:, :5] for name in (*HOURLY, "lat2d", "lon2d")}),
        {},
        ("another grid", "(4, 5)"),
    ),
    "a grid with a hole": (lambda: with_value("lat2d", np.nan), {}, ("another grid", "30.000")),
    "no value of a variable, refused": (
        lambda: fields(no2=np.full((made.ROWS, made.COLUMNS), np.nan)),
        {"missing_hours": "refuse", "missing_cells": "mask"},
        ("hours are missing", "2016-03-01", "1,"),
    ),
    "a value lost, refused": (
        lambda: with_value("no2", np.nan),
        {"missing_cells": "refuse"},
        ("lacks values", "no2", "row 2, column 3"),
    ),
    "an hour that is missing, refused": (
        lambda: fields(),
        {"missing_hours": "refuse"},
        ("hours are missing", "2016-03-01", "2, 3, 4"),
    ),
}


@pytest.mark.parametrize("case", SECOND)
def test_a_file_that_does_not_fit_the_first_one(study: Path, tmp_path: Path, case: str) -> None:
    make, quality, said = SECOND[case]
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    (raw / made.member(made.START)).write_bytes(made.whole_hour(made.START))
    (raw / made.member(TIME)).write_bytes(make())
    chosen = write_override(tmp_path / "study.yaml", study, quality=quality)
    refused(tmp_path, ingest_command(chosen, raw, out), *said)


FILES: dict[str, tuple[dict[str, bytes], dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, {}, ("no raw archives were found", "CN-Reanalysis20150101")),
    "others": ({"pm25.nc": b""}, {}, ("no raw archives were found",)),
    "a day that does not exist": ({"CN-Reanalysis20150229.zip": b""}, {}, ("20150229",)),
    "an hour that does not exist": ({"CN-Reanalysis2016030124.nc": b""}, {}, ("2016030124",)),
    "another period": (
        {made.member(datetime(2017, 1, 1)): b""},
        {},
        ("no hour of the period", "20160301", "2017-01-01"),
    ),
    "a day as archive and as files": (
        {made.member(made.START): b"", "CN-Reanalysis20160301.zip": b""},
        {},
        ("a day is there more than once", "2016-03-01", ".zip"),
    ),
    "an hour in two folders": (
        {f"{name}/{made.member(made.START)}": made.whole_hour(made.START) for name in "ab"},
        {},
        ("an hour is there twice", "b/CN-Reanalysis2016030100.nc"),
    ),
    "a crop outside": (
        {made.member(made.START): made.whole_hour(made.START)},
        {"crop": {"rows": [0, 9], "columns": [0, 6]}},
        ("dataset.crop", "at most 4 rows", "rows to 9"),
    ),
    "a box elsewhere": (
        {made.member(made.START): made.whole_hour(made.START)},
        {"box": {"south": -30, "north": -20, "west": 0, "east": 10}},
        ("dataset.box", "30.0 to 33.0 N", "-30"),
    ),
    "a grid finer than the data": (
        {made.member(made.START): made.whole_hour(made.START)},
        {"grid": {"rows": 8, "columns": 6}},
        ("dataset.grid", "at most 4 x 6", "8 x 6"),
    ),
    "units that contradict": (
        {made.member(made.START): made.whole_hour(made.START)},
        {"units": {"co": "ug m-3"}},
        ("contradicts", "dataset.units.co", "mg m-3"),
    ),
    "an unknown configured unit": (
        {made.member(made.START): made.whole_hour(made.START)},
        {"units": {"co": "spoons"}},
        ("a unit cannot be converted", "dataset.units.co", "spoons"),
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_do_not_fit_the_study(study: Path, tmp_path: Path, case: str) -> None:
    files, dataset, said = FILES[case]
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    for name, content in files.items():
        (raw / name).parent.mkdir(exist_ok=True)
        (raw / name).write_bytes(content)
    chosen = write_override(tmp_path / "study.yaml", study, **dataset)
    refused(tmp_path, ingest_command(chosen, raw, out), *said)


def ingested(study: Path, folder: Path, files: dict[str, bytes], **dataset: Any) -> xr.Dataset:
    raw, out = folder / "raw", folder / "out"
    raw.mkdir()
    out.mkdir()
    for name, content in files.items():
        (raw / name).write_bytes(content)
    chosen = write_override(folder / "study.yaml", study, **dataset)
    code, said = airshed(*ingest_command(chosen, raw, out))
    assert code == 0, said
    return open_hourly(out / "hourly.zarr").load()


def test_a_file_as_it_is_on_a_disk_is_read(study: Path, tmp_path: Path) -> None:
    store = ingested(study, tmp_path, {made.member(TIME): whole_on_disk()})
    np.testing.assert_allclose(store["o3"].isel(time=1), field("o3"), rtol=1e-6)


def test_packed_integers_are_read_right(study: Path, tmp_path: Path) -> None:
    store = ingested(study, tmp_path, {made.member(TIME): changed(packed())})
    found = store["temp"].isel(time=1)
    np.testing.assert_allclose(found, field("temp"), atol=0.006)  # half of the step, and float32
    assert np.isnan(found[made.MISSING_CELL])


def test_a_leap_day_is_a_day(study: Path, tmp_path: Path) -> None:
    time = datetime(2016, 2, 29, 23)
    period = {"period": {"start": "2016-02-28", "end": "2016-03-03"}}
    store = ingested(study, tmp_path, {made.member(time): made.whole_hour(time)}, **period)
    assert store.sizes["time"] == 5 * 24
    assert store["time"][np.flatnonzero(store["present"])].values == np.datetime64(time)
    np.testing.assert_allclose(store["o3"].sel(time=time), made.hour_fields(time)["o3"], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hours since 2016-03-01 00:00:00 +08:00", 1),  # 17 UTC of the day before
        ("hours since 2016-02-29 00:00:00", 17),  # the same in UTC
        ("hours since 2016-03-01 00:00:00", 1),  # by the clock of the names
    ],
)
def test_a_time_zone_that_is_stated_is_kept(
    study: Path, tmp_path: Path, text: str, value: float
) -> None:
    period = {"start": "2016-02-29", "end": "2016-03-03"}
    content = with_time(text, value)
    store = ingested(study, tmp_path, {made.member(TIME): content}, utc_offset_h=8, period=period)
    assert np.flatnonzero(store["present"]).tolist() == [17]


def test_hours_in_any_order_come_to_their_places(study: Path, tmp_path: Path) -> None:
    times = [made.START + timedelta(hours=hour) for hour in (5, 2, 7)]
    store = ingested(study, tmp_path, {made.member(time): made.whole_hour(time) for time in times})
    assert np.flatnonzero(store["present"]).tolist() == [2, 5, 7]
    for time in times:
        expected = made.hour_fields(time)["pm25"]
        np.testing.assert_allclose(store["pm25"].sel(time=time), expected, rtol=1e-6)
