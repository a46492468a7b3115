"""Airshed: ablation studies of air-quality forecasting transformers in one workflow.

What is named here is the project's interface in Python, described in docs/python.md; beside it
stands :mod:`airshed.lightning`. Everything else is private and may change. Names are imported when
they are first used, so that ``import airshed`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airshed.errors import AirshedError as AirshedError
    from airshed.forecasting.forecaster import Forecaster as Forecaster
    from airshed.forecasting.loading import load as load
    from airshed.side_by_side.frames import Comparison as Comparison
    from airshed.side_by_side.frames import compare as compare
    from airshed.study_results import StudyResults as StudyResults
    from airshed.study_results import read_study as read_study

__version__ = "0.1.0"

PUBLIC = {
    "AirshedError": "airshed.errors",
    "Comparison": "airshed.side_by_side.frames",
    "Forecaster": "airshed.forecasting.forecaster",
    "StudyResults": "airshed.study_results",
    "compare": "airshed.side_by_side.frames",
    "load": "airshed.forecasting.loading",
    "read_study": "airshed.study_results",
}
"""Every public name, and where it is defined."""


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'airshed' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(PUBLIC[name]), name)
    return value


def __dir__() -> list[str]:
    return [*PUBLIC, "__version__"]
