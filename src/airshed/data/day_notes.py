"""What an ingest found, day by day: hours, gaps, ranges, quality."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from airshed.config.data import DatasetConfig
from airshed.data.quality import Counts, Inspected
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import INGEST, VERSION
from airshed.variables import Quantities

ABSENT = "not in the archives"
TWICE = "there more than once"
DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError)
"""What reading a damaged note raises."""
QUALITY_COLUMNS = (
    "month",
    "variable",
    "units",
    "hours_expected",
    "hours_missing",
    "hours_duplicate",
    "hours_constant",
    "cells_missing",
    "cells_implausible",
    "min",
    "mean",
    "max",
)


@dataclass
class DayNote:
    """What an ingest found in one day; its file completes the day.

    Attributes:
        day: The date, ISO.
        origin: Key of settings and native grid, then name, size and time of each raw file.
        reasons: Why each hour is missing; None if it is usable.
        cells_missing: By variable.
        cells_implausible: By variable.
        hours_constant: By variable.
        ranges: Extremes, sum and number of values on the study grid, by variable.
        sha256: Checksums of the raw files.
        content: Checksum of the stored values.
        shards: Checksum of the files that they are stored in.
    """

    day: str
    origin: list[Any]
    reasons: dict[int, str | None]
    cells_missing: Counts = field(default_factory=dict)
    cells_implausible: Counts = field(default_factory=dict)
    hours_constant: Counts = field(default_factory=dict)
    ranges: dict[str, dict[str, float] | None] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    content: str = ""
    shards: str = ""

    @classmethod
    def of(cls, day: date, origin: list[Any], step_h: int) -> DayNote:
        """A day before its first hour is read."""
        return cls(day.isoformat(), origin, dict.fromkeys(range(0, 24, step_h), ABSENT))

    def seen(self, hour: int) -> bool:
        """Whether the hour was read before."""
        return self.reasons[hour] != ABSENT

    def add_duplicate(self, hour: int) -> None:
        """Note that an hour is there again, so that neither can be used."""
        self.reasons[hour] = TWICE

    def add(self, hour: int, found: Inspected) -> None:
        """Note the result of an hour's checks."""
        self.reasons[hour] = found.unusable
        for noted, more in (
            (self.cells_missing, found.cells_missing),
            (self.cells_implausible, found.cells_implausible),
            (self.hours_constant, dict.fromkeys(found.constant, 1)),
        ):
            noted |= {name: noted.get(name, 0) + count for name, count in more.items()}

    def add_ranges(self, fields: npt.NDArray[np.float32], hourly: Sequence[str]) -> None:
        """Note extremes and sums of the regridded day, [hour, V, Y, X]."""
        self.ranges = {name: _range(fields[:, index]) for index, name in enumerate(hourly)}

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of the day's hours are usable."""
        return np.array([self.reasons[hour] is None for hour in sorted(self.reasons)])

    def hours(self) -> list[tuple[datetime, str | None]]:
        """Time of each hour, and why it is missing."""
        start = datetime.fromisoformat(self.day)
        return [
            (start + timedelta(hours=hour), self.reasons[hour]) for hour in sorted(self.reasons)
        ]

    def write(self, path: Path) -> None:
        """Write the note, atomically, with a checksum."""
        content = asdict(self)
        write_json(path, {"sha256": _checksum(content), "note": content})

    @classmethod
    def read(cls, path: Path) -> DayNote:
        """Read what :meth:`write` wrote; one of DAMAGED is raised if it is damaged."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        content = stored["note"]
        if _checksum(content) != stored["sha256"]:
            raise ValueError("its checksum is another one")
        reasons = {int(hour): reason for hour, reason in content.pop("reasons").items()}
        return cls(reasons=reasons, **content)


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _range(fields: npt.NDArray[np.float32]) -> dict[str, float] | None:
    known = fields[np.isfinite(fields)]
    if not known.size:
        return None
    total = float(known.sum(dtype=np.float64))
    return {"min": float(known.min()), "max": float(known.max()), "sum": total, "n": known.size}


def summary(dataset: DatasetConfig, days: Sequence[DayNote]) -> dict[str, Any]:
    """The content of ``ingest.json`` from the notes of all days."""
    hours, quantities = [hour for day in days for hour in day.hours()], dataset.quantities
    return {
        VERSION: INGEST.version,
        "dataset": dataset.name,
        "source": dataset.data_source,
        "wind_frame": dataset.wind_frame,
        "grid": str(dataset.grid),
        "time_step_h": dataset.time_step_h,
        "hours_expected": len(hours),
        "hours_present": sum(reason is None for _, reason in hours),
        "gaps": gaps(hours, dataset.time_step_h),
        "variables": {
            name: {"units": quantities[name].units, **_extremes([day.ranges[name] for day in days])}
            for name in quantities.hourly
        },
    }


def gaps(hours: Iterable[tuple[datetime, str | None]], step_h: int = 1) -> list[dict[str, Any]]:
    """Runs of hours that are missing for one reason, from ``start`` to ``end`` inclusive.

    Args:
        hours: Time of each, in order, and why it is missing; None if it is not.
        step_h: Hours from one to the next.
    """
    runs = []
    numbered = enumerate(hour for hour in hours if hour[1] is not None)
    # consecutive hours of one reason: time minus position stays the same
    for _, run in groupby(
        numbered, lambda item: (item[1][0] - timedelta(hours=step_h * item[0]), item[1][1])
    ):
        members = [hour for _, hour in run]
        runs.append(
            {
                "start": members[0][0].isoformat(),
                "end": members[-1][0].isoformat(),
                "hours": len(members),
                "reason": members[0][1],
            }
        )
    return runs


def _extremes(ranges: Sequence[dict[str, float] | None]) -> dict[str, float | None]:
    known = [entry for entry in ranges if entry is not None]
    return {
        "min": min((entry["min"] for entry in known), default=None),
        "max": max((entry["max"] for entry in known), default=None),
    }


def quality_table(quantities: Quantities, days: Sequence[DayNote]) -> str:
    """``quality.csv``: one row per month and variable.

    Cells are counted on the native grid over all hours that were read; minimum, mean and maximum
    are those of the study grid.
    """
    months: dict[str, list[DayNote]] = defaultdict(list)
    for day in days:
        months[day.day[:7]].append(day)
    rows = [
        _row(month, name, notes) | {"units": quantities[name].units}
        for month, notes in sorted(months.items())
        for name in quantities.hourly
    ]
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS)).to_csv(
        index=False, float_format="%.6g", lineterminator="\n"
    )


def _row(month: str, name: str, days: Sequence[DayNote]) -> dict[str, Any]:
    reasons = [reason for day in days for reason in day.reasons.values()]
    known = [entry for day in days if (entry := day.ranges[name]) is not None]
    count = sum(entry["n"] for entry in known)
    return {
        "month": month,
        "variable": name,
        "hours_expected": len(reasons),
        "hours_missing": sum(reason is not None for reason in reasons),
        "hours_duplicate": sum(reason == TWICE for reason in reasons),
        "hours_constant": sum(day.hours_constant.get(name, 0) for day in days),
        "cells_missing": sum(day.cells_missing.get(name, 0) for day in days),
        "cells_implausible": sum(day.cells_implausible.get(name, 0) for day in days),
        "mean": sum(entry["sum"] for entry in known) / count if count else None,
        **_extremes(known),
    }
