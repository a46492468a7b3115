"""Times of observations in the forms in which people write them; none is guessed.

Each form says by itself what is year, month and day, but one: where the year comes last, day and
month cannot be distinguished, and the configuration must say which comes first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from airshed.config.supplement import StationsConfig
from airshed.errors import AirshedError
from airshed.evaluation.stations.columns import time_of

CLOCK = (
    r"(?P<hour>\d{1,2})(?:[:时時点點]\s*(?:(?P<minute>\d{1,2})"
    r"(?:[:分]\s*(?:(?P<second>\d{1,2}(?:[.,]\d+)?)秒?)?)?)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
ZONE = r"(?:\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
TIME_OF_DAY = rf"(?:(?:[T\s_]\s*|(?<=日)){CLOCK}{ZONE})?"
DAY_FORMS: tuple[str, ...] = (
    r"(?P<year>\d{4})\s*(?:[-/.]|年)\s*(?P<month>\d{1,2})\s*(?:[-/.]|月)\s*(?P<day>\d{1,2})日?"
    + TIME_OF_DAY,
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})" + TIME_OF_DAY,
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[T\s_]?"
    rf"(?:(?P<hour>\d{{2}})(?:(?P<minute>\d{{2}})(?P<second>\d{{2}})?)?)?(?:\.0+)?{ZONE}",
    r"(?P<day>\d{1,2})[-\s]?(?P<named>[A-Za-z]{3})[a-z]*\.?[-\s,]*(?P<year>\d{4})" + TIME_OF_DAY,
    r"(?P<named>[A-Za-z]{3})[a-z]*\.?\s*(?P<day>\d{1,2}),?\s+(?P<year>\d{4})" + TIME_OF_DAY,
)
YEAR_LAST = r"(?P<one>\d{1,2})[-/.](?P<other>\d{1,2})[-/.](?P<year>\d{4})" + TIME_OF_DAY
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
HALVES = {"a": 0.0, "p": 12.0}
ACCEPTED = (
    "2018-01-02 03:00 (also with T, seconds, a zone, / or . between, 2018年1月2日 3时), 2018010203,"
    " 20180102 03:00, 2 Jan 2018 03:00; a date in these forms with a column for the hour, or a"
    " column each for year, month, day and hour; 02/01/2018 03:00 with stations.dates"
)
DAY_AND_HOUR = ("year", "month", "day", "hour")
NS: Final = "datetime64[ns]"


class TimeColumns:
    """Which columns of a table hold the time.

    Raises:
        AirshedError: None does.
    """

    def __init__(self, raw: pd.DataFrame, path: Path) -> None:
        self.raw, self.path = raw, path
        parts: dict[bool, dict[str, str]] = {True: {}, False: {}}
        for column in raw.columns:
            found = time_of(column)
            if found is not None:
                parts[found[0]].setdefault(found[1], str(column))
        self.names = {column for known in parts.values() for column in known.values()}
        complete = [(utc, known) for utc, known in parts.items() if _is_whole(known)]
        if not complete:
            raise AirshedError(
                "a table lacks the time",
                where=path,
                expected="a column named utc, time, datetime, timestamp, TimePoint, date or 时间,"
                f" also followed by (UTC), (LST) or Local; times are written as {ACCEPTED}",
                found=", ".join(map(str, raw.columns[:20])),
            )
        self.in_utc, self.parts = complete[0]

    def read(self, settings: StationsConfig) -> pd.Series:
        """UTC time of each row, without a zone; NaT where it cannot be read.

        Raises:
            AirshedError: Day and month cannot be distinguished, or the times hold no hour.
        """
        days, hours = self._days_and_hours(settings)
        offset_h = 0.0 if self.in_utc else settings.utc_offset_h
        zone_h = days["zone_h"].fillna(offset_h) if "zone_h" in days else offset_h
        seconds = ((hours - zone_h) * 3600).round()
        return (days["day"] + pd.to_timedelta(seconds, unit="s")).astype(NS)

    def _days_and_hours(self, settings: StationsConfig) -> tuple[pd.DataFrame, pd.Series]:
        """Columns ``day`` and, where stated, ``zone_h``; and hours since the day began."""
        if "time" in self.parts:
            whole = self._parsed("time", settings)
            if whole["day"].notna().any() or not _is_whole(self.parts.keys() - {"time"}):
                return whole, self._with_hours(whole, "time")
        if set(DAY_AND_HOUR) <= self.parts.keys():
            numbers = {part: self._column(part) for part in DAY_AND_HOUR}
            return pd.DataFrame({"day": _day(numbers)}), self._clock("hour")
        days = self._parsed("date", settings)
        for part in ("hour", "time"):
            if part in self.parts:
                return days, self._together(days, part)
        return days, self._with_hours(days, "date")

    def _column(self, part: str) -> pd.Series:
        return self.raw[self.parts[part]]

    def _parsed(self, part: str, settings: StationsConfig) -> pd.DataFrame:
        """What the cells of a column say, as :func:`parse` gives it."""
        given = self._column(part)
        if pd.api.types.is_datetime64_any_dtype(given):
            plain = given.dt.tz_convert("UTC").dt.tz_localize(None) if given.dt.tz else given
            day = plain.dt.normalize()
            hour = (plain - day) / pd.Timedelta(hours=1)
            zone_h = 0.0 if given.dt.tz else np.nan
            return pd.DataFrame({"day": day, "hour": hour, "zone_h": zone_h})
        codes, texts = pd.factorize(_texts(given))
        known = parse(pd.Series(texts, dtype=object), settings.dates)
        if known["ambiguous"].any():
            raise self._ambiguous(part, texts[known["ambiguous"]])
        return known.iloc[codes].set_axis(self.raw.index)

    def _clock(self, part: str) -> pd.Series:
        """Hours of a column that holds the time of day alone."""
        codes, texts = pd.factorize(_texts(self._column(part)))
        return (
            _hours(_matched(pd.Series(texts, dtype=object), rf"{CLOCK}(?:\.0+)?"))
            .iloc[codes]
            .set_axis(self.raw.index)
        )

    def _together(self, days: pd.DataFrame, part: str) -> pd.Series:
        """Hours of a column beside one of dates, which may hold them too but no other ones."""
        hours = self._clock(part)
        if not days["hour"].gt(0).any():
            return hours
        differs = days["hour"].ne(hours) & days["hour"].notna() & hours.notna()
        if differs.any():
            row = int(np.argmax(differs))
            raise AirshedError(
                "a table gives two hours for one time",
                where=f"{self.path}, columns {self.parts['date']} and {self.parts[part]}",
                expected="dates without hours, or the same hours in both",
                found=f"{self._column('date').iloc[row]} and {self._column(part).iloc[row]}",
                hint="rename the column that is wrong",
            )
        return days["hour"]

    def _with_hours(self, days: pd.DataFrame, part: str) -> pd.Series:
        """Hours that stand behind days; a day alone is its midnight, if others have hours."""
        known = days["day"].notna()
        if known.any() and not days.loc[known, "hour"].notna().any():
            raise AirshedError(
                "the times of a table hold no hour",
                where=f"{self.path}, column {self.parts[part]}",
                expected=ACCEPTED,
                found=", ".join(self._column(part)[known].astype(str).unique()[:2]),
                hint="means of days are no hourly observations; else add a column named hour",
            )
        return days["hour"].where(days["hour"].notna() | ~known, 0.0)

    def _ambiguous(self, part: str, texts: Any) -> AirshedError:
        return AirshedError(
            "which number of a date is the day and which the month is not known",
            where=f"{self.path}, column {self.parts[part]}",
            expected=ACCEPTED,
            found=", ".join(texts[:2]),
            hint="set stations.dates to day_first or month_first",
        )

    def unreadable(self) -> AirshedError:
        """What is said of a table none of whose times can be read."""
        columns = [self.parts[part] for part in self.parts]
        cells = self.raw[columns].drop_duplicates().head(2).astype(str)
        return AirshedError(
            "no time of a table can be read",
            where=f"{self.path}, {', '.join(columns)}",
            expected=ACCEPTED,
            found=", ".join(repr(" ".join(row)) for row in cells.to_numpy()),
        )


def parse(texts: pd.Series, dates: str | None) -> pd.DataFrame:
    """Day, hours and zone of times as they are written.

    Args:
        texts: Different texts.
        dates: ``day_first`` or ``month_first`` where the year comes last; None if nothing says so.

    Returns:
        A row each: ``day`` (NaT if it is not understood), ``hour`` since its beginning (NaN if the
        text has none), ``zone_h`` ahead of UTC (NaN if it has none), and whether it is
        ``ambiguous``: day and month could be either, and ``dates`` does not say.
    """
    found = pd.DataFrame({"day": pd.NaT, "hour": np.nan, "zone_h": np.nan}, index=texts.index)
    found["day"] = found["day"].astype(NS)
    ambiguous = pd.Series(False, index=texts.index)
    for form in (*DAY_FORMS, YEAR_LAST):
        parts = _matched(texts, form)
        texts = texts.drop(parts.index)
        if form == YEAR_LAST and dates is None:
            ambiguous[parts.index] = True
            continue
        if form == YEAR_LAST:
            order = ("day", "month") if dates == "day_first" else ("month", "day")
            parts = parts.rename(columns=dict(zip(("one", "other"), order, strict=True)))
        if "named" in parts:
            names = parts["named"].str.lower().map({name: n for n, name in enumerate(MONTHS, 1)})
            parts = parts.assign(month=names)
        hour = _hours(parts)
        wrong = parts["hour"].notna() & hour.isna()
        found.loc[parts.index, "day"] = _day(parts).mask(wrong)
        found.loc[parts.index, "hour"] = hour
        found.loc[parts.index, "zone_h"] = _zone_h(parts["zone"])
    return found.assign(ambiguous=ambiguous)


def _is_whole(parts: Collection[str]) -> bool:
    """Whether columns of these parts make a time."""
    return "time" in parts or "date" in parts or set(DAY_AND_HOUR) <= set(parts)


def _texts(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()


def _matched(texts: pd.Series, form: str) -> pd.DataFrame:
    """Named groups of the texts that have a form."""
    matches = {at: found for at, text in texts.items() if (found := re.fullmatch(form, text))}
    groups = list(re.compile(form).groupindex)
    rows = [match.group(*groups) for match in matches.values()]
    return pd.DataFrame(rows, index=list(matches), columns=groups, dtype=object)


def _day(parts: Mapping[str, Any] | pd.DataFrame) -> pd.Series:
    """Days from numbers of year, month and day; NaT where there is none, such as 30 February."""
    columns = {
        part: pd.to_numeric(parts[part], errors="coerce") for part in ("year", "month", "day")
    }
    return pd.to_datetime(pd.DataFrame(columns), errors="coerce").astype(NS)


def _hours(parts: pd.DataFrame) -> pd.Series:
    """Hours since the day began; NaN where the clock shows no such time. 24:00 ends the day."""

    def number(name: str) -> pd.Series:
        text = parts[name].str.replace(",", ".") if name in parts else pd.Series(0, parts.index)
        return pd.to_numeric(text, errors="coerce")

    hour, minute, second = number("hour"), number("minute").fillna(0), number("second").fillna(0)
    if "half" in parts:
        half = parts["half"].str.lower().map(HALVES)
        hour = hour.where(half.isna(), (hour % 12 + half).where(hour.between(1, 12)))
    found = hour + minute / 60 + second / 3600
    return found.where((minute < 60) & (second < 60) & found.between(0, 24))


def _zone_h(zone: pd.Series) -> pd.Series:
    """Hours ahead of UTC; NaN where a text has no zone."""
    signed = zone.str.extract(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?")
    size = pd.to_numeric(signed["hours"]) + pd.to_numeric(signed["minutes"]).fillna(0) / 60
    ahead = size.where(signed["sign"] != "-", -size)
    return ahead.where(signed["sign"].notna(), zone.notna().map({True: 0.0, False: np.nan}))
