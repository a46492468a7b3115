"""Forecasts that need no network: what any network has to beat."""

from __future__ import annotations

from collections.abc import Callable

from airshed.evaluation.baselines.climatology import climatology
from airshed.evaluation.baselines.known import Known
from airshed.evaluation.baselines.persistence import persistence, same_hour_persistence
from airshed.evaluation.baselines.ridge import ridge
from airshed.evaluation.batch import Forecaster

BASELINES: dict[str, Callable[[Known], Forecaster]] = {
    "persistence": persistence,
    "same_hour_persistence": same_hour_persistence,
    "climatology": climatology,
    "ridge": ridge,
}
"""By the name that scores carry; each may learn from the training split and read hours up to the
init time."""
