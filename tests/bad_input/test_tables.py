"""Tables of observations in which something is wrong, through ``airshed stations``."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_study import DAYS, write_study
from raw_files import positions
from refusals import airshed, refused

from airshed.config import read_yaml
from airshed.config.supplement import StationsConfig
from airshed.data.stores import STATIC_VARIABLES, write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.stations.tables import read_table
from airshed.variables import TARGETS

ROWS = [f"A,31,102,{DAYS[-1]}T{hour:02d}:00Z,pm25,{50 + hour},ug/m3" for hour in range(24)]
HEADER = "station,latitude,longitude,time,pollutant,value,units"
RIGHT = "\n".join([HEADER, *ROWS]) + "\n"
SITES = "station,latitude,longitude\nA,31,102\n"
NO_STATION = "no station is left to score forecasts against"
UNREADABLE = "a table of observations cannot be read"
NO_TIME = "no time of a table can be read"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study, and static fields made for it."""
    folder = tmp_path_factory.mktemp("tables")
    study = write_study(folder)
    plane = {name: positions().get(name, np.ones((4, 6))) for name in STATIC_VARIABLES}
    fields = {name: (("y", "x"), values) for name, values in plane.items()}
    write_netcdf(xr.Dataset(fields), folder / "static.nc")
    return study, folder / "static.nc"


def command(
    prepared: tuple[Path, Path], folder: Path, tables: list[Path], **stations: Any
) -> tuple[object, ...]:
    values = read_yaml(prepared[0]) | {"stations": {"tables": [str(t) for t in tables], **stations}}
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    outputs = ("--output", folder / "observations.nc", "--report", folder / "quality.json")
    return ("stations", "--config", study, "--static", prepared[1], *outputs, *tables)


def replaced(old: str, new: str) -> bytes:
    assert old in RIGHT
    return RIGHT.replace(old, new).encode()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in (*names, f"__MACOSX/._{names[0]}"):
            archive.writestr(name, RIGHT)
    return stream.getvalue()


CASES: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "an empty file": ("a.csv", b"", (UNREADABLE, "No columns")),
    "blanks alone": ("a.csv", b"\n \n", (UNREADABLE,)),
    "a header alone": ("a.csv", f"{HEADER}\n".encode(), (NO_STATION, DAYS[-1])),
    "a page of HTML": ("a.csv", b"<html><body>Log in</body></html>", ("lacks the time", "<html>")),
    "bytes that are no text": ("a.csv", b"\xff\x00\x00\x01", (UNREADABLE, "0xff")),
    "a Western encoding that is not UTF-8": (
        "a.csv",
        "station,déjà\n".encode("latin-1"),
        (UNREADABLE, "0xe9", "GB18030"),
    ),
    "a Chinese encoding, and too few columns": (
        "a.csv",
        "站点,时间".encode("gbk"),
        ("none of the known layouts", "站点, 时间"),
    ),
    "not a workbook": ("a.xlsx", RIGHT.encode(), (UNREADABLE, "zip")),
    "an old workbook": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\xff", (UNREADABLE, ".xlsx")),
    "two tables in a zip": ("a.zip", zipped("a.csv", "b.csv"), (UNREADABLE, "2 files")),
    "dates whose day is not known": (
        "a.csv",
        replaced(DAYS[-1], "03/04/2016"),
        ("which number of a date", "03/04/2016T00:00Z, 03/04/2016T01:00Z", "stations.dates"),
    ),
    "days without hours": (
        "a.csv",
        f"{HEADER}\nA,31,102,{DAYS[-1]},pm25,50,ug/m3\n".encode(),
        ("hold no hour", DAYS[-1], "column named hour"),
    ),
    "two hours for one time": (
        "a.csv",
        f"date,hour,type,A\n{DAYS[-1]} 05:00,6,PM2.5,50\n".encode(),
        ("two hours for one time", f"{DAYS[-1]} 05:00 and 6"),
    ),
    "commas before decimals": (
        "a.csv",
        f"{HEADER}\nA,31,102,{DAYS[-1]} 00:00,pm25,5|0,ug/m3\n".replace(",", ";")
        .replace("|", ",")
        .encode(),
        ("no value of a table can be read", "1 cells"),
    ),
    "null bytes": ("a.csv", b"\0" * 500, ("lacks the time", "a.csv")),
    "rows of several lengths": ("a.csv", f"{RIGHT}A,1,2,3,4,5,6,7,8,9\n".encode(), (UNREADABLE,)),
    "rows longer than the header": (
        "a.csv",
        RIGHT.replace("ug/m3", "ug/m3,surplus").encode(),
        (UNREADABLE, "Length of header"),
    ),
    "a quote that stays open": ("a.csv", b'station,"time\n1,2\n', (UNREADABLE, "inside string")),
    "not a gzip": ("a.csv.gz", RIGHT.encode(), (UNREADABLE, "gzip")),
    "a gzip cut": ("a.csv.gz", gzip.compress(RIGHT.encode())[:-20], (UNREADABLE,)),
    "not a zip": ("a.csv.zip", RIGHT.encode(), (UNREADABLE, "zip")),
    "not an xz": ("a.csv.xz", RIGHT.encode(), (UNREADABLE,)),
    "not a Parquet file": ("a.parquet", RIGHT.encode(), (UNREADABLE, "arquet")),
    "no time": ("a.csv", replaced("time", "when"), ("lacks the time", "timestamp", "when")),
    "no station": ("a.csv", replaced("station", "who"), ("lacks the station", "who")),
    "no pollutant": ("a.csv", replaced("pollutant", "what"), ("none of the known layouts", "what")),
    "no unit": ("a.csv", replaced(",units", ",unitless"), ("stations.units.pm25", "neither")),
    "an unknown unit": ("a.csv", replaced("ug/m3", "spoons"), (NO_STATION,)),
    "other pollutants alone": ("a.csv", replaced("pm25", "benzene"), (NO_STATION,)),
    "text in place of times": (
        "a.csv",
        replaced(DAYS[-1], "yesterday "),
        (NO_TIME, "'yesterday T00:00Z'", "2018010203"),
    ),
    "times of another year": ("a.csv", replaced(DAYS[-1], "2015-03-03"), (NO_STATION, DAYS[-1])),
    "a leap day of no leap year": ("a.csv", replaced(DAYS[-1], "2015-02-29"), (NO_TIME,)),
    "times beside the hours": ("a.csv", replaced(":00Z", ":30Z"), (NO_STATION,)),
    "text in place of values": (
        "a.csv",
        "\n".join([HEADER, *(row.rsplit(",", 2)[0] + ",none,ug/m3" for row in ROWS)]).encode(),
        (NO_STATION,),
    ),
    "a station elsewhere": ("a.csv", replaced("A,31,102", "A,31,10"), (NO_STATION, "outside")),
    "latitude and longitude exchanged": (
        "a.csv",
        replaced("A,31,102", "A,102,31"),
        (NO_STATION, "outside"),
    ),
    "a station without a position": (
        "a.csv",
        replaced("A,31,102", "A,,"),
        (NO_STATION, "without_a_position"),
    ),
    "a station at two places": (
        "a.csv",
        RIGHT.replace("A,31,102", "A,32,103", 1).encode(),
        (NO_STATION, "at_two_places"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_table_is_refused_and_named(
    prepared: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    name, content, said = CASES[case]
    table = tmp_path / name
    table.write_bytes(content)
    refused(tmp_path, command(prepared, tmp_path, [table]), table, *said)


WRONG_SITES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "an empty file": (b"", (UNREADABLE,)),
    "no latitude": (b"station,longitude\nA,102\n", ("lacks the latitude", "longitude")),
    "no longitude": (b"station,latitude\nA,31\n", ("lacks the longitude", "latitude")),
    "no station": (b"name,latitude,longitude\nA,31,102\n", ("lacks the station", "name")),
    "other stations": (b"station,latitude,longitude\nB,31,102\n", ("without_a_position",)),
    "text in place of positions": (b"station,latitude,longitude\nA,north,east\n", ("position",)),
}


@pytest.mark.parametrize("case", WRONG_SITES)
def test_a_wrong_table_of_sites_is_refused_and_named(
    prepared: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    content, said = WRONG_SITES[case]
    table, sites = tmp_path / "a.csv", tmp_path / "sites.csv"
    table.write_bytes(replaced("latitude,longitude", "x,y"))
    sites.write_bytes(content)
    refused(tmp_path, command(prepared, tmp_path, [table], sites=str(sites)), *said)


def test_a_study_without_stations_and_a_site_file_that_is_missing(
    prepared: tuple[Path, Path], tmp_path: Path
) -> None:
    table = tmp_path / "a.csv"
    table.write_text(RIGHT)
    missing = command(prepared, tmp_path, [table], sites=str(tmp_path / "absent.csv"))
    refused(tmp_path, missing, tmp_path / "absent.csv", "No such file")


def test_what_the_cases_change_is_right(prepared: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text(RIGHT)
    code, said = airshed(*command(prepared, tmp_path, [table]))
    assert code == 0, said
    with xr.open_dataset(tmp_path / "observations.nc") as observations:
        pm25 = observations["value"].sel(station="A", pollutant="pm25")
        np.testing.assert_array_equal(pm25, 50 + np.arange(24))


CELLS = st.sampled_from(["A", "", "31", "-999", "nan", "inf", "2016-03-03", "PM2.5", '"', "1e999"])
COLUMNS = st.sampled_from([*HEADER.split(","), "date", "hour", "type", "PM2.5", "code", "x"])


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    header=st.lists(COLUMNS, min_size=1, max_size=6),
    rows=st.lists(st.lists(CELLS, max_size=7), max_size=4),
)
def test_whatever_a_table_holds_is_read_or_refused(
    tmp_path: Path, header: list[str], rows: list[list[str]]
) -> None:
    path = tmp_path / "any.csv"
    path.write_text("\n".join(",".join(row) for row in (header, *rows)), encoding="utf-8")
    try:
        table = read_table(path, StationsConfig(tables=["any.csv"]), TARGETS)
    except AirshedError as error:
        said = str(error)
    else:
        said = str(path)
        assert table["time"].notna().all()
        assert pd.api.types.is_numeric_dtype(table["value"])
    assert str(path) in said
