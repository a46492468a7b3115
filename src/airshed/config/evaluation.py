"""Configuration of scores, and of the comparison of variants with their references."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field

from airshed.config.base import Section
from airshed.config.data import BINNED, SCORES, Count, Fraction, Positive
from airshed.config.shapes import Shapes

Numbers = TypeVar("Numbers", bound=tuple[float, ...])


def _rising(numbers: Numbers) -> Numbers:
    if any(low >= high for low, high in pairwise(numbers)):
        raise ValueError(f"the numbers must rise: {list(numbers)}")
    return numbers


Edges = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_rising)]
"""Inner edges of classes, rising."""


class ClimatologyConfig(Section):
    """The climatology of the training split."""

    harmonics: Annotated[int, Field(ge=0, le=12), Shapes("climatology")] = 2


class EvaluationConfig(Section):
    """How forecasts are scored."""

    RENAMED: ClassVar[Mapping[str, str]] = {"climatology_harmonics": "climatology.harmonics"}

    batch_size: Annotated[Count, Shapes(*SCORES, used_by=("interpretation",))] = 16
    ridge_penalty: Annotated[Positive, Shapes("baseline")] = 0.01
    elevation_edges_m: Annotated[Edges, Shapes(*BINNED)] = (500.0, 1500.0, 3000.0)
    ruggedness_edges_m: Annotated[Edges, Shapes(*BINNED)] = (50.0, 200.0)
    wind_speed_edges_ms: Annotated[Edges, Shapes(*BINNED, "wind_roses")] = (2.0, 5.0)
    ensemble: Annotated[bool, Shapes("report")] = False
    save_forecasts: Annotated[bool, Shapes("scores")] = False


class ComparisonConfig(Section):
    """Paired block bootstrap and the verdict."""

    margin: Fraction = 0.01
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    resamples: Annotated[int, Field(ge=1000)] = 4000
    block_length_h: Literal["auto"] | Count = "auto"
    accept_single_seed: bool = False
    looks: Annotated[tuple[Annotated[int, Field(ge=2)], ...], AfterValidator(_rising)] = ()
    seed: Annotated[int, Field(ge=0)] = 0
