"""Forecasts that need no network: what any network has to beat.

This is the one list of them. Nothing heavy is imported here: the workflow and the command line read
the names.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airshed.evaluation.baselines.known import Known
    from airshed.evaluation.batch import Forecaster

BASELINES = {
    "persistence": "persistence:persistence",
    "same_hour_persistence": "persistence:same_hour_persistence",
    "climatology": "persistence:climatology",
    "damped_persistence": "persistence:damped_persistence",
    "ridge": "ridge:ridge",
}
"""Module and function of each, by the name that scores carry; in the order of the report."""


def baseline(name: str) -> Callable[[Known], Forecaster]:
    """What makes a forecaster, which may learn from the training split and read earlier hours."""
    made: Callable[[Known], Forecaster] = resolve_name(f"{__name__}.{BASELINES[name]}")
    return made
