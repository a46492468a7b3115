"""What inspect says of archives that are whole, and of every kind of trouble; what ingest says."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
import raw_files as made
import xarray as xr
from made_study import write_override, write_study
from static_files import write_netcdf
from typer.testing import CliRunner

from airshed.cli import app
from airshed.config import read_yaml
from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import QualityConfig
from airshed.data.inspect import Inspection, as_text, inspect_path
from airshed.data.inspect.geography import clock_of_temperature, describe_grid
from airshed.data.inspect.hours import chosen_hours
from airshed.errors import AirshedError
from airshed.simulate.projection import cell_positions
from airshed.variables import HOURLY, INPUTS, VARIABLES

FIRST = "201603/CN-Reanalysis20160301.tar.gz"


def replace_first_day(raw: Path, make: Callable[[datetime], bytes]) -> None:
    made.write_archive(raw / FIRST, made.day_members(made.START, make))


def whats(found: Inspection) -> list[str]:
    return [problem.what for problem in found.findings.problems]


def test_whole_archives_are_described_and_accepted(raw: Path, dataset: DatasetConfig) -> None:
    ground = {"elevation_file": None, "population_file": None}
    assert inspect_path(raw, dataset.model_copy(update=ground), 2).accepted
    content = inspect_path(raw, None, None).as_dict()
    assert content["accepted"]
    assert content["forms"] == {"daily archive .tar.gz": 2}
    assert content["hours"]["expected"] == content["hours"]["found"] == 48
    assert len(content["hours"]["sampled"]) == 48
    assert content["hours"]["gaps"] == []
    assert content["grid"]["kind"] == "longitude-latitude grid"
    assert content["grid"]["row_order"] == "south to north"
    every = [made.hour_fields(made.START + timedelta(hours=hour)) for hour in range(48)]
    variables = {entry["name"]: entry for entry in content["variables"]}
    for name in HOURLY:
        values = np.stack([fields[name] for fields in every])
        entry = variables[name]
        assert entry["range_units"] == VARIABLES[name].units
        assert entry["units"] == [VARIABLES[name].units]
        assert entry["minimum"] == pytest.approx(np.nanmin(values))
        assert entry["mean"] == pytest.approx(np.nanmean(values))
        assert entry["maximum"] == pytest.approx(np.nanmax(values))
        assert entry["missing_share"] == pytest.approx(np.isnan(values).mean())
        assert entry["dimensions"] == "y=4, x=6"
        assert entry["dtype"] == "float64"


@pytest.mark.parametrize("form", ["{}.tar", "{}.zip", "{}", "flat"])
def test_every_form_is_recognised(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "raw"
    for number in range(2):
        day = made.START + timedelta(days=number)
        members = made.day_members(day)
        if form == "flat":
            folder.mkdir(exist_ok=True)
            for name, content in members.items():
                (folder / name).write_bytes(content)
        else:
            made.write_archive(folder / form.format(f"CN-Reanalysis{day:%Y%m%d}"), members)
    found = inspect_path(folder, None, 5)
    assert found.accepted, found.findings.as_list()
    assert found.hours is not None
    assert (found.hours["found"], found.hours["missing"]) == (48, 0)
    assert len(found.hours["sampled"]) == 5


def test_one_archive_and_one_file(raw: Path, tmp_path: Path) -> None:
    archive = inspect_path(raw / FIRST, None, 3)
    assert archive.accepted
    assert archive.as_dict()["hours"]["expected"] == 24
    time = made.START + timedelta(hours=5)
    single = tmp_path / made.member(time)
    single.write_bytes(made.whole_hour(time))
    assert inspect_path(single, None, 3).as_dict()["hours"]["sampled"] == [time.isoformat()]
    renamed = single.rename(tmp_path / "some.nc")
    found = inspect_path(renamed, None, 3)
    assert whats(found) == ["an ingest does not find this file by its name"]
    assert len(found.variables) == 13


def test_an_archive_of_another_name_is_looked_at_all_the_same(raw: Path, tmp_path: Path) -> None:
    members: dict[str, bytes] = {}
    for number in range(2):
        members |= made.day_members(made.START + timedelta(days=number))
    found = inspect_path(made.write_archive(tmp_path / "month.tar.gz", members), None, 4)
    assert whats(found) == ["an ingest does not find this file by its name"]
    assert found.hours is not None
    assert (found.hours["expected"], found.hours["found"]) == (48, 48)


def test_missing_hours_are_summarised_as_gaps(raw: Path, dataset: DatasetConfig) -> None:
    members = made.day_members(made.START)
    for hour in (9, 10, 20):
        del members[made.member(made.START + timedelta(hours=hour))]
    made.write_archive(raw / FIRST, members)
    day = made.START + timedelta(days=4)
    made.write_archive(raw / f"CN-Reanalysis{day:%Y%m%d}.zip", made.day_members(day))
    found = inspect_path(raw, None, 6)
    assert found.accepted
    assert found.hours is not None
    gaps = [(gap["start"], gap["hours"]) for gap in found.hours["gaps"]]
    assert gaps == [
        ("2016-03-01T09:00:00", 2),
        ("2016-03-01T20:00:00", 1),
        ("2016-03-03T00:00:00", 48),
    ]
    ahead = dataset.model_copy(update={"utc_offset_h": 8.0, "elevation_file": None})
    local = inspect_path(raw, ahead, 6).hours
    assert local is not None
    assert local["clock"] == "UTC"
    assert (local["expected"], local["found"]) == (48, 24 - 8 - 3 + 24)


def test_archives_that_are_not_opened_are_taken_by_their_names(raw: Path) -> None:
    for number in range(2, 8):
        (raw / f"CN-Reanalysis{made.START + timedelta(days=number):%Y%m%d}.tar.gz").write_bytes(b"")
    found = inspect_path(raw, None, 1)
    assert found.accepted
    assert found.hours is not None
    assert found.hours["hours_taken_from_names_of_archives"] == 7 * 24
    assert "--all" in as_text(found)
    everything = inspect_path(raw, None, 8)
    assert whats(everything) == ["an archive is damaged or cannot be read"] * 6


def no_units(time: datetime) -> bytes:
    fields = made.hour_fields(time)
    co = {"co": fields["co"] * 1000, "temp": fields["temp"] - 273.15}
    return made.netcdf(fields | co | made.positions(), dict.fromkeys(HOURLY))


def without(name: str) -> Callable[[datetime], bytes]:
    def make(time: datetime) -> bytes:
        fields = made.hour_fields(time) | made.positions()
        del fields[name]
        return made.netcdf(fields)

    return make


def implausible(time: datetime) -> bytes:
    fields = made.hour_fields(time)
    fields["o3"][2, 3] = -5.0
    return made.netcdf(fields | made.positions())


def other_grid(time: datetime) -> bytes:
    moved = {name: values + 0.5 for name, values in made.positions().items()}
    return made.netcdf(made.hour_fields(time) | moved)


def holes(time: datetime) -> bytes:
    positions = made.positions()
    positions["lat2d"][1, 2] = np.nan
    return made.netcdf(made.hour_fields(time) | positions)


def other_shape(time: datetime) -> bytes:
    path = Path(gettempdir()) / f"airshed-{os.getpid()}.nc"
    fields = {name: (("y", "x"), values) for name, values in made.hour_fields(time).items()}
    fields |= {name: (("y", "x"), values) for name, values in made.positions().items()}
    fields["rh"] = (("x", "y"), fields["rh"][1].T)
    file = xr.Dataset(fields)
    for name in HOURLY:
        file[name].attrs["units"] = VARIABLES[name].units
    file.to_netcdf(path)
    content = path.read_bytes()
    path.unlink()
    return content


TROUBLE: dict[str, tuple[Callable[[datetime], bytes], tuple[str, ...]]] = {
    "unknown units": (no_units, ("the unit of a variable is unknown", "co: ug m-3")),
    "wrong units": (
        lambda time: made.netcdf(made.hour_fields(time) | made.positions(), {"so2": "K"}),
        ("a unit cannot be converted", "so2"),
    ),
    "a variable is missing": (without("rh"), ("a raw file lacks a variable", "rh")),
    "no positions": (without("lat2d"), ("a raw file lacks a variable", "lat2d")),
    "implausible values": (implausible, ("a value is physically impossible", "o3", "-5")),
    "another grid": (other_grid, ("another grid", "20160302")),
    "positions are missing": (holes, ("lacks positions of cells",)),
    "columns before rows": (other_shape, ("order of their dimensions", "rh")),
    "no NetCDF": (lambda time: b"nonsense", ("no readable NetCDF", "20160301")),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_what_ingest_refuses_is_named_and_the_rest_is_looked_at(
    raw: Path, dataset: DatasetConfig, tmp_path: Path, case: str
) -> None:
    make, expected = TROUBLE[case]
    replace_first_day(raw, make)
    found = inspect_path(raw, None, 6)
    text = as_text(found)
    for part in expected:
        assert part in text
    assert len(found.as_dict()["hours"]["sampled"]) == 6
    with pytest.raises(AirshedError) as refused:
        made.ingest_into(tmp_path, dataset, raw)
    assert refused.value.what in whats(found)


def with_troubles(time: datetime, troubles: list[str]) -> bytes:
    """An hour with some of five troubles, each in another variable."""
    fields, units = made.hour_fields(time) | made.positions(), dict[str, str | None]()
    if "rh" in troubles:
        del fields["rh"]
    if "temp" in troubles:
        units["temp"] = None
    if "co" in troubles:
        units["co"] = "K"
    if "so2" in troubles:
        fields["so2"][:] = 5.0
    if "o3" in troubles:
        fields["o3"][2, 3] = -5.0
    return made.netcdf(fields, units)


def test_all_problems_of_a_file_are_those_that_ingest_stops_at_one_after_the_other(
    dataset: DatasetConfig, tmp_path: Path
) -> None:
    file = tmp_path / "raw" / made.member(made.START)
    file.parent.mkdir()
    left = ["rh", "temp", "co", "so2", "o3"]
    file.write_bytes(with_troubles(made.START, left))
    listed = [str(problem) for problem in inspect_path(file.parent, None, 1).findings.problems]
    said = []
    while left:
        file.write_bytes(with_troubles(made.START, left))
        with pytest.raises(AirshedError) as refused:
            made.ingest_into(tmp_path / "out", dataset, file.parent)
        said.append(str(refused.value))
        left.remove(next(name for name in left if re.search(rf"\b{name}\b", said[-1])))
    assert said == listed
    file.write_bytes(with_troubles(made.START, left))
    made.ingest_into(tmp_path / "out", dataset, file.parent)


def test_units_that_fit_are_proposed(raw: Path, dataset: DatasetConfig) -> None:
    for number in range(2):
        day = made.START + timedelta(days=number)
        made.write_archive(
            raw / f"201603/CN-Reanalysis{day:%Y%m%d}.tar.gz", made.day_members(day, no_units)
        )
    found = inspect_path(raw, None, 3)
    proposed = found.likely_units()
    assert list(proposed) == list(HOURLY)
    assert (proposed["co"], proposed["temp"], proposed["psfc"]) == ("ug m-3", "degC", "Pa")
    files = {"units": proposed, "elevation_file": None, "population_file": None}
    assert inspect_path(raw, dataset.model_copy(update=files), 3).accepted
    contradicted = files | {"units": proposed | {"co": "K"}}
    assert not inspect_path(raw, dataset.model_copy(update=contradicted), 3).accepted


def test_several_troubles_are_all_collected(raw: Path) -> None:
    replace_first_day(raw, implausible)
    days = [made.START + timedelta(days=number) for number in range(2, 7)]
    names = [raw / f"CN-Reanalysis{day:%Y%m%d}" for day in days]
    made.write_archive(names[0].with_suffix(".zip"), {"../CN-Reanalysis2016030300.nc": b""})
    whole = made.write_archive(names[1].with_suffix(".tar"), made.day_members(days[1]))
    whole.write_bytes(whole.read_bytes()[:-60_000])
    made.write_archive(names[2].with_suffix(".zip"), made.day_members(days[2]))
    made.write_archive(names[2].with_suffix(".tar"), made.day_members(days[2]))
    made.write_archive(names[3].with_suffix(".zip"), made.day_members(days[3], no_units))
    (raw / "CN-Reanalysis20161340.zip").write_bytes(b"")
    doubled = made.member(days[4])
    for folder in ("a", "b"):
        (raw / folder).mkdir()
        (raw / folder / doubled).write_bytes(made.whole_hour(days[4]))
    (raw / "notes.txt").write_text("of someone")
    found = inspect_path(raw, None, 14)
    assert set(whats(found)) == {
        "a file name holds no valid time",
        "a day is there more than once",
        "an hour is there twice",
        "a value is physically impossible",
        "an archive holds an unsafe member",
        "an archive is damaged or cannot be read",
        "the unit of a variable is unknown",
    }
    counted = {entry["what"]: entry["times"] for entry in found.findings.as_list()}
    assert counted["a value is physically impossible"] == 2
    assert found.findings.remarks == {"1 other files are not read by an ingest": ["notes.txt"]}
    text = as_text(found)
    for problem in found.findings.problems:
        assert problem.details["where"] in text


def test_what_a_study_masks_is_remarked_and_not_refused(raw: Path, dataset: DatasetConfig) -> None:
    replace_first_day(raw, implausible)
    time = made.START + timedelta(hours=3)
    (raw / made.member(time)).write_bytes(made.whole_hour(time))
    quality = {"implausible_values": "mask", "duplicate_hours": "mask"}
    ground = {"elevation_file": None, "population_file": None}
    chosen = DatasetConfig.model_validate(dataset.model_dump() | {"quality": quality})
    found = inspect_path(raw, chosen.model_copy(update=ground), 4)
    assert found.accepted, found.findings.as_list()
    remarks = found.findings.remarks
    assert remarks["a day is there more than once: left out"] == ["2016-03-01"]
    assert len(remarks["implausible values of o3 are masked"]) == 2
    limits = DatasetConfig.model_validate(
        dataset.model_dump() | {"quality": {"limits": {"o3": [-10, 900]}}}
    )
    assert "a value is physically impossible" not in whats(inspect_path(raw, limits, 4))


def test_aliases_other_variables_and_empty_hours_are_shown(raw: Path) -> None:
    def make(time: datetime) -> bytes:
        fields = made.hour_fields(time)
        fields["T2"] = fields.pop("temp")
        fields["so2"][:] = np.nan
        fields["u10"] = fields["u"]
        extra = {"hcho": np.ones((made.ROWS, made.COLUMNS))}
        units = {"T2": "K", "u10": "m s-1", "hcho": "ppb"}
        return made.netcdf(fields | made.positions() | extra, units)

    replace_first_day(raw, make)
    found = inspect_path(raw / FIRST, None, 2)
    assert found.accepted
    seen = {entry.stored.stored_as: entry.stored for entry in found.variables}
    assert (seen["T2"].name, seen["hcho"].name) == ("temp", None)
    text = as_text(found)
    assert "(not used)" in text
    assert "no value of so2" in text
    assert "u and u10 both stand for u" in text


def test_an_archive_of_another_day_is_refused(raw: Path) -> None:
    path = raw / "CN-Reanalysis20160303.zip"
    made.write_archive(path, made.day_members(made.START))
    found = inspect_path(raw, None, 3)
    assert whats(found) == ["an archive holds no hour of the day that is in its name"]


def test_a_study_is_checked_too(raw: Path, dataset: DatasetConfig, tmp_path: Path) -> None:
    people = write_netcdf(
        tmp_path / "people.nc", np.ones((4, 6)), np.arange(30.0, 34), np.arange(100.0, 106),
        name="p", units=None,
    )  # fmt: skip
    changes = {"grid": {"rows": 8, "columns": 6}, "population_file": str(people)}
    changes["period"] = {"start": "2019-01-01", "end": "2019-01-02"}
    chosen = DatasetConfig.model_validate(dataset.model_dump() | changes)
    found = inspect_path(raw, chosen, 2)
    assert set(whats(found)) == {
        "no hour of the period was found in the archives",
        "the study grid is finer than the data",
        "the file with elevation is missing",
        "whether a population is counts or a density is unknown",
    }


def test_nothing_and_nowhere(tmp_path: Path) -> None:
    assert whats(inspect_path(tmp_path, None, 2)) == ["no raw archives were found"]
    with pytest.raises(AirshedError, match="nothing at this path"):
        inspect_path(tmp_path / "nowhere", None, 2)


def test_hours_are_spread_over_all_days() -> None:
    days = [date(2013, 1, 1) + timedelta(days=number) for number in range(365)]
    chosen = chosen_hours(days, 6)
    assert len(chosen) == 6
    assert {days[0], days[-1]} <= set(chosen)
    assert len(set().union(*chosen.values())) == 6
    assert sum(map(len, chosen_hours(days[:1], 6).values())) == 6
    assert sum(map(len, chosen_hours(days, None).values())) == 8760


def test_a_lambert_grid_is_told_from_a_regular_one() -> None:
    lat, lon = cell_positions(67, 86, 75e3)
    described = describe_grid(lat[::-1], lon[::-1])
    assert described["row_order"] == "north to south"
    assert "conformal" in described["kind"]
    assert "curvilinear" in describe_grid(lat, 1.3 * lon)["kind"]
    for axis in ("rows", "columns"):
        assert described["spacing_km"][axis]["median"] == pytest.approx(75, rel=0.02)
    assert described["corners_lat_lon"]["last_row_first_column"] == pytest.approx(
        [lat[0, 0], lon[0, 0]], abs=1e-4
    )


@pytest.mark.parametrize("ahead", [0, 8, -5])
def test_the_daily_cycle_of_temperature_hints_at_the_clock(ahead: int) -> None:
    """At 105 E the sun is 7 h ahead of UTC: air warmest at 14:30 there is so at 7:30 UTC."""
    hours = np.arange(24)
    temp = 290 + 5 * np.cos(2 * np.pi * (hours - ahead - 7.5) / 24)
    found = clock_of_temperature(dict(enumerate(temp.tolist())), 105.0)
    assert found is not None
    assert found["likely_offset_h"] == ahead
    assert clock_of_temperature(dict.fromkeys(range(24), 290.0), 105.0) is None
    assert clock_of_temperature({0: 1.0}, 105.0) is None


def test_a_time_coordinate_is_compared_with_the_name(tmp_path: Path) -> None:
    time = made.START + timedelta(hours=8)
    fields = {name: (("y", "x"), values) for name, values in made.positions().items()}
    stamp = ((), 0.0, {"units": "hours since 2016-03-01 00:00:00"})
    path = tmp_path / made.member(time)
    xr.Dataset(fields | {"Time": stamp}).to_netcdf(path)
    found = inspect_path(path, None, 1)
    assert found.clock["names_ahead_of_time_coordinate_h"] == [8.0]


@pytest.fixture
def yearly(tmp_path: Path) -> Path:
    return made.write_yearly(tmp_path / "stores" / "data_2016_china_masked.zarr")


@pytest.mark.parametrize("level", ["store", "folder"])
def test_a_yearly_store_is_described(yearly: Path, level: str) -> None:
    found = inspect_path(yearly if level == "store" else yearly.parent, None, 4)
    assert found.accepted, found.findings.as_list()
    (store,) = found.stores
    assert store["hours"]["expected"] == store["hours"]["found"] == 48
    assert {entry["name"] for entry in store["variables"]} >= set(INPUTS)
    ranges = {entry["name"]: entry for entry in store["variables"]}
    first, last = (made.hour_fields(made.START + timedelta(hours=hour)) for hour in (0, 47))
    assert ranges["co"]["minimum"] == pytest.approx(np.nanmin(first["co"]))
    assert ranges["co"]["maximum"] == pytest.approx(np.nanmax(last["co"]))
    assert str(yearly) in as_text(found)


def test_trouble_in_a_yearly_store_is_collected(yearly: Path) -> None:
    with xr.open_zarr(yearly) as stored:
        store = stored.load().drop_encoding()
    broken = store.isel(time=[0, 1, 4, 3, 3]).drop_vars(["rh", "population"])
    del broken["co"].attrs["units"]
    broken["o3"] = broken["o3"] - 5000
    broken["o3"].attrs["units"] = "ug m-3"
    path = yearly.with_name("data_2017_china_masked.zarr")
    broken.to_zarr(path, zarr_format=3)
    store.drop_vars("time").to_zarr(yearly.with_name("data_2018_china_masked.zarr"))
    found = inspect_path(yearly.parent, None, None)
    assert sorted(whats(found)) == [
        "a value is physically impossible",
        "a yearly store has no time stamps, and not every hour of its year",
        "a yearly store lacks a variable",
        "the hours of a yearly store are out of order or duplicate",
        "the unit of a variable is unknown",
    ]
    lacking = next(p for p in found.findings.problems if "lacks" in p.what)
    assert lacking.details["expected"] == "rh, population"
    assert found.stores[1]["hours"]["gaps"][0]["hours"] == 1


def without_unit(store: xr.Dataset) -> xr.Dataset:
    del store["co"].attrs["units"]
    return store


@pytest.mark.parametrize(
    "change",
    [
        without_unit,
        lambda store: store.drop_vars("so2"),
        lambda store: store.drop_vars("time"),
        lambda store: store.isel(time=slice(None, None, -1)),
        lambda store: store.assign(temp=store["temp"].isel(time=0, drop=True)),
        lambda store: store.assign(lat2d=store["lat2d"] + 100),
        lambda store: store.assign(lon2d=store["lon2d"].isel(y=0)),
        lambda store: store.assign(o3=store["o3"] - 5000),
        lambda store: store.assign(u10=store["u"], U=store["u"]).drop_vars("u"),
    ],
    ids=["unit", "lacking", "no time", "order", "flat", "off the earth", "line", "values", "twice"],
)
def test_what_ingest_refuses_of_a_yearly_store_is_named(
    yearly: Path,
    dataset: DatasetConfig,
    tmp_path: Path,
    change: Callable[[xr.Dataset], xr.Dataset],
) -> None:
    with xr.open_zarr(yearly) as stored, xr.set_options(keep_attrs=True):
        changed = change(stored.load().drop_encoding())
    shutil.rmtree(yearly)
    changed.to_zarr(yearly, zarr_format=3, consolidated=False)
    values = dataset.model_dump() | {"source": "yearly_zarr", "path": "unused"}
    with pytest.raises(AirshedError) as refused:
        made.ingest_into(tmp_path, DatasetConfig.model_validate(values), yearly.parent)
    first = inspect_path(yearly, None, None).findings.problems[0]
    assert str(first) == str(refused.value)


def test_the_command_prints_writes_json_and_says_by_its_exit_code(
    raw: Path, dataset: DatasetConfig, tmp_path: Path
) -> None:
    command = ["inspect", str(raw), "--hours", "2"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "would be refused" in done.stdout
    out = tmp_path / "found.json"
    gone = {f"{name}_file": str(tmp_path / "gone.nc") for name in ("elevation", "population")}
    override = write_override(tmp_path / "override.yaml", write_study(tmp_path / "study"), **gone)
    done = CliRunner().invoke(app, [*command, "--config", str(override), "--json", str(out)])
    assert done.exit_code == 1
    assert "elevation_file" in done.stdout
    content = json.loads(out.read_text())
    assert content["accepted"] is False
    assert [entry["what"] for entry in content["refused"]] == [
        "the file with elevation is missing",
        "the file with population is missing",
        "every hour of a split is missing",  # of the third day
    ]


def test_files_for_elevation_are_checked_against_the_grid_and_missing_hours_by_the_policy(
    raw: Path,
) -> None:
    """Files that lie among the archives are not called superfluous."""
    study = write_study(raw / "static")
    values = read_yaml(study)["dataset"] | {"quality": {"missing_hours": "refuse"}}
    dataset = DatasetConfig.model_validate(values)
    found = inspect_path(raw, dataset, 1)
    assert whats(found) == ["hours are missing"]
    assert "24 missing, the first at 2016-03-03T00:00:00" in as_text(found)
    (remark,) = found.findings.remarks.items()
    assert remark == ("1 other files are not read by an ingest", ["static/study.yaml"])
    lat, lon = made.positions()["lat2d"], made.positions()["lon2d"]
    given = dataset.model_copy(update={"quality": QualityConfig()})
    write_netcdf(raw / "static/elevation.nc", 100 + lat[:2], lat[:2], lon[:2])
    part = inspect_path(raw, given, 1)  # some cells of the archives have no values
    assert part.accepted
    assert any("of 24 cells have no elevation" in remark for remark in part.findings.remarks)
    write_netcdf(raw / "static/elevation.nc", 100 + lat, lat - 60, lon)
    assert whats(inspect_path(raw, given, 1)) == [
        "the file with elevation does not cover the domain"
    ]
