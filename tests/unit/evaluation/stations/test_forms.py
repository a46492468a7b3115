"""Tables in the forms that people have: times, encodings, containers, names of columns."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from airshed.config.supplement import StationsConfig
from airshed.errors import AirshedError
from airshed.evaluation.stations.places import Positions, read_positions
from airshed.evaluation.stations.tables import read_table
from airshed.evaluation.stations.times import parse
from airshed.variables import TARGETS

CODES = ("9001A", "9002A", "9003A")
VALUES = {
    (hour, pollutant): [10 * hour + n + len(pollutant) for n in range(3)]
    for hour in range(4)
    for pollutant in ("PM2.5", "PM10", "SO2", "NO2", "O3", "CO", "PM2.5_24h", "AQI")
}
SITES = (
    "监测点编码,监测点名称,城市,经度,纬度\n"
    "9001A,甲站,甲市,116.4,39.9\n9002A,乙站,甲市,117.2,39.1\n9003A,丙站,乙市,104.07,30.66\n"
)


def settings(**changes: object) -> StationsConfig:
    return StationsConfig.model_validate({"tables": ["unused"], "utc_offset_h": 8, **changes})


def counted(path: Path, **changes: object) -> tuple[pd.DataFrame, dict[str, int]]:
    counts: dict[str, int] = {}
    table = read_table(
        path, settings(**changes), TARGETS, lambda reason, rows: counts.update({reason: len(rows)})
    )
    return table, counts


def day(date: str, separator: str = ",", header: str = "date,hour", hour: str = "{}") -> str:
    """A day of CNEMC, one column per site, one NO2 missing."""
    lines = [f"{header},type," + ",".join(CODES)]
    for (number, pollutant), values in VALUES.items():
        cells = [str(value) for value in values]
        if (number, pollutant) == (2, "NO2"):
            cells[1] = ""
        clock = hour.format(number)
        lines.append(",".join([date.format(f"{number:02d}"), *([clock] if clock else []),
                               pollutant, *cells]))  # fmt: skip
    return "\n".join(lines).replace(",", separator) + "\n"


DAYS = {
    "compact": day("20180102"),
    "ISO": day("2018-01-02"),
    "slashes": day("2018/1/2"),
    "a float": day("20180102.0", hour="{}.0"),
    "in Chinese": day("2018年1月2日", header="日期,小时", hour="{}时"),
    "as Excel fills it": day("2018-01-02 00:00:00", header="Date (LST),Hour"),
    "a clock beside it": day("20180102", header="Date Local,Time Local", hour="{}:00"),
    "a date that holds the hour": day("2018/1/2 {}:00", header="date", hour=""),
    "a date that holds the hour, and an hour": day("2018/1/2 {}:00"),
    "a time in Chinese": day("2018年1月2日 {}时", header="时间", hour=""),
    "digits alone": day("20180102{}", header="time", hour=""),
    "digits and a float": day("20180102{}.0", header="TimePoint", hour=""),
    "a zone": day("2018-01-02T{}:00:00+0800", header="time", hour=""),
    "a month's name": day("2 Jan 2018 {}:00", header="time", hour=""),
    "year, month, day, hour": day("2018,1,2", header="year,month,day,hour"),
    "semicolons": day("20180102", ";"),
    "tabs": day("20180102", "\t"),
    "lines before the header": "Report\nmade by hand, type: day\n\n" + day("20180102"),
}


@pytest.mark.parametrize("form", DAYS)
def test_a_day_is_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(DAYS[form], encoding="utf-8")
    table, counts = counted(path)
    known = table.dropna(subset="value")
    assert (len(table), len(known), counts) == (72, 71, {})
    hours = pd.date_range("2018-01-01T16:00", periods=4, freq="h")
    names = {"PM2.5": "pm25", "PM10": "pm10"}
    expected = {
        (names.get(pollutant, pollutant.lower()), hours[hour], code): value
        for (hour, pollutant), values in VALUES.items()
        for code, value in zip(CODES, values, strict=True)
        if pollutant not in ("PM2.5_24h", "AQI") and (hour, pollutant, code) != (2, "NO2", CODES[1])
    }
    keys = zip(known["pollutant"], known["time"], known["station"], strict=True)
    assert dict(zip(keys, known["value"], strict=True)) == expected


def test_a_table_in_a_workbook_and_in_a_zip_made_on_a_mac(tmp_path: Path) -> None:
    text = day("2018-01-02")
    cells = [line.split(",") for line in text.splitlines()]
    sheet = pd.DataFrame(
        [["a title", *[""] * 5], *[[""] * 6], *([*r[:2], *map(_number, r[2:])] for r in cells)]
    )
    with pd.ExcelWriter(tmp_path / "day.xlsx") as book:
        sheet.to_excel(book, sheet_name="data", header=False, index=False)
        pd.DataFrame([["a note", "of no columns"]]).to_excel(book, sheet_name="notes")
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        archive.writestr("day.csv", "\ufeff" + text)
        archive.writestr("__MACOSX/._day.csv", b"\0\5\x16\7")
    for name in ("day.xlsx", "day.zip"):
        table, counts = counted(tmp_path / name)
        assert (table["value"].notna().sum(), counts) == (71, {})
        assert table["time"].min() == pd.Timestamp("2018-01-01T16:00")


def _number(cell: str) -> object:
    return int(cell) if cell.isdecimal() else cell


TEXTS = {  # what a text means: day and hours, or None
    "2018-01-02T03:00:00Z": ("2018-01-02", 3),
    "2018-1-2 3:30": ("2018-01-02", 3.5),
    "2018-01-02 24:00": ("2018-01-02", 24),
    "1/2/2018 12:00:00 AM": ("2018-01-02", 0),
    "1/2/2018 3:00 PM": ("2018-01-02", 15),
    "13/2/2018 3:00": None,
    "2018010203": ("2018-01-02", 3),
    "201801020330": ("2018-01-02", 3.5),
    "Jan 2, 2018 03:00": ("2018-01-02", 3),
    "2018年1月2日3点30分": ("2018-01-02", 3.5),
    "2018-02-30 03:00": None,
    "2018-01-02 25:00": None,
    "2018-01-02 03:60": None,
    "2018013": None,
    "201801023": None,
    "20180102030": None,
    "1514764800": None,
    "02/01/18 03:00": None,
    "yesterday": None,
    "": None,
}


def test_texts_are_times_or_none() -> None:
    found = parse(pd.Series(list(TEXTS)), "month_first")
    for (_, row), (text, expected) in zip(found.iterrows(), TEXTS.items(), strict=True):
        if expected is None:
            assert pd.isna(row["day"]), text
        else:
            assert (row["day"], row["hour"]) == (pd.Timestamp(expected[0]), expected[1]), text
    zones = parse(pd.Series(["2018-01-02 03:00Z", "2018-01-02T03:00-0330", "2018010203"]), None)
    assert zones["zone_h"].fillna(99).tolist() == [0, -3.5, 99]


def written(folder: Path, times: list[str], name: str = "time") -> Path:
    path = folder / "table.csv"
    rows = [f'Jia,39.9,116.4,"{time}",pm25,{30 + n},ug m-3' for n, time in enumerate(times)]
    header = f"station,latitude,longitude,{name},pollutant,value,units"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_day_and_month_are_told_apart_by_the_settings_alone(tmp_path: Path) -> None:
    """Also where one of the values could only be read in one way."""
    path = written(tmp_path, ["02/01/2018 00:00", "13/01/2018 01:00"])
    with pytest.raises(AirshedError, match=r"02/01/2018 00:00, 13/01/2018 01:00(.|\n)*day_first"):
        counted(path)
    table, counts = counted(path, dates="day_first", utc_offset_h=0)
    assert list(table["time"]) == [pd.Timestamp("2018-01-02"), pd.Timestamp("2018-01-13T01:00")]
    assert counts == {}
    table, counts = counted(path, dates="month_first", utc_offset_h=0)
    assert list(table["time"]) == [pd.Timestamp("2018-02-01")]
    assert counts == {"time_unreadable": 1}


def test_times_that_cannot_be_read_are_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hours = [f"2015-03-25T{hour:02d}:00:00Z" for hour in range(6)]
    path = written(tmp_path, [hours[0], "yesterday", hours[2], "", "2015-03-25T25:00Z", hours[5]])
    with caplog.at_level(logging.WARNING):
        table, counts = counted(path)
    assert table["value"].tolist() == [30, 32, 35]
    assert counts == {"time_unreadable": 3}
    assert "table.csv: 3 values not read (time_unreadable)" in caplog.text
    with pytest.raises(
        AirshedError, match=r"no time of a table(.|\n)*2018010203(.|\n)*'yesterday'"
    ):
        counted(written(tmp_path, ["yesterday", "today"]))


def test_missing_cells_of_a_parquet_file_are_not_taken_for_others(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "station": ["a", None, "b"],
            "date": ["2018-01-01 05:00", "2018-01-01 06:00", None],
            "pollutant": ["o3", "o3", "o3"],
            "value": [1.0, 2.0, 3.0],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    table, counts = counted(tmp_path / "a.parquet", utc_offset_h=5)
    assert list(zip(table["station"], table["value"], strict=True)) == [("a", 1), ("", 2)]
    assert list(table["time"].dt.hour) == [0, 1]
    assert counts == {"time_unreadable": 1}


def test_a_message_names_every_form_of_time(tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match=r"lacks the time(.|\n)*\(LST\)(.|\n)*year, month, day"):
        counted(written(tmp_path, ["2018-01-02"], "when"))


def test_beijing_in_four_columns(tmp_path: Path) -> None:
    path = tmp_path / "beijing.csv"
    head = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,wd,station\n"
    rows = [
        f"{n},2015,3,25,{n},4{n},6{n},{'NA' if n == 3 else 7},30,700,55,3.1,NNW,Jia"
        for n in range(6)
    ]
    path.write_text(head + "\n".join(rows) + "\n")
    table, counts = counted(path)
    first = table[table["time"] == pd.Timestamp("2015-03-24T16:00")].set_index("pollutant")
    assert first["value"].to_dict() == {
        "pm25": 40,
        "pm10": 60,
        "so2": 7,
        "no2": 30,
        "co": 700,
        "o3": 55,
    }
    assert table.groupby("pollutant", observed=True)["value"].count()["so2"] == 5
    assert counts == {}


def test_an_embassy_tells_the_hour_in_columns_of_its_own(tmp_path: Path) -> None:
    """``Date (LST)`` alone would not tell day and month apart."""
    path = tmp_path / "embassy.csv"
    path.write_text(
        "Fetched by hand\n\nSite,Parameter,Date (LST),Year,Month,Day,Hour,Value,Unit,Duration\n"
        "Beijing,PM2.5,1/2/2015 3:00,2015,1,2,3,81,µg/m³,1 Hr\n",
        encoding="utf-8-sig",
    )
    table, _ = counted(path)
    assert table[["station", "time", "value"]].to_numpy().tolist() == [
        ["Beijing", pd.Timestamp("2015-01-01T19:00"), 81]
    ]


def test_a_column_type_may_be_that_of_the_station(tmp_path: Path) -> None:
    path = tmp_path / "types.csv"
    rows = [
        f"{name},{kind},39.9,116.4,2015-03-25T0{hour}:00:00Z,{hour},{50 - hour}"
        for name, kind in (("Jia", "urban"), ("Yi", "background"))
        for hour in range(5)
    ]
    path.write_text("station,type,latitude,longitude,time,pm25,o3\n" + "\n".join(rows))
    table, _ = counted(path)
    assert (len(table), set(table["station"])) == (20, {"Jia", "Yi"})
    assert set(table["pollutant"]) == {"pm25", "o3"}


def test_units_may_stand_behind_the_names_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    head = "站点,时间,PM2.5(ug/m3),CO [mg/m3],O3\uff08ppb\uff09,SO2,O3 (8h)\n"
    path.write_text(head + "甲,2018-01-02 03:00,40,0.7,30,7,9\n", encoding="gb18030")
    table, _ = counted(path)
    assert list(
        zip(
            table["pollutant"],
            table["value"],
            table["units"].astype(object).fillna(""),
            strict=True,
        )
    ) == [
        ("pm25", 40, "ug/m3"),
        ("co", 0.7, "mg/m3"),
        ("o3", 30, "ppb"),
        ("so2", 7, ""),
        ("o3", 9, "8h"),
    ]


def test_values_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    rows = [f"a,2018010{n},5,PM2.5,{v}" for n, v in enumerate(("7", "<5", "—", "NA", ""), 1)]
    path.write_text("station,date,hour,parameter,value\n" + "\n".join(rows), encoding="utf-8")
    table, counts = counted(path)
    assert table["value"].count() == 1
    assert counts == {"value_unreadable": 1}


LISTS = {
    "utf8.csv": SITES.encode(),
    "gbk.csv": SITES.encode("gb18030"),
    "bom.csv": SITES.encode("utf-8-sig").replace(b"\n", b"\r\n"),
    "semicolons.csv": SITES.replace(",", ";").encode(),
    "id.csv": b"ID,city,Lon,Lat\n9001A,x,116.4,39.9\n9002A,x,117.2,39.1\n9003A,x,104.07,30.66\n",
    "unicode.txt": SITES.replace(",", "\t").encode("utf-16"),
    "degrees.csv": b"code,Latitude (deg),Longitude (deg)\n9001A,39.9,116.4\n9002A,39.1,117.2\n"
    b"9003A,30.66,104.07\n",
    "named.csv": b"Site Name\tLongitude\tLatitude\n9001A\t116.4\t39.9\n9002A\t117.2\t39.1\n"
    b"9003A\t104.07\t30.66\n",
    "sites.xlsx": b"",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_sites_is_the_same_in_every_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(LISTS[name])
    if name == "sites.xlsx":
        cells = [line.split(",") for line in SITES.splitlines()]
        pd.DataFrame(cells[1:], columns=cells[0]).to_excel(path, index=False)
    found, left_out = Positions(read_positions(path)).table(CODES)
    assert found["longitude"].tolist() == [116.4, 117.2, 104.07]
    assert found["latitude"].tolist() == [39.9, 39.1, 30.66]
    assert not any(left_out.values())


def test_a_workbook_of_an_old_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "sites.xls").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))
    with pytest.raises(AirshedError, match=r"sites.xls(.|\n)*old form \(.xls\)"):
        read_positions(tmp_path / "sites.xls")


def test_a_site_listed_at_two_places_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "moved.csv"
    path.write_text(SITES + "9001A,甲站,甲市,116.45,39.9\n9002A,乙站,甲市,117.201,39.1\n", "utf-8")
    found, left_out = Positions(read_positions(path)).table(CODES)
    assert list(found.index) == ["9002A", "9003A"]
    assert left_out["at_two_places"] == ["9001A"]
