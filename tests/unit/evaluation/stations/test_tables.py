"""The forms in which observations are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airshed.config.supplement import StationsConfig
from airshed.errors import AirshedError
from airshed.evaluation.stations.columns import pollutant_of
from airshed.evaluation.stations.places import read_positions
from airshed.evaluation.stations.tables import read_table
from airshed.variables import TARGETS


def settings(**changes: object) -> StationsConfig:
    return StationsConfig.model_validate({"tables": ["unused"], **changes})


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in table[list(columns)].itertuples(index=False)]


def test_openaq_archive(tmp_path: Path) -> None:
    """Narrow rows, times with an offset, a unit with signs of its own."""
    path = written(
        tmp_path,
        "location_id,sensors_id,location,datetime,lat,lon,parameter,units,value\n"
        '7,21,"Roof, north",2016-03-05T09:00:00+08:00,39.9,116.4,pm25,µg/m³,81.5\n'
        '7,22,"Roof, north",2016-03-05T09:00:00+08:00,39.9,116.4,pm1,µg/m³,30\n'
        '7,23,"Roof, north",2016-03-05T09:00:00+08:00,39.9,116.4,co,mg/m³,1.2\n',
    )
    table = read_table(path, settings(utc_offset_h=8), TARGETS)
    hour = pd.Timestamp("2016-03-05 01:00")
    assert rows(table, "station", "time", "pollutant", "value", "units") == [
        ("7", hour, "pm25", 81.5, "µg/m³"),
        ("7", hour, "co", 1.2, "mg/m³"),
    ]
    assert rows(table, "latitude", "longitude")[0] == (39.9, 116.4)


def test_openaq_download_prefers_utc_to_local_time(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "locationId,location,city,country,utc,local,parameter,value,unit,latitude,longitude\n"
        "8,Roof,B,CN,2016-03-05T01:00:00,2016-03-05T09:00:00,o3,60,ug/m3,39.9,116.4\n",
    )
    table = read_table(path, settings(utc_offset_h=8), TARGETS)
    assert rows(table, "station", "time", "units") == [
        ("8", pd.Timestamp("2016-03-05 01:00"), "ug/m3")
    ]


def test_cnemc_daily_archive(tmp_path: Path) -> None:
    """One column for each station, Beijing time, averages over more than an hour left out."""
    path = written(
        tmp_path,
        "date,hour,type,1001A,1002A\n"
        "20160305,9,AQI,100,101\n"
        "20160305,9,PM2.5,81,\n"
        "20160305,9,PM2.5_24h,70,71\n"
        "20160305,10,CO,1.2,0.9\n",
    )
    table = read_table(path, settings(utc_offset_h=8), TARGETS)
    one, two = pd.Timestamp("2016-03-05 01:00"), pd.Timestamp("2016-03-05 02:00")
    assert rows(table.dropna(subset="value"), "station", "time", "pollutant", "value") == [
        ("1001A", one, "pm25", 81),
        ("1001A", two, "co", 1.2),
        ("1002A", two, "co", 0.9),
    ]
    assert table["units"].isna().all()


def test_cnemc_live_report(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "StationCode,PositionName,TimePoint,Latitude,Longitude,AQI,PM2_5,O3_8h,SO2\n"
        "1001A,x,2016-03-05T09:00:00,39.88,116.36,100,81,20,7\n",
    )
    table = read_table(path, settings(utc_offset_h=8), TARGETS)
    hour = pd.Timestamp("2016-03-05 01:00")
    assert rows(table, "station", "time", "pollutant", "value", "latitude") == [
        ("1001A", hour, "pm25", 81, 39.88),
        ("1001A", hour, "so2", 7, 39.88),
    ]


def test_parquet_and_compressed_tables(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "station": ["a"],
            "time": pd.to_datetime(["2016-03-05 09:00"]).tz_localize("Asia/Shanghai"),
            "pollutant": ["NO2"],
            "value": [40.0],
            "units": ["ug m-3"],
        }
    )
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    found = read_table(tmp_path / "a.csv.gz", settings(), TARGETS)
    assert rows(found, "time", "pollutant") == [(pd.Timestamp("2016-03-05 01:00"), "no2")]
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "a.parquet", settings(), TARGETS), found, check_dtype=False
    )


def test_names_of_stations_are_text(tmp_path: Path) -> None:
    """Also where every other program would read numbers and missing values."""
    text = "station,lat,lon,time,parameter,value\n" + "".join(
        f"{name},39.9,116.4,2016-03-05T01:00:00Z,o3,60\n" for name in ("007", "NA", "1e3")
    )
    path = written(tmp_path, text)
    assert list(read_table(path, settings(), TARGETS)["station"]) == ["007", "NA", "1e3"]
    assert list(read_positions(path).index) == ["007", "NA", "1e3"]


def test_sites_in_chinese(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "监测点编码,监测点名称,城市,经度,纬度,对照点\n1001A,x,y,116.3621,39.8784,N\n",
    )
    sites = read_positions(path)
    assert sites.loc["1001A", ["latitude", "longitude"]].tolist() == [39.8784, 116.3621]
    assert np.isnan(sites.loc["1001A", "elevation"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("PM2.5", "pm25"), ("pm2_5", "pm25"), ("O3", "o3"), ("O3_8h", None), ("AQI", None)],
)
def test_pollutant_names(name: str, expected: str | None) -> None:
    assert pollutant_of(name, TARGETS) == expected


def test_a_table_of_another_kind_is_refused_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match=r"known layouts(.|\n)*table\.csv(.|\n)*colour, time"):
        read_table(written(tmp_path, "colour,time\nred,2016-03-05\n"), settings(), TARGETS)
    with pytest.raises(AirshedError, match="lacks the time"):
        read_table(written(tmp_path, "station,parameter,value\na,o3,4\n"), settings(), TARGETS)
    with pytest.raises(AirshedError, match="cannot be read"):
        read_table(tmp_path / "nowhere.csv", settings(), TARGETS)
