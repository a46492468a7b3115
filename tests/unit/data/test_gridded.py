"""Gridded series: the same weather from every form in which it is published."""

from __future__ import annotations

import gc
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gridded_files as made
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from raw_files import ingest_into

from airshed.config.data import DatasetConfig, Split
from airshed.data import ingest as ingest_module
from airshed.data.gridded import blocks
from airshed.data.gridded.opening import close_unless
from airshed.data.gridded.series import open_series
from airshed.data.inspect import as_text, inspect_path
from airshed.data.samples import sample_index
from airshed.data.shards import HourReader
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError
from airshed.variables import HOURLY

TWO_DAYS = made.times_of(2)
HOURS = made.times_of(1, step_h=1)
GEOS_NAMES = {"pm25": "PM25_RH35_GCC", "u": "U10M", "v": "V10M"}


def ingested(folder: Path, dataset: DatasetConfig) -> xr.Dataset:
    """The store that an ingest makes of a dataset's files."""
    (folder / "out").mkdir(exist_ok=True)
    return open_hourly(ingest_into(folder / "out", dataset, Path(str(dataset.path)))).load()


def eac4_zarr(folder: Path) -> None:
    for kind, path in made.write_eac4_new(folder / "raw", TWO_DAYS).items():
        with xr.open_dataset(path) as stored:
            stored.drop_encoding().to_zarr(folder / f"raw/{kind}.zarr", consolidated=False)
        path.unlink()


FORMS: dict[str, tuple[Callable[[Path], object], dict[str, Any], str, float]] = {
    "EAC4 new": (lambda f: made.write_eac4_new(f / "raw", TWO_DAYS), {}, "raw", 1e-5),
    "EAC4 zip": (
        lambda f: made.write_zip(f / "eac4.zip", made.write_eac4_new(f / "raw", TWO_DAYS)),
        {},
        "eac4.zip",
        1e-5,
    ),
    "EAC4 old": (
        lambda f: made.write_eac4_old(f / "raw/a.nc", TWO_DAYS, level=False),
        {},
        "",
        2e-4,
    ),
    "EAC4 old, two levels": (
        lambda f: made.write_eac4_old(f / "raw/a.nc", TWO_DAYS),
        {"gridded": {"level": {"level": 60}}},
        "raw/a.nc",
        2e-4,
    ),
    "Zarr": (eac4_zarr, {"gridded": {"level": {"model_level": 60}}}, "raw", 1e-5),
    "GEOS-CF": (
        lambda f: made.write_geos_cf(f / "raw", HOURS),
        {
            "hourly": [name for name in HOURLY if name != "pm10"],
            "utc_offset_h": 0.5,
            "gridded": {"names": GEOS_NAMES},
        },
        "raw",
        1e-5,
    ),
    "WRF-Chem": (
        lambda f: made.write_wrf_chem(f / "raw", HOURS),
        {"gridded": {"names": {"pm25": "PM2_5_DRY"}, "level": {"bottom_top": 1}}},
        "raw/wrfout_d01_*",
        1e-5,
    ),
    "CMAQ": (
        lambda f: made.write_cmaq(f / "raw", made.times_of(2, step_h=1)),
        {"gridded": {"names": {"pm25": "PM25_TOT"}}},
        "raw",
        1e-5,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_weather_that_was_written(form: str, tmp_path: Path) -> None:
    write, settings, path, tolerance = FORMS[form]
    write(tmp_path)
    hourly = form in ("GEOS-CF", "WRF-Chem", "CMAQ")
    days = 1 if form in ("GEOS-CF", "WRF-Chem") else 2
    step = {"time_step_h": 1} if hourly else {}
    store = ingested(tmp_path, made.dataset(tmp_path / path, days, **step, **settings))
    times = pd.DatetimeIndex(store["time"].values)
    assert store["present"].all()
    assert len(times) == days * (24 if hourly else 8)
    upside_down = form in ("WRF-Chem", "CMAQ")  # rows of such grids keep their order
    for name in store.attrs["hourly_fields"]:
        expected = made.truth(times)[name][:, :: -1 if upside_down else 1]
        np.testing.assert_allclose(store[name], expected, rtol=tolerance, atol=2e-4, err_msg=name)
    lon, lat = np.meshgrid(made.LON, made.LAT)
    if form == "CMAQ":
        lon, lat = made.lambert_positions()
    elif upside_down:
        lat = lat[::-1]
    np.testing.assert_allclose(store["lat2d"], lat, atol=2e-5)
    np.testing.assert_allclose(store["lon2d"], lon, atol=2e-5)


def test_conversions_and_the_step_are_told(tmp_path: Path) -> None:
    made.write_eac4_new(tmp_path / "raw", made.times_of(1))
    store = ingested(tmp_path, made.dataset(tmp_path / "raw"))
    told = json.loads((tmp_path / "out/ingest.json").read_text())
    assert told["time_step_h"] == 3
    assert (told["hours_expected"], told["source"], store.attrs["source"]) == (8, "cams", "cams")
    assert told["conversions"]["so2"].startswith("so2 [kg kg**-1], times the density of dry air")
    assert told["conversions"]["rh"] == (
        "from dew_point, temp: saturation by Alduchov and Eskridge 1996"
    )


def test_single_times_are_read_from_shards_of_eight(tmp_path: Path) -> None:
    """What training reads is what xarray reads; samples are pairs of times that are there."""
    made.write_eac4_new(tmp_path / "raw", TWO_DAYS)
    without(tmp_path / "raw/data_sfc.nc", [3])
    store = ingested(tmp_path, made.dataset(tmp_path / "raw", 2))
    reader = HourReader(tmp_path / "out/hourly.zarr", ["o3", "temp"])
    for number in (0, 7, 8, 15):
        expected = [store["o3"][number], store["temp"][number]]
        np.testing.assert_array_equal(reader.read(number), expected)
    split = Split(start=made.START.date(), end=TWO_DAYS[-1].date(), init_every_h=3)
    table = sample_index(TWO_DAYS, store["present"].values, split, [12, 24])
    assert len(table) == 2 * 8 - 2  # eight init times of the first day; that of 9 h is not there
    hours = (table["target_index"] - table["input_index"]) * 3
    np.testing.assert_array_equal(hours, table["horizon_h"])


def test_positions_come_from_a_file_that_the_study_names(tmp_path: Path) -> None:
    """CMAQ's GRIDCRO2D; positions by attributes and by that file are the same."""
    made.write_cmaq(tmp_path / "raw", HOURS)
    given = {"names": {"pm25": "PM25_TOT"}, "positions_file": str(tmp_path / "GRIDCRO2D")}
    dataset = made.dataset(tmp_path / "raw", time_step_h=1, gridded=given)
    lon, lat = made.lambert_positions()
    store = ingested(tmp_path, dataset)
    np.testing.assert_allclose(store["lat2d"], lat, atol=1e-5)
    np.testing.assert_allclose(store["lon2d"], lon, atol=1e-5)


def global_series(path: Path, west: float, *, north_first: bool, turned: bool = False) -> None:
    """A series over the whole earth, 10 degrees, whose values tell where they are."""
    lat = np.arange(-85.0, 86, 10)[:: -1 if north_first else 1]
    lon = np.arange(west, west + 360, 10)
    times = made.times_of(1)
    where = lat[:, None] + ((lon + 180) % 360 - 180) / 1000
    values = np.broadcast_to(where, (len(times), len(lat), len(lon)))
    coords = {"time": times, "lat": lat, "lon": lon}
    field = xr.DataArray(values, coords, attrs={"units": "K"}) / 10 + 270
    dims = ("lon", "lat", "time") if turned else ("time", "lat", "lon")
    field.attrs["units"] = "K"
    path.parent.mkdir(exist_ok=True)
    field.transpose(*dims).to_dataset(name="t2m").to_netcdf(path)


@pytest.mark.parametrize(
    ("west", "north_first", "turned"),
    [(0, True, False), (-180, True, False), (0, False, True), (-180, False, False)],
)
@pytest.mark.parametrize(("box_west", "columns"), [(-31.0, 6), (329.0, 4), (150.0, 6)])
def test_a_box_is_read_wherever_the_seam_of_the_file_is(
    tmp_path: Path, west: float, north_first: bool, turned: bool, box_west: float, columns: int
) -> None:
    global_series(tmp_path / "raw/a.nc", west, north_first=north_first, turned=turned)
    box = {"south": 20, "north": 50, "west": box_west, "east": min(box_west + 59, 360)}
    grid = {"rows": 3, "columns": columns}
    dataset = made.dataset(tmp_path / "raw", hourly=["temp"], box=box, grid=grid)
    store = ingested(tmp_path, dataset)
    lat, lon = store["lat2d"].values, store["lon2d"].values
    np.testing.assert_allclose(lat[:, 0], [45, 35, 25])
    np.testing.assert_allclose(np.diff(lon[0]) % 360, 10, atol=1e-9)
    assert ((lon - box_west) % 360 <= 59).all()
    expected = 270 + (lat + ((lon + 180) % 360 - 180) / 1000) / 10
    np.testing.assert_allclose(store["temp"][3], expected, rtol=1e-6)


def test_one_variable_per_file_and_one_file_per_day(tmp_path: Path) -> None:
    for kind, path in made.write_eac4_new(tmp_path / "raw", TWO_DAYS).items():
        with xr.open_dataset(path) as stored:
            for name in stored.data_vars:
                for day, part in stored[[name]].groupby("valid_time.day"):
                    part.to_netcdf(tmp_path / f"raw/{kind}_{name}_{day}.nc")
        path.unlink()
    store = ingested(tmp_path, made.dataset(tmp_path / "raw", 2))
    np.testing.assert_allclose(store["o3"], made.truth(TWO_DAYS)["o3"], rtol=1e-5)
    assert store["present"].all()


def changed(path: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> Path:
    """Write a file anew with a change."""
    with xr.open_dataset(path, decode_times=False, mask_and_scale=False) as stored:
        new = change(stored.load())
    for variable in new.variables.values():
        variable.encoding = {}
    new.to_netcdf(path.with_suffix(".new"))
    return path.with_suffix(".new").replace(path)


def with_units(name: str, units: str) -> Callable[[xr.Dataset], xr.Dataset]:
    def change(stored: xr.Dataset) -> xr.Dataset:
        stored[name].attrs["units"] = units
        return stored

    return change


def with_calendar(stored: xr.Dataset) -> xr.Dataset:
    stored["valid_time"].attrs |= {"calendar": "noleap"}
    return stored


def without_times(stored: xr.Dataset) -> xr.Dataset:
    return stored.drop_vars("valid_time")


def two_times(stored: xr.Dataset) -> xr.Dataset:
    stored = stored.rename(valid_time="time")
    other = ("expected", np.arange(2), {"units": "hours since 2016-01-01"})
    return (
        stored.assign_coords(run=other, time=stored["time"])
        .rename(time="step")
        .assign_coords(
            first=("step", stored["time"].values, {"units": "hours since 2016-01-01"}),
            second=("step", stored["time"].values, {"units": "hours since 2016-01-01"}),
        )
        .drop_vars("step")
    )


def two_members(stored: xr.Dataset) -> xr.Dataset:
    return xr.concat([stored, stored], dim="member")


BAD: dict[str, tuple[str, Callable[[xr.Dataset], xr.Dataset], dict[str, Any], str]] = {
    "unit of something else": (
        "sfc",
        with_units("pm2p5", "K"),
        {},
        r"unit cannot be converted.*data_sfc.nc, variable pm2p5.*convertible to ug m-3.*K",
    ),
    "mixing ratio of a mixture": (
        "sfc",
        with_units("pm10", "ppb"),
        {},
        r"unit cannot be converted.*pm10.*molar mass is unknown",
    ),
    "mixing ratio as relative humidity": (
        "sfc",
        lambda d: d.rename(d2m="rh").pipe(with_units("rh", "kg kg-1")),
        {},
        r"unit cannot be converted.*variable rh.*kg kg-1 \(a mixing ratio\)",
    ),
    "unit that contradicts the study": (
        "mlev",
        lambda d: d,
        {"units": {"co": "ppb"}},
        r"contradicts the configuration.*ppb \(dataset.units.co\).*kg kg\*\*-1",
    ),
    "mixing ratio without the air": (
        "sfc",
        lambda d: d.drop_vars(["t2m", "sp"]),
        {"hourly": ["o3", "pm25"]},
        r"mixing ratio needs temperature and pressure.*variable go3.*no psfc and no temp",
    ),
    "no unit": (
        "sfc",
        lambda d: d.pipe(lambda x: (x["sp"].attrs.clear(), x)[1]),
        {},
        r"unit of a variable is unknown.*variable sp",
    ),
    "missing variable": (
        "sfc",
        lambda d: d.drop_vars("d2m"),
        {},
        r"series lacks a variable.*rh or dew_point and temp or .*dataset.gridded.names",
    ),
    "name that is not there": (
        "sfc",
        lambda d: d,
        {"gridded": {"names": {"pm25": "pm25_dry"}}},
        r"series lacks a variable.*pm25.*",
    ),
    "two names": (
        "sfc",
        lambda d: d.assign(ua=d["u10"]),
        {},
        r"two variables of a series.*one variable for u.*u10, ua",
    ),
    "calendar": (
        "sfc",
        with_calendar,
        {},
        r"calendar of a series is not the standard one.*noleap",
    ),
    "no time": ("sfc", without_times, {}, r"series has no times.*data_sfc.nc"),
    "two times": ("sfc", two_times, {}, r"times of a series are not clear.*first, second"),
    "off the steps": (
        "sfc",
        lambda d: d,
        {"time_step_h": 6},
        r"between the dataset's steps.*every 6 h.*2016-03-01 03:00.*time_step_h",
    ),
    "level": (
        "sfc",
        lambda d: d,
        {"gridded": {"level": {"model_level": 59}}},
        r"level is missing.*model_level 59.*60\.0",
    ),
    "name of a level": (
        "sfc",
        lambda d: d,
        {"gridded": {"level": {"height": 10}}},
        r"level is missing.*dataset.gridded.level.height.*model_level",
    ),
    "members": ("sfc", two_members, {}, r"several levels.*variable .*2 along member: 1, 2"),
    "another grid": (
        "mlev",
        lambda d: d.assign_coords(longitude=d["longitude"] + 0.25),
        {},
        r"files of a series lie on different grids.*data_mlev.nc|files.*different.*data_sfc.nc",
    ),
    "a grid of another size": (
        "mlev",
        lambda d: d.isel(longitude=slice(0, -1)),
        {},
        r"files of a series lie on different grids.*data_mlev.nc|files.*different.*data_sfc.nc",
    ),
    "positions in no order": (
        "sfc",
        lambda d: d.assign_coords(latitude=d["latitude"].values[[0, 2, 1, 3]]),
        {},
        r"do not rise or fall steadily.*latitude",
    ),
    "no positions": (
        "sfc",
        lambda d: d.drop_vars(["latitude", "longitude"]),
        {},
        r"latitudes of a series are not clear.*positions_file",
    ),
    "box": (
        "sfc",
        lambda d: d,
        {"box": {"south": -40, "north": -30, "west": 100, "east": 120}},
        r"box holds no cell",
    ),
    "period": (
        "sfc",
        lambda d: d,
        {"period": {"start": "2019-01-01", "end": "2019-01-02"}},
        r"no hour of the period.*a series from 2016-03-01 00:00:00 to 2016-03-01 21:00:00",
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day in EAC4's new form, in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("whole") / "raw"
    made.write_eac4_new(folder, made.times_of(1))
    return folder


@pytest.fixture
def raw(whole: Path, tmp_path: Path) -> Path:
    """A copy of the day."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in whole.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_right_is_refused_and_named(case: str, raw: Path, tmp_path: Path) -> None:
    """The ingest stops with it, and a look at the files finds it too."""
    kind, change, settings, expected = BAD[case]
    changed(raw / f"data_{kind}.nc", change)
    dataset = made.dataset(raw, **settings)
    with pytest.raises(AirshedError, match=f"(?s){expected}"):
        ingested(tmp_path, dataset)
    assert not list((tmp_path / "out").iterdir())
    found = inspect_path(raw, dataset, None)
    if case != "period":  # inspect says it in words of its own
        assert any(
            pytest.raises(AirshedError, match=f"(?s){expected}").matches(problem)
            for problem in found.findings.problems
        ), as_text(found)
    assert not found.accepted


@pytest.mark.parametrize("content", [b"", b"text", b"CDF\x01\x00\x00"])
def test_a_file_that_is_none_is_named(raw: Path, tmp_path: Path, content: bytes) -> None:
    (raw / "broken.nc").write_bytes(content)
    with pytest.raises(AirshedError, match=r"(?s)cannot be read.*broken.nc"):
        ingested(tmp_path, made.dataset(raw))


def test_nothing_at_a_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match=r"(?s)no file of a gridded series.*wrfout"):
        ingested(tmp_path, made.dataset(tmp_path / "nowhere_*"))


def without(path: Path, hours: list[int]) -> None:
    changed(path, lambda stored: stored.drop_isel(valid_time=hours))


def test_a_hole_is_a_gap_or_refused(raw: Path, tmp_path: Path) -> None:
    without(raw / "data_mlev.nc", [2, 3])
    store = ingested(tmp_path, made.dataset(raw))
    assert np.flatnonzero(~store["present"].values).tolist() == [2, 3]
    told = json.loads((tmp_path / "out/ingest.json").read_text())
    assert told["gaps"] == [
        {
            "start": "2016-03-01T06:00:00",
            "end": "2016-03-01T09:00:00",
            "hours": 2,
            "reason": "not in the archives",
        }
    ]
    refusing = made.dataset(raw, quality={"missing_hours": "refuse"})
    with pytest.raises(AirshedError, match=r"(?s)hours are missing.*6, 9 h UTC"):
        ingested(tmp_path, refusing)
    remarks = inspect_path(raw, made.dataset(raw), None).findings.remarks
    assert "2 times lack o3, and count as missing" in remarks


@pytest.mark.parametrize("packed", [False, True])
def test_files_may_overlap_where_they_agree(tmp_path: Path, packed: bool) -> None:
    """Packed numbers of two files agree within their rounding."""
    if packed:
        made.write_eac4_old(tmp_path / "raw/a.nc", TWO_DAYS[:10], level=False)
        made.write_eac4_old(tmp_path / "raw/b.nc", TWO_DAYS[6:], level=False)
    else:
        made.write_eac4_new(tmp_path / "raw/a", TWO_DAYS[:10])
        made.write_eac4_new(tmp_path / "raw/b", TWO_DAYS[6:])
    store = ingested(tmp_path, made.dataset(tmp_path / "raw", 2))
    assert store["present"].all()
    np.testing.assert_allclose(store["co"], made.truth(TWO_DAYS)["co"], rtol=2e-4)


def test_files_that_contradict_each_other(raw: Path, tmp_path: Path) -> None:
    with xr.open_dataset(raw / "data_sfc.nc") as stored:
        other = stored.isel(valid_time=slice(4, 6)).load()
    other["t2m"][1] += 0.5
    other.to_netcdf(raw / "other.nc")
    with pytest.raises(AirshedError, match=r"(?s)different values.*t2m.*other values of temp at"):
        ingested(tmp_path, made.dataset(raw))
    masked = ingested(tmp_path, made.dataset(raw, quality={"duplicate_hours": "mask"}))
    assert np.flatnonzero(~masked["present"].values).tolist() == [5]
    text = as_text(inspect_path(raw, made.dataset(raw), None))
    assert "two files of a series have different values for one time" in text


def test_inspect_accepts_what_an_ingest_takes(raw: Path, tmp_path: Path) -> None:
    (raw / "notes.txt").write_text("no part of the series")
    made.write_cmaq(tmp_path / "raw/other", HOURS[:1])  # of it the study reads nothing
    dataset = made.dataset(raw / "data_*.nc")
    for name in ("elevation", "population"):
        field = xr.DataArray(
            np.ones((4, 6)), {"lat": made.LAT, "lon": made.LON}, attrs={"units": "m"}
        )
        if name == "population":
            field.attrs["units"] = "people"
        field.to_dataset(name=name).to_netcdf(tmp_path / f"{name}.nc")
    files = {f"{n}_file": str(tmp_path / f"{n}.nc") for n in ("elevation", "population")}
    found = inspect_path(Path(str(dataset.path)), dataset.model_copy(update=files), 3)
    text = as_text(found)
    assert found.accepted, text
    assert (found.hours or {})["found"] == 8
    assert "go3 [kg kg**-1], times the density of dry air" in text


def test_files_are_closed_by_whoever_opens_the_next(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the garbage collector, while another thread is inside the library."""
    files: list[Any] = []
    manager = xr.backends.DummyFileManager
    monkeypatch.setattr(
        xr.backends, "DummyFileManager", lambda file: files.append(file) or manager(file)
    )
    monkeypatch.setattr(blocks, "STEPS", 1)
    first, *_, last = open_series(made.dataset(raw), str(raw)).day(made.START.date()).hours()
    first.read()
    opened = len(files)
    close_unless(0)
    last.read()
    assert len(files) > opened
    del first, _, last
    close_unless(0)
    gc.collect()
    unneeded = files[:]
    assert all(file.isopen() for file in unneeded[opened:])
    open_series(made.dataset(raw), str(raw))
    assert not any(file.isopen() for file in unneeded)


def test_a_day_can_be_sent_to_another_process(raw: Path) -> None:
    day = open_series(made.dataset(raw), str(raw)).day(made.START.date())
    here = [hour.read().fields["no2"] for hour in day.hours()]
    sent = pickle.loads(pickle.dumps(day))  # noqa: S301
    np.testing.assert_array_equal(here, [hour.read().fields["no2"] for hour in sent.hours()])
    assert day.fingerprint() == sent.fingerprint()


def test_an_ingest_that_was_stopped_reads_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second day is refused, mended and read; the first, which has files of its own, is not."""
    for number in (0, 1):
        made.write_eac4_new(tmp_path / f"raw/{number}", TWO_DAYS[8 * number : 8 * number + 8])
    bad = tmp_path / "raw/1/data_sfc.nc"
    content = bad.read_bytes()
    changed(bad, lambda stored: stored.assign(t2m=stored["t2m"] + 5000))
    dataset, read = made.dataset(tmp_path / "raw", 2), []
    ingest_day = ingest_module._ingest_day
    monkeypatch.setattr(
        ingest_module, "_ingest_day", lambda *task: (read.append(task[-1]), ingest_day(*task))
    )
    with pytest.raises(
        AirshedError,
        match=r"(?s)physically impossible.*raw/1/data_mlev.nc, .*raw/1/data_sfc.nc.*temp",
    ):
        ingested(tmp_path, dataset)
    bad.with_suffix(".whole").write_bytes(content)
    bad.with_suffix(".whole").replace(bad)
    store = ingested(tmp_path, dataset)
    assert [f"{day:%d}" for day in read] == ["01", "02", "02"]
    np.testing.assert_allclose(store["temp"], made.truth(TWO_DAYS)["temp"], rtol=1e-6)


def test_a_file_that_changes_is_noticed(raw: Path, tmp_path: Path) -> None:
    """By the day that holds its hours, and by the listing of the user's files."""
    dataset = made.dataset(raw)
    before = open_series(dataset, str(raw)).day(made.START.date()).fingerprint()
    changed(raw / "data_sfc.nc", lambda stored: stored.assign(extra=stored["u10"]))
    after = open_series(dataset, str(raw)).day(made.START.date()).fingerprint()
    assert before != after
    assert json.loads(json.dumps(after)) == after
