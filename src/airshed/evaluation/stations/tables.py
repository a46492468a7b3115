"""Tables of observations in the forms in which they are published, brought to one form.

Three layouts are known, in CSV (also compressed) or Parquet:

- one observation a row: station, latitude, longitude, time, pollutant, value, units (OpenAQ);
- one station and hour a row, one column for each pollutant (CNEMC's live reports);
- one pollutant and hour a row, one column for each station (CNEMC's daily archives: ``date``,
  ``hour``, ``type``, ``1001A``, ...), whose positions stand in a table of places.

Columns are known by the names that such tables give them, whatever their case.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.config.supplement import StationsConfig
from airshed.errors import AirshedError, refusing

ALIASES: Mapping[str, tuple[str, ...]] = {
    "station": (
        "station",
        "stationid",
        "stationcode",
        "site",
        "siteid",
        "code",
        "locationid",
        "location",
        "监测点编码",
    ),
    "latitude": ("latitude", "lat", "纬度"),
    "longitude": ("longitude", "lon", "lng", "long", "经度"),
    "elevation": ("elevation", "elevationm", "altitude", "altitudem", "alt", "height", "海拔"),
    "time": ("utc", "datetimeutc", "dateutc", "time", "datetime", "timepoint", "timestamp"),
    "pollutant": ("pollutant", "parameter", "type", "species"),
    "value": ("value", "concentration", "measurement"),
    "units": ("units", "unit"),
}
"""Column names by meaning, spelt without case, blanks and punctuation; earlier ones win."""
IN_UTC = ("utc", "datetimeutc", "dateutc")
OPENERS: Mapping[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
MOST_BYTES = 2**32
READ_ERRORS = (
    OSError,
    ValueError,
    ImportError,
    EOFError,
    RuntimeError,
    OverflowError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    pd.errors.ParserWarning,
)
POSITIONS = ("latitude", "longitude", "elevation")
COLUMNS = ("station", "time", "pollutant", "value", "units")


def read_table(path: Path, settings: StationsConfig, targets: Sequence[str]) -> pd.DataFrame:
    """Observations of one table.

    Args:
        path: A CSV file, compressed or not, or a Parquet file.
        settings: Time zone of times that carry none.
        targets: Names of the quantities that are wanted.

    Returns:
        Columns ``station`` (text), ``time`` (UTC, without a zone), ``pollutant`` (in the project's
        names), ``value``, ``units`` (text, None where the table has none), and those of
        ``latitude``, ``longitude`` and ``elevation`` that the table has. Other pollutants, and
        averages over more than an hour, are left out.

    Raises:
        AirshedError: The file cannot be read, or a column that is needed is missing.
    """
    raw = _read(path)
    named = _named(raw)
    times = _times(raw, named, path, settings.utc_offset_h)
    pollutant_columns = {
        column: name for column in raw.columns if (name := target_of(column, targets)) is not None
    }
    if "pollutant" in named and "value" in named:
        if "station" not in named:
            raise _lacking(path, "station", raw)
        table = _one_value_a_row(raw, named)
    elif "pollutant" in named:
        table = _one_station_a_column(raw, named, targets)
    elif pollutant_columns and "station" in named:
        table = _one_pollutant_a_column(raw, named, pollutant_columns)
    else:
        raise AirshedError(
            "a table of observations has none of the known layouts",
            where=path,
            expected="columns for station, time, pollutant and value; or station, time and one for"
            " each pollutant; or date, hour, type and one for each station",
            found=", ".join(map(str, raw.columns[:20])),
            hint="docs/supplement.md lists the column names that are understood",
        )
    table["time"] = times.reindex(table.index)
    table["pollutant"] = table["pollutant"].map(lambda name: target_of(name, targets))
    table["station"] = table["station"].astype(str).str.strip()
    table["value"] = pd.to_numeric(table["value"], errors="coerce")
    known = table["pollutant"].notna() & table["time"].notna()
    return table[known].reset_index(drop=True)


def read_positions(path: Path) -> pd.DataFrame:
    """Positions of stations: index ``station``; ``latitude``, ``longitude``, ``elevation``.

    Raises:
        AirshedError: The file cannot be read, or a column that is needed is missing.
    """
    raw = _read(path)
    named = _named(raw)
    for needed in ("station", "latitude", "longitude"):
        if needed not in named:
            raise _lacking(path, needed, raw)
    places = pd.DataFrame({"station": raw[named["station"]].astype(str).str.strip()})
    for name in POSITIONS:
        given = raw[named[name]] if name in named else float("nan")
        places[name] = pd.to_numeric(given, errors="coerce")
    return places.drop_duplicates("station").set_index("station")


def target_of(name: object, targets: Sequence[str]) -> str | None:
    """The target that tables call so (``PM2.5``, ``PM2_5`` for pm25), or None.

    ``PM2.5_24h`` and ``O3_8h`` are other quantities, and none of ours.
    """
    return {_plain(target): target for target in targets}.get(_plain(name))


def _plain(name: object) -> str:
    return re.sub(r"[\W_]+", "", str(name)).lower()


def _read(path: Path) -> pd.DataFrame:
    with refusing(
        *READ_ERRORS,
        what="a table of observations cannot be read",
        where=path,
        expected="CSV in UTF-8, compressed or not, or Parquet",
        hint="fetch it again, or save it as one of these",
    ):
        if ".parquet" in path.suffixes:
            return pd.read_parquet(path)
        content = _unpacked(path)
        with warnings.catch_warnings():
            # rows longer than the header: pandas would shift or cut them
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(BytesIO(content), low_memory=False, index_col=False)
        station = _named(table).get("station")
        if station is not None:  # 007 and NA are stations too
            names = pd.read_csv(BytesIO(content), usecols=[station], dtype=str, na_filter=False)
            table[station] = names[station]
        return table


def _unpacked(path: Path) -> bytes:
    """The whole content of a file: pandas itself takes a compressed one that is cut for whole."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (member,) = archive.infolist()
            if member.file_size > MOST_BYTES:
                raise ValueError(f"{member.file_size:,} bytes, more than {MOST_BYTES:,}")
            return archive.read(member)
    with OPENERS.get(path.suffix, open)(path, "rb") as stream:
        content: bytes = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES:,} bytes")
    return content


def _named(raw: pd.DataFrame) -> dict[str, str]:
    """The table's column for each meaning that it has."""
    plain = {_plain(column): str(column) for column in reversed(raw.columns)}
    found = {}
    for meaning, aliases in ALIASES.items():
        column = next((plain[alias] for alias in aliases if alias in plain), None)
        if column is not None:
            found[meaning] = column
    return found


def _times(
    raw: pd.DataFrame, named: Mapping[str, str], path: Path, utc_offset_h: float
) -> pd.Series:
    """UTC time of each row; NaT where it cannot be read."""
    plain = {_plain(column): column for column in raw.columns}
    if "time" in named:
        given = raw[named["time"]]
        zone_stated = _plain(named["time"]) in IN_UTC
    elif "date" in plain and "hour" in plain:
        days = pd.to_datetime(raw[plain["date"]].astype(str), format="%Y%m%d", errors="coerce")
        hours = pd.to_numeric(raw[plain["hour"]], errors="coerce")
        given, zone_stated = days + pd.to_timedelta(hours, unit="h"), False
    else:
        raise _lacking(path, "time", raw)
    offset = pd.Timedelta(0) if zone_stated else pd.Timedelta(hours=utc_offset_h)
    if pd.api.types.is_datetime64_any_dtype(given):
        aware = getattr(given.dt, "tz", None) is not None
        return given.dt.tz_convert("UTC").dt.tz_localize(None) if aware else given - offset
    text = given.astype(str)
    with_zone = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
    parsed = pd.to_datetime(text, utc=True, format="mixed", errors="coerce").dt.tz_localize(None)
    return parsed.where(with_zone, parsed - offset)


def _one_value_a_row(raw: pd.DataFrame, named: Mapping[str, str]) -> pd.DataFrame:
    wanted = [name for name in (*COLUMNS, *POSITIONS) if name in named and name != "time"]
    table = pd.DataFrame({name: raw[named[name]] for name in wanted})
    return table if "units" in table else table.assign(units=None)


def _one_pollutant_a_column(
    raw: pd.DataFrame, named: Mapping[str, str], columns: Mapping[str, str]
) -> pd.DataFrame:
    kept = [name for name in ("station", *POSITIONS) if name in named]
    table = pd.DataFrame({name: raw[named[name]] for name in kept} | {c: raw[c] for c in columns})
    return table.melt(
        id_vars=kept, value_vars=list(columns), var_name="pollutant", ignore_index=False
    ).assign(units=None)


def _one_station_a_column(
    raw: pd.DataFrame, named: Mapping[str, str], targets: Sequence[str]
) -> pd.DataFrame:
    wanted = raw[raw[named["pollutant"]].map(lambda name: target_of(name, targets)).notna()]
    about = {named["pollutant"], named.get("time")}
    stations = [c for c in raw.columns if c not in about and _plain(c) not in ("date", "hour")]
    table = wanted.rename(columns={named["pollutant"]: "pollutant"})
    return table.melt(
        id_vars=["pollutant"], value_vars=stations, var_name="station", ignore_index=False
    ).assign(units=None)


def _lacking(path: Path, meaning: str, raw: pd.DataFrame) -> AirshedError:
    return AirshedError(
        f"a table lacks the {meaning}",
        where=path,
        expected=f"a column named {', '.join(ALIASES[meaning])}",
        found=", ".join(map(str, raw.columns[:20])),
    )
