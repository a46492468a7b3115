"""Axes of a forecast of any origin.

They are known by CF standard names, then by the names that forecasting centres and machine-learning
models give them; nothing is guessed from sizes or order.
"""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from airshed.errors import AirshedError

AXES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "init time": (
        "forecast_reference_time",
        (
            "init_time",
            "forecast_reference_time",
            "reference_time",
            "initial_time",
            "initialization_time",
            "analysis_time",
            "base_time",
            "init",
            "time",
        ),
    ),
    "lead time": (
        "forecast_period",
        (
            "lead_time",
            "forecast_period",
            "prediction_timedelta",
            "step",
            "lead",
            "lead_hours",
            "horizon_h",
            "horizon",
            "forecast_hour",
            "fhour",
        ),
    ),
    "latitude": ("latitude", ("latitude", "lat", "lat2d", "xlat", "nav_lat")),
    "longitude": ("longitude", ("longitude", "lon", "lon2d", "xlong", "nav_lon")),
}
"""Standard name and common names of each axis; earlier names win."""


def find_axis(dataset: xr.Dataset, meaning: str) -> str | None:
    """The variable that is this axis; None if there is none."""
    standard_name, names = AXES[meaning]
    for variable in dataset.variables:
        if dataset[variable].attrs.get("standard_name") == standard_name:
            return str(variable)
    lowered = {str(variable).lower(): str(variable) for variable in dataset.variables}
    return next((lowered[name] for name in names if name in lowered), None)


def axis_of(dataset: xr.Dataset, meaning: str, where: str) -> str:
    """The variable that is this axis.

    Raises:
        AirshedError: There is none.
    """
    found = find_axis(dataset, meaning)
    if found is None:
        raise no_axis(meaning, dataset, where)
    return found


def no_axis(meaning: str, dataset: xr.Dataset, where: str, hint: str | None = None) -> AirshedError:
    """What is said of a forecast without an axis."""
    standard_name, names = AXES[meaning]
    return AirshedError(
        f"a forecast has no {meaning}",
        where=where,
        expected=f"a coordinate with standard_name {standard_name}, or named {', '.join(names)}",
        found=", ".join(map(str, dataset.variables)),
        hint=hint,
    )
