"""Configuration of what is checked beyond the scores of the trained runs."""

from __future__ import annotations

from airshed.config.base import Section
from airshed.config.data import Count


class InterpretationConfig(Section):
    """How many samples of the test split, and tokens of each, are looked at."""

    samples: Count = 512
    queries: Count = 1024
