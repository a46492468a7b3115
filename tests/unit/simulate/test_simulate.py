from __future__ import annotations

import gzip
import hashlib
import tarfile
from datetime import date
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt
import pytest

from airshed.config.data import DatasetConfig
from airshed.simulate import simulate
from airshed.simulate.world import World
from airshed.variables import HOURLY, STATIC, VARIABLES

Floats = npt.NDArray[np.floating[Any]]
ROWS, COLUMNS = 10, 20


def dataset(
    end: str = "2016-02-28", period_start: str = "2016-02-28", **changes: Any
) -> DatasetConfig:
    simulator: dict[str, Any] = {"grid": {"rows": ROWS, "columns": COLUMNS}, "cell_km": 240.0}
    for key in ("seed", "terrain_blocking", "grid", "cell_km"):
        if key in changes:
            simulator[key] = changes.pop(key)
    values = {
        "name": "tiny",
        "source": "simulator",
        "period": {"start": period_start, "end": end},
        "grid": {"rows": 8, "columns": 16},
        "simulator": simulator,
    }
    return DatasetConfig.model_validate(values | changes)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def read(content: bytes) -> dict[str, Floats]:
    with netCDF4.Dataset("raw", memory=content) as file:
        return {name: np.ma.filled(file[name][:], np.nan) for name in file.variables}


def air(settings: DatasetConfig, hours: int) -> dict[str, Floats]:
    """Fields [time, Y, X] inside the domain, NaN outside."""
    world = World(settings)
    shown = [fields for _, fields in world.hours(hours)]
    return {
        name: np.where(world.land.domain, np.array([fields[name] for fields in shown]), np.nan)
        for name in HOURLY
    }


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days across the end of a leap February."""
    folder = tmp_path_factory.mktemp("simulated") / "raw"
    simulate(dataset(period_start="2016-02-29", end="2016-03-01"), folder)
    return folder


def test_the_folder_holds_a_daily_archive_in_its_month_and_the_static_fields(raw: Path) -> None:
    assert list(contents(raw)) == [
        "201602/CN-Reanalysis20160229.tar.gz",
        "201603/CN-Reanalysis20160301.tar.gz",
        "static/elevation.nc",
        "static/population.nc",
    ]


def test_an_archive_holds_the_24_hours_of_its_day(raw: Path) -> None:
    names = list(members(raw / "201602/CN-Reanalysis20160229.tar.gz"))
    assert names == [f"CN-Reanalysis20160229{hour:02d}.nc" for hour in range(24)]


def test_an_hourly_file_is_like_the_reanalysis_and_says_that_it_is_simulated(raw: Path) -> None:
    hours = members(raw / "201603/CN-Reanalysis20160301.tar.gz")
    with netCDF4.Dataset("raw", memory=hours["CN-Reanalysis2016030107.nc"]) as file:
        assert set(file.variables) == {*HOURLY, "lat2d", "lon2d"}
        assert file.data_source == "simulated"
        assert "SIMULATED by Airshed" in file.title
        for name, variable in file.variables.items():
            assert variable.units == VARIABLES[name].units
            assert variable.dimensions == ("south_north", "west_east")
            assert variable.shape == (ROWS, COLUMNS)
            assert variable.dtype.itemsize == 4
        lat, lon = file["lat2d"][:], file["lon2d"][:]
    assert (np.diff(lat, axis=0) > 0).all()  # south first
    assert (np.diff(lon, axis=1) > 0).all()
    assert 25 < lat.mean() < 45
    assert 95 < lon.mean() < 115


def test_cells_outside_the_domain_are_missing_and_inside_none_is(raw: Path) -> None:
    for content in members(raw / "201602/CN-Reanalysis20160229.tar.gz").values():
        fields = read(content)
        known = np.array([np.isfinite(fields[name]) for name in HOURLY])
        assert (known == known[0]).all()
        assert not known[0][[0, 0, -1, -1], [0, -1, 0, -1]].any()
        assert 0.6 < known[0].mean() < 1
        assert np.isfinite(fields["lat2d"]).all()


def test_static_fields_lie_on_the_same_grid_and_know_every_cell(raw: Path) -> None:
    hour = read(members(raw / "201602/CN-Reanalysis20160229.tar.gz").popitem()[1])
    for name in ("elevation", "population"):
        content = (raw / "static" / f"{name}.nc").read_bytes()
        with netCDF4.Dataset("raw", memory=content) as file:
            assert file[name].units == VARIABLES[name].units
            assert file.data_source == "simulated"
        fields = read(content)
        assert np.isfinite(fields[name]).all()
        for position in ("lat2d", "lon2d"):
            np.testing.assert_array_equal(fields[position], hour[position])


def test_archives_carry_no_trace_of_when_and_by_whom_they_were_written(raw: Path) -> None:
    path = raw / "201602/CN-Reanalysis20160229.tar.gz"
    header = path.read_bytes()[:10]
    assert header[3] == 0  # flags: no file name in the header
    assert header[4:8] == bytes(4)  # no time
    assert gzip.decompress(path.read_bytes())
    with tarfile.open(path) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname) == ("", "")


def test_the_same_settings_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        simulate(dataset(seed=seed), tmp_path / name)
    first, again, other = (contents(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_a_longer_period_begins_with_the_same_days(tmp_path: Path) -> None:
    simulate(dataset(end="2016-02-28"), tmp_path / "short")
    simulate(dataset(end="2016-03-01"), tmp_path / "long")
    short, long = contents(tmp_path / "short"), contents(tmp_path / "long")
    assert short.items() < long.items()


def test_a_clock_ahead_of_utc_shows_in_the_file_names_and_not_in_the_air(tmp_path: Path) -> None:
    simulate(dataset(), tmp_path / "utc")
    simulate(dataset(utc_offset_h=8), tmp_path / "china")
    utc, china = (
        [
            item
            for path in sorted((tmp_path / name).rglob("*.tar.gz"))
            for item in members(path).items()
        ]
        for name in ("utc", "china")
    )
    assert [content for _, content in utc] == [content for _, content in china]
    assert utc[0][0] == "CN-Reanalysis2016022800.nc"
    assert china[0][0] == "CN-Reanalysis2016022808.nc"
    assert china[-1][0] == "CN-Reanalysis2016022907.nc"


def test_nothing_stays_behind_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("airshed.simulate.write_day", full)
    with pytest.raises(OSError, match="no space"):
        simulate(dataset(), tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("blocking", [0.0, 1.0])
def test_every_value_is_plausible(seed: int, blocking: float) -> None:
    fields = air(dataset(seed=seed, terrain_blocking=blocking), 24 * 10)
    for name, values in fields.items():
        known = values[np.isfinite(values)]
        assert VARIABLES[name].low <= known.min(), name
        assert known.max() <= VARIABLES[name].high, name
    inside = np.isfinite(fields["pm25"])
    assert (fields["pm10"][inside] >= fields["pm25"][inside]).all()


def test_magnitudes_are_those_of_a_winter_in_china() -> None:
    settings = dataset(grid={"rows": 20, "columns": 40}, cell_km=120.0)
    world = World(settings)
    plain = world.land.domain & (world.land.elevation_m < 400) & (world.lon_deg > 112)
    shown = [fields for _, fields in world.hours(24 * 15)]
    mean = {name: np.mean([fields[name][plain] for fields in shown]) for name in HOURLY}
    assert 35 < mean["pm25"] < 120
    assert mean["pm25"] < mean["pm10"] < 200
    assert 5 < mean["so2"] < 60
    assert 10 < mean["no2"] < 60
    assert 0.4 < mean["co"] < 2.0
    assert 30 < mean["o3"] < 110
    assert 265 < mean["temp"] < 295
    assert 97_000 < mean["psfc"] < 103_000


def test_pressure_and_temperature_fall_with_height() -> None:
    world = World(dataset(period_start="2015-01-01", end="2015-01-01"))
    hours = [fields for _, fields in world.hours(24)]
    pressure = np.mean([fields["psfc"] for fields in hours], axis=0)
    height = world.land.elevation_m
    high, low = height > 4000, height < 200
    # the standard atmosphere has 616 hPa at 4000 m and 540 hPa at 5000 m
    assert 50_000 < pressure[high].mean() < 63_000
    assert pressure[low].mean() > 98_000
    same_latitude = np.abs(world.lat_deg - 34) < 5
    temp = np.mean([fields["temp"] for fields in hours], axis=0)
    assert temp[high & same_latitude].mean() < temp[low & same_latitude].mean() - 15


def test_terrain_blocking_changes_the_pollutants_and_leaves_the_weather() -> None:
    blocked, free = (air(dataset(terrain_blocking=share), 48) for share in (0.7, 0.0))
    for name in ("u", "v", "temp", "rh", "psfc"):
        np.testing.assert_array_equal(blocked[name], free[name])
    for name in ("pm25", "pm10", "so2", "no2", "co", "o3"):
        change = np.nanmax(np.abs(blocked[name] - free[name]))
        assert change > 0.05 * np.nanmean(free[name]), name


def test_blocking_keeps_polluted_air_off_the_plateau() -> None:
    world = World(dataset())
    plateau = world.land.elevation_m > 3500
    assert plateau.sum() > 5
    blocked, free = (air(dataset(terrain_blocking=share), 24 * 6) for share in (1.0, 0.0))
    background = 0.18  # mg m-3 of CO in the air that enters
    reaching = {
        name: np.nanmean(fields["co"][:, plateau]) - background
        for name, fields in (("blocked", blocked), ("free", free))
    }
    assert reaching["blocked"] < 0.9 * reaching["free"]


def test_winds_relative_to_the_earth_are_those_of_the_grid_turned_by_the_meridians() -> None:
    """On a Lambert map a meridian is turned by cone * (lon - 105) (Snyder 1987, eq. 14-4)."""
    grid, earth = (air(dataset(wind_frame=frame), 6) for frame in ("grid", "earth"))
    world = World(dataset())
    first, second = np.radians([25.0, 47.0])
    stretch = np.tan(np.pi / 4 + np.array([first, second]) / 2)
    cone = np.log(np.cos(first) / np.cos(second)) / np.log(stretch[1] / stretch[0])
    angle = cone * np.radians(world.lon_deg - 105.0)
    assert np.abs(np.degrees(angle)).max() > 15
    east = grid["u"] * np.cos(angle) + grid["v"] * np.sin(angle)
    north = grid["v"] * np.cos(angle) - grid["u"] * np.sin(angle)
    inner = np.s_[:, 1:-1, 1:-1]  # at the rim the axes come from one-sided differences
    np.testing.assert_allclose(earth["u"][inner], east[inner], atol=0.15)
    np.testing.assert_allclose(earth["v"][inner], north[inner], atol=0.15)
    assert np.nanmax(np.abs(earth["u"] - grid["u"])) > 1.0


def test_pollution_is_remembered_for_a_day_and_forgotten_after_some() -> None:
    """What makes the air forecastable: correlation of anomalies from each cell's usual day."""
    days = 60
    start = date(2015, 1, 1)
    settings = dataset(period_start=str(start), end=str(start))
    fields = air(settings, 24 * days)
    for name in ("pm25", "pm10", "so2", "no2", "co", "o3"):
        values = fields[name][:, np.isfinite(fields[name][0])].reshape(days, 24, -1)
        anomaly = (values - values.mean(0)).reshape(24 * days, -1)
        anomaly /= anomaly.std(0)
        day, four_days = (float((anomaly[lag:] * anomaly[:-lag]).mean()) for lag in (24, 96))
        assert 0.2 < day < 0.85, name
        assert four_days < day - 0.15, name


def test_static_inputs_are_not_among_the_hourly_variables(raw: Path) -> None:
    fields = read(members(raw / "201602/CN-Reanalysis20160229.tar.gz").popitem()[1])
    assert not ({"elevation", "population"} & set(fields))
    assert {"lat2d", "lon2d"} == set(STATIC) & set(fields)
