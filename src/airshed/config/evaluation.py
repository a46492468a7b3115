"""Configuration of scores."""

from __future__ import annotations

from airshed.config.base import Section
from airshed.config.data import Count


class EvaluationConfig(Section):
    """How trained models are scored."""

    batch_size: Count = 16
