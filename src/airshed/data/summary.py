"""What an ingest found: hours, gaps, ranges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from airshed.config.data import DatasetConfig
from airshed.variables import HOURLY, VARIABLES

FORMAT_VERSION = 1


def summary(dataset: DatasetConfig, days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of ``ingest.json`` from the notes of all days."""
    hours = [hour for day in days for hour in day["hours"]]
    return {
        "format_version": FORMAT_VERSION,
        "dataset": dataset.name,
        "source": dataset.data_source,
        "wind_frame": dataset.wind_frame,
        "grid": str(dataset.grid),
        "hours_expected": len(hours),
        "hours_present": sum(hour["present"] for hour in hours),
        "gaps": gaps(hours),
        "variables": {name: _range(name, days) for name in HOURLY},
    }


def gaps(hours: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs of hours that are missing for one reason; ``start`` and ``end`` are missing too."""
    runs = []
    numbered = enumerate(hour for hour in hours if not hour["present"])
    for _, run in groupby(numbered, key=lambda item: _run_key(*item)):
        members = [hour for _, hour in run]
        runs.append(
            {
                "start": members[0]["time"],
                "end": members[-1]["time"],
                "hours": len(members),
                "reason": members[0]["reason"],
            }
        )
    return runs


def _run_key(number: int, hour: dict[str, Any]) -> tuple[datetime, str]:
    """Equal for consecutive hours of one reason: time minus position stays the same."""
    return datetime.fromisoformat(hour["time"]) - timedelta(hours=number), hour["reason"]


def _range(name: str, days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    known = [day["ranges"][name] for day in days if day["ranges"][name] is not None]
    return {
        "units": VARIABLES[name].units,
        "min": min((entry["min"] for entry in known), default=None),
        "max": max((entry["max"] for entry in known), default=None),
    }
