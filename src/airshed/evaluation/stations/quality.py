"""Quality control of observations: plain checks, each counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from airshed.arrays import Flags, Floats, Integers
from airshed.config.supplement import StationQuality
from airshed.variables import Variable


class Series:
    """Hourly values of stations, filled from tables row by row, duplicates noticed.

    Args:
        times: Hours that are wanted, UTC, one after the other.
        targets: What is wanted.

    Attributes:
        counts: How many rows were rejected, by reason and pollutant.
    """

    def __init__(self, times: pd.DatetimeIndex, targets: Sequence[Variable]) -> None:
        self.times, self.targets = times, tuple(targets)
        self.counts: dict[str, dict[str, int]] = {}
        self._rows: dict[str, int] = {}
        self._values = np.empty((0, len(targets), len(times)), dtype=np.float32)
        self._contradicted = np.empty(self._values.shape, dtype=bool)

    def add(self, table: pd.DataFrame) -> None:
        """Add rows with the columns ``station``, ``time``, ``pollutant`` and ``value``.

        A value that stands there twice is taken once. Two different values for one hour contradict
        each other, and both are rejected.
        """
        on_the_hour = table["time"] == table["time"].dt.floor("h")
        self.count("not_on_the_hour", table.loc[~on_the_hour, "pollutant"])
        hour = self.times.get_indexer(pd.DatetimeIndex(table["time"]))
        wanted = on_the_hour & (hour >= 0) & table["value"].notna()
        rows = self._rows_of(table.loc[wanted, "station"])
        names = [each.name for each in self.targets]
        of_target = pd.Categorical(table.loc[wanted, "pollutant"], categories=names)
        pollutant = of_target.codes.astype(np.int64)
        cell = (rows * len(names) + pollutant) * len(self.times) + hour[wanted]
        given = (
            table.loc[wanted, "value"].astype(np.float32).groupby(cell).agg(["min", "max", "size"])
        )
        self._take(given.index.to_numpy(), *(given[key].to_numpy() for key in given))

    def _take(self, at: Integers, low: Floats, high: Floats, size: Integers) -> None:
        """Lowest and highest value and number of rows that are given for some cells."""
        values, contradicted = self._values.reshape(-1), self._contradicted.reshape(-1)
        again = np.isfinite(values[at])
        differs = (low != high) | (again & (values[at] != low)) | contradicted[at]
        values[at] = np.where(differs, np.nan, low)
        contradicted[at] = differs
        pollutant = at // len(self.times) % len(self.targets)
        rows = size + again
        for reason, flags, number in (
            ("duplicate", ~differs, rows - 1),
            ("contradiction", differs, rows),
        ):
            for index, target in enumerate(self.targets):
                self._count(reason, target.name, int(number[flags & (pollutant == index)].sum()))

    def _rows_of(self, stations: pd.Series) -> Integers:
        """Row of each station; new ones get new rows."""
        codes, names = pd.factorize(stations)
        row_of = [self._rows.setdefault(str(name), len(self._rows)) for name in names]
        lacking = len(self._rows) - len(self._values)
        if lacking > 0:
            more = max(lacking, len(self._values))  # doubled, so that growing takes little time
            shape = (more, *self._values.shape[1:])
            unknown = np.full(shape, np.nan, dtype=np.float32)
            self._values = np.concatenate([self._values, unknown])
            self._contradicted = np.concatenate([self._contradicted, np.zeros(shape, dtype=bool)])
        return np.array(row_of, dtype=np.int64)[codes]

    def count(self, reason: str, pollutants: pd.Series) -> None:
        """Count rejected rows, each given by its pollutant."""
        for pollutant, number in pollutants.value_counts().items():
            self._count(reason, str(pollutant), int(number))

    def _count(self, reason: str, pollutant: str, number: int) -> None:
        if number:
            counts = self.counts.setdefault(reason, {})
            counts[pollutant] = counts.get(pollutant, 0) + number

    def stations(self) -> list[str]:
        """Every station, in the order of their names."""
        return sorted(self._rows)

    def quality_controlled(self, stations: Sequence[str], settings: StationQuality) -> Floats:
        """Values [S, targets, T] of some stations that pass every check; NaN elsewhere."""
        out = np.full((len(stations), len(self.targets), len(self.times)), np.nan, dtype=np.float32)
        for row, station in enumerate(stations):
            for number, target in enumerate(self.targets):
                values = self._values[self._rows[station], number]
                for reason, flags in checks(values, target, settings).items():
                    self._count(reason, target.name, int((flags & np.isfinite(values)).sum()))
                    values = np.where(flags, np.nan, values)
                out[row, number] = values
        return out


def checks(values: Floats, target: Variable, settings: StationQuality) -> dict[str, Flags]:
    """What is rejected of a series of hourly values [T], by reason, in the order of the checks.

    - ``negative``: below zero, of what cannot be; missing values are often coded so.
    - ``implausible``: above or below what is physically possible.
    - ``flat_line``: the same value in ``flat_line_h`` consecutive hours or more.
    - ``spike``: one hour that lies above or below both its neighbours by more than ``spike_factor``
      times the typical change from one hour to the next (median of the changes that are not zero).
    """
    negative = (values < 0) & (target.low >= 0)
    implausible = ((values < target.low) | (values > target.high)) & ~negative
    plausible = np.where(negative | implausible, np.nan, values)
    return {
        "negative": negative,
        "implausible": implausible,
        "flat_line": flat_line(plausible, settings.flat_line_h),
        "spike": spike(plausible, settings.spike_factor),
    }


def flat_line(values: Floats, hours: int) -> Flags:
    """Hours [T] that belong to a run of equal values at least ``hours`` long."""
    if not len(values):
        return np.zeros(0, dtype=bool)
    starts = np.concatenate([[True], ~(values[1:] == values[:-1])])  # NaN equals nothing
    run = np.cumsum(starts) - 1
    flat: Flags = np.bincount(run)[run] >= hours
    return flat & np.isfinite(values)


def spike(values: Floats, factor: float) -> Flags:
    """Hours [T] that stand out from both their neighbours, to the same side."""
    flags = np.zeros(len(values), dtype=bool)
    changes = np.diff(values)
    typical = np.abs(changes[np.isfinite(changes) & (changes != 0)])
    if len(typical):
        limit = factor * np.median(typical)
        up, down = changes[:-1], -changes[1:]
        flags[1:-1] = (np.minimum(up, down) > limit) | (np.maximum(up, down) < -limit)
    return flags
