"""Tables of observations in the forms in which they are published, brought to one form.

Three layouts are known, in CSV (also compressed), workbooks or Parquet:

- one observation a row: station, latitude, longitude, time, pollutant, value, units (OpenAQ);
- one station and hour a row, one column for each pollutant (CNEMC's live reports);
- one pollutant and hour a row, one column for each station (CNEMC's daily archives: ``date``,
  ``hour``, ``type``, ``1001A``, ...), whose positions stand in a table of places.

Columns are known by the names that such tables give them, whatever their case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from airshed.arrays import Integers
from airshed.config.supplement import StationsConfig
from airshed.errors import AirshedError
from airshed.evaluation.stations.columns import (
    ALIASES,
    POSITIONS,
    named,
    pollutant_in,
    pollutant_of,
)
from airshed.evaluation.stations.reading import numbers, read_raw
from airshed.evaluation.stations.times import TimeColumns

ABOUT = ("station", "value", "units", *POSITIONS)
Count = Callable[[str, pd.Series], None]
"""Called with a reason and the pollutants of observations that are rejected for it."""

log = logging.getLogger(__name__)


def read_table(
    path: Path, settings: StationsConfig, targets: Sequence[str], count: Count | None = None
) -> pd.DataFrame:
    """Observations of one table.

    Args:
        path: A CSV file, compressed or not, a workbook, or a Parquet file.
        settings: Time zone of times that carry none, and how dates are written.
        targets: Names of the quantities that are wanted.
        count: Takes what is not read: values beside an unreadable time (``time_unreadable``), and
            cells that hold something other than a number (``value_unreadable``).

    Returns:
        Columns ``station`` (text), ``time`` (UTC, without a zone), ``pollutant`` (in the project's
        names), ``value``, ``units`` (text, missing where the table has none), and those of
        ``latitude``, ``longitude`` and ``elevation`` that the table has. Other pollutants, and
        averages over more than an hour, are left out.

    Raises:
        AirshedError: The file cannot be read, a column that is needed is missing, what its times
            are is not clear, or nothing of it can be read.
    """
    raw = read_raw(path)
    columns = named(raw, targets)
    clock = TimeColumns(raw, path)
    table = _in_one_form(raw, columns, targets, clock, path)
    table["time"] = clock.read(settings).to_numpy()[table.pop("row")]
    table["value"], garbled = numbers(table["value"])
    _refuse_nothing(table, garbled, clock, path)
    timed = table["time"].notna()
    lost = {"time_unreadable": table["value"].notna() & ~timed, "value_unreadable": garbled}
    for reason, rows in lost.items():
        if rows.any():
            log.warning("%s: %d values not read (%s)", path, rows.sum(), reason)
            if count is not None:
                count(reason, table.loc[rows, "pollutant"])
    return table if timed.all() else table[timed].reset_index(drop=True)


def _in_one_form(
    raw: pd.DataFrame,
    columns: Mapping[str, str],
    targets: Sequence[str],
    clock: TimeColumns,
    path: Path,
) -> pd.DataFrame:
    """The observations of the targets, with the ``row`` of the table that each stands in."""
    by_column = {
        column: named_after
        for column in raw.columns
        if (named_after := pollutant_in(column, targets)) is not None
    }
    if "pollutant" in columns and "value" in columns:
        if "station" not in columns:
            raise lacking(path, "station", raw)
        return _one_value_a_row(raw, columns, targets)
    if "pollutant" in columns:
        return _one_station_a_column(raw, columns["pollutant"], targets, clock.names)
    if by_column and "station" in columns:
        return _one_pollutant_a_column(raw, columns, targets, by_column)
    raise AirshedError(
        "a table of observations has none of the known layouts",
        where=path,
        expected="columns for station, time, pollutant and value; or station, time and one for"
        " each pollutant; or date, hour, type and one for each station",
        found=", ".join(map(str, raw.columns[:20])),
        hint="docs/verification.md lists the column names that are understood",
    )


def _one_value_a_row(
    raw: pd.DataFrame, columns: Mapping[str, str], targets: Sequence[str]
) -> pd.DataFrame:
    names = _positions_of(raw[columns["pollutant"]], targets)
    rows = np.flatnonzero(names >= 0)
    found = {name: raw[columns[name]].iloc[rows] for name in ABOUT if name in columns}
    return _observations(rows, names[rows], targets, found)


def _one_pollutant_a_column(
    raw: pd.DataFrame,
    columns: Mapping[str, str],
    targets: Sequence[str],
    by_column: Mapping[str, tuple[str, str | None]],
) -> pd.DataFrame:
    rows = np.tile(np.arange(len(raw)), len(by_column))
    names = np.repeat([targets.index(name) for name, _ in by_column.values()], len(raw))
    wanted = [name for name in ("station", *POSITIONS) if name in columns]
    found = {name: raw[columns[name]].iloc[rows] for name in wanted}
    found["value"] = pd.concat([raw[column] for column in by_column])
    units = np.array([unit for _, unit in by_column.values()], dtype=object)
    found["units"] = pd.Series(np.repeat(units, len(raw)))
    return _observations(rows, names, targets, found)


def _one_station_a_column(
    raw: pd.DataFrame, pollutant_column: str, targets: Sequence[str], times: Collection[str]
) -> pd.DataFrame:
    names = _positions_of(raw[pollutant_column], targets)
    wanted = np.flatnonzero(names >= 0)
    stations = [name for name in raw.columns if name not in (pollutant_column, *times)]
    rows = np.repeat(wanted, len(stations))
    codes, categories = pd.factorize(pd.Index(stations, dtype=str).str.strip())
    found = {
        "station": pd.Categorical.from_codes(np.tile(codes, len(wanted)), categories),
        "value": pd.Series(raw[stations].iloc[wanted].to_numpy().ravel()),
    }
    return _observations(rows, names[rows], targets, found)


def _positions_of(spelt: pd.Series, targets: Sequence[str]) -> Integers:
    """Position among the targets of each name; -1 for others."""
    codes, names = pd.factorize(spelt)
    known = [pollutant_of(name, targets) for name in names]
    of_name = [-1 if name is None else targets.index(name) for name in known]
    return np.array([*of_name, -1])[codes]


def _observations(
    rows: Integers, names: Integers, targets: Sequence[str], found: Mapping[str, Any]
) -> pd.DataFrame:
    """A table of observations in its one form; repeated texts are kept once (categories).

    Args:
        rows: The row of the raw table that each comes from.
        names: Its pollutant, by position among the targets.
        targets: Names of the quantities that are wanted.
        found: Columns ``station`` and ``value``, and those of units and positions that there are.
    """
    table = pd.DataFrame(
        {
            name: column.array if isinstance(column, pd.Series) else column
            for name, column in found.items()
        }
    )
    if not isinstance(table["station"].dtype, pd.CategoricalDtype):
        table["station"] = table["station"].astype("str").fillna("").str.strip().astype("category")
    pollutant = pd.Categorical.from_codes(names, pd.Index(targets))
    units = table["units"] if "units" in table else pd.Series(None, table.index, dtype=object)
    return table.assign(pollutant=pollutant, units=units.astype("category"), row=rows)


def _refuse_nothing(
    table: pd.DataFrame, garbled: pd.Series, clock: TimeColumns, path: Path
) -> None:
    """A table with observations of which none can be read is wrong as a whole."""
    given = table["value"].notna()
    if given.any() and table.loc[given, "time"].isna().all():
        raise clock.unreadable()
    if garbled.any() and not given.any():
        raise AirshedError(
            "no value of a table can be read",
            where=path,
            expected="numbers with a point before their decimals",
            found=f"text in all of {garbled.sum()} cells",
        )


def lacking(path: Path, meaning: str, raw: pd.DataFrame) -> AirshedError:
    """What is said of a table without a column that is needed."""
    return AirshedError(
        f"a table lacks the {meaning}",
        where=path,
        expected=f"a column named {', '.join(ALIASES[meaning])}",
        found=", ".join(map(str, raw.columns[:20])),
    )
