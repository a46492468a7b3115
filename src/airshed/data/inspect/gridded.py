"""Inspection of a gridded series that a study describes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.config.data import DatasetConfig
from airshed.data.gridded.listing import series_files
from airshed.data.gridded.series import GriddedSeries, open_series
from airshed.data.inspect.hours import chosen_times, counted
from airshed.data.inspect.listing import Listing
from airshed.data.inspect.tally import Tally
from airshed.data.problems import Findings
from airshed.errors import AirshedError
from airshed.files import folder_state, size_and_time

SHOWN = 5


def list_series(path: Path, findings: Findings) -> Listing:
    """The files and their total size."""
    found = Listing(forms=Counter())
    with findings:
        for file in series_files(str(path)):
            kind = "Zarr store" if file.is_dir() else f"file {file.suffix or 'without an ending'}"
            found.forms[kind] += 1
            size = folder_state(file)[1] if file.is_dir() else size_and_time(file)[0]
            found.size_bytes += size
    return found


def look_at_series(
    path: Path, dataset: DatasetConfig, count: int | None, tally: Tally
) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """Read ``count`` times of a series, or every one if None; problems are noted.

    Returns:
        Counts of times, None if no file is usable; and the conversions to quantities, in words.
    """
    with tally.findings:
        series = open_series(dataset, str(path), tally.findings)
        if series.unused:
            some = ", ".join(map(str, series.unused[:SHOWN]))
            text = f"{len(series.unused)} files hold nothing that the study reads"
            tally.findings.remark(text, some + (", ..." if series.unused[SHOWN:] else ""))
        return _times(series, dataset, count, tally), series.conversions()
    return None, {}


def _times(
    series: GriddedSeries, dataset: DatasetConfig, count: int | None, tally: Tally
) -> dict[str, Any]:
    step, days = pd.Timedelta(hours=dataset.time_step_h), dataset.period.days
    expected = pd.date_range(days[0], periods=len(days) * dataset.steps_a_day, freq=step)
    whole = expected.intersection(series.whole_times)
    for name, there in series.times_by_quantity.items():
        if without := len(expected.intersection(series.times).difference(there)):
            remark = f"{without} times lack {name}, and count as missing"
            tally.findings.remark(remark, f"{dataset.period}")
    sampled = []
    chosen = chosen_times(whole, count) if len(whole) else {}
    for day, chosen_hours in chosen.items():
        for hour in series.day(day).hours(tally.findings):
            if hour.time_utc.hour in chosen_hours:
                tally.look(hour.read(tally.findings), hour.where)
                sampled.append(hour.time_utc.isoformat())
    if not len(whole):
        tally.findings.add(
            AirshedError(
                "no time of the period has every quantity",
                where=f"dataset.period ({dataset.period})",
                found=series.span(),
                hint="correct dataset.period or dataset.path",
            )
        )
    wanted, found = (times.to_pydatetime().tolist() for times in (expected, whole))
    reason = "not in the series"
    return counted(wanted, found, "UTC", reason, dataset.time_step_h) | {
        "days_opened": len(chosen),
        "days": len(days),
        "sampled": sampled,
    }
