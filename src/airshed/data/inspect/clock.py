"""Which time zone the files' names may be in: hints, never a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import netCDF4
import numpy as np

from airshed.data.rawfile import stated_time

WARMEST_SOLAR_H = 14.5  # local solar time at which air near the ground is usually warmest
SURE_K = 0.5  # smallest amplitude of the daily cycle that says anything


def clock_of_temperature(mean_temp_k: Mapping[int, float], lon_deg: float) -> dict[str, Any] | None:
    """What the daily cycle of the mean temperature says of the clock of the files' names.

    Args:
        mean_temp_k: Mean over the grid for each hour of one day, by the files' clock.
        lon_deg: Mean longitude.

    Returns:
        Hour of the warmest air by the files' clock and by UTC, if names are in UTC or ahead of it
        by ``likely_offset_h``; None without a whole day or a clear cycle.
    """
    if sorted(mean_temp_k) != list(range(24)):
        return None
    first_harmonic = np.fft.rfft([mean_temp_k[hour] for hour in range(24)])[1] / 12
    if not abs(first_harmonic) >= SURE_K:
        return None
    warmest = -np.angle(first_harmonic) * 12 / np.pi % 24
    expected_utc = (WARMEST_SOLAR_H - lon_deg / 15) % 24
    offset = (warmest - expected_utc + 12) % 24 - 12
    return {
        "warmest_hour": round(float(warmest), 1),
        "expected_hour_utc": round(float(expected_utc), 1),
        "likely_offset_h": round(float(offset)),
    }


def stated_offset_h(file: netCDF4.Dataset, stamp: datetime) -> float | None:
    """Hours by which a file's name is ahead of its own time coordinate; None if it has none."""
    time = stated_time(file)
    return None if time is None else float((stamp - time).total_seconds() / 3600)
