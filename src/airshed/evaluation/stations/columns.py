"""What columns of tables mean: by their names, and by their cells where names are ambiguous."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from airshed.variables import TARGETS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "station": (
        "station",
        "stationid",
        "stationcode",
        "stationno",
        "site",
        "siteid",
        "sitecode",
        "code",
        "locationid",
        "location",
        "监测点编码",
        "站点编码",
        "站点编号",
        "点位编码",
        "编号",
        "站号",
        "id",
        "stationname",
        "sitename",
        "监测点",
        "监测点名称",
        "站点",
        "站点名称",
        "站名",
    ),
    "latitude": (
        *("latitude", "lat", "stationlatitude", "sitelatitude", "latitudedeg", "latdeg"),
        *("latituden", "纬度", "北纬"),
    ),
    "longitude": (
        *("longitude", "lon", "lng", "long", "stationlongitude", "sitelongitude"),
        *("longitudedeg", "londeg", "longitudee"),
        *("经度", "东经"),
    ),
    "elevation": ("elevation", "elevationm", "altitude", "altitudem", "alt", "height", "海拔"),
    "pollutant": ("pollutant", "parameter", "species", "type", "污染物"),
    "value": ("value", "concentration", "measurement", "浓度"),
    "units": ("units", "unit", "单位"),
}
"""Column names by meaning, spelt without case, blanks and punctuation; earlier ones win."""
UTC = re.compile("(utc|gmt|世界时)$")
LOCAL = re.compile("(localtime|local|lst|lt|bjt|beijing|北京时间?)$")
TIMES: Mapping[str, tuple[str, ...]] = {
    "time": (
        *("time", "datetime", "timepoint", "timestamp", "时间", "日期时间", "监测时间", "观测时间"),
        "",
    ),
    "date": ("date", "日期", "监测日期"),
    "year": ("year", "年", "年份"),
    "month": ("month", "月", "月份"),
    "day": ("day", "日"),
    "hour": ("hour", "时", "小时"),
}
"""Columns of times, spelt likewise, before a clock such as ``UTC``, ``(LST)`` or ``Local``.

The last name of ``time`` is a column that is called after its clock alone."""
IN_BRACKETS = re.compile(r"(.+?)\s*[(\[\uff08](.+)[)\]\uff09]\s*")  # also of full width
TEXT = ("station", "pollutant", "units")
POSITIONS = ("latitude", "longitude", "elevation")


def plain(name: object) -> str:
    """A name without case, blanks and punctuation."""
    return re.sub(r"[\W_]+", "", str(name)).lower()


def pollutant_of(name: object, targets: Sequence[str] = TARGETS) -> str | None:
    """The target that tables spell so (``PM2.5``, ``PM2_5`` for pm25), or None.

    ``PM2.5_24h`` and ``O3_8h`` are other quantities, which are left out.
    """
    return {plain(target): target for target in targets}.get(plain(name))


def pollutant_in(column: object, targets: Sequence[str] = TARGETS) -> tuple[str, str | None] | None:
    """The pollutant that a column is called after, and the unit in brackets behind it; or None.

    ``O3 (8h)`` comes with the unit ``8h``, which is not one of a concentration.
    """
    bracket = IN_BRACKETS.fullmatch(str(column))
    name = pollutant_of(column if bracket is None else bracket[1], targets)
    return None if name is None else (name, None if bracket is None else bracket[2].strip())


def named(raw: pd.DataFrame, targets: Sequence[str] = TARGETS) -> dict[str, str]:
    """The table's column for each meaning that it has, times apart."""
    spelt = {plain(column): str(column) for column in reversed(raw.columns)}
    found = {}
    for meaning, aliases in ALIASES.items():
        columns = [spelt[alias] for alias in aliases if alias in spelt]
        if meaning == "pollutant":
            columns = _of_pollutants(raw, columns, targets)
        if columns:
            found[meaning] = columns[0]
    return found


def _of_pollutants(raw: pd.DataFrame, columns: list[str], targets: Sequence[str]) -> list[str]:
    """Of columns that may name pollutants those that do: ``type`` is often that of the station."""
    names = (*TARGETS, *map(plain, targets), "aqi")
    holding = [
        column
        for column in columns
        if any(plain(cell).startswith(names) for cell in raw[column].unique())
    ]
    if holding or any(pollutant_in(column, targets) for column in raw.columns):
        return holding
    return [column for column in columns if plain(column) != "type" or raw.empty]


def time_of(name: object) -> tuple[bool, str] | None:
    """Whether a column is in UTC, and which part of :data:`TIMES` it holds; None if none."""
    spelt = plain(name)
    for ending in (UTC, LOCAL, re.compile("$")):
        base, found = ending.subn("", spelt, count=1)
        if found:
            parts = (part for part, names in TIMES.items() if base in names and spelt)
            part = next(parts, None)
            return None if part is None else (ending is UTC, part)
    return None


def is_text(name: object) -> bool:
    """Whether a column is read as it is written: ``007`` and ``NA`` are names too."""
    return time_of(name) is not None or any(plain(name) in ALIASES[meaning] for meaning in TEXT)


def is_known(name: object) -> bool:
    """Whether a name is that of some column of a table of observations or of places."""
    aliases = (names for names in ALIASES.values())
    known = time_of(name) is not None or pollutant_in(name) is not None
    return known or any(plain(name) in names for names in aliases)


def is_header(cells: Iterable[object]) -> bool:
    """Whether cells of a line are names of columns: at least two of them are known."""
    return sum(is_known(cell) for cell in cells) >= 2
