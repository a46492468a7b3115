"""Configuration of the comparison of variants with their references."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Section
from airshed.config.data import Count, Fraction


class ComparisonConfig(Section):
    """Paired block bootstrap and the verdict."""

    margin: Fraction = 0.01
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    resamples: Annotated[int, Field(ge=1000)] = 4000
    block_length_h: Literal["auto"] | Count = "auto"
    accept_single_seed: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
