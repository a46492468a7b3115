"""Configuration of scores, and of the comparison of variants with their references."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field

from airshed.config.base import Count, Fraction, Positive, Section
from airshed.config.data import BINNED, SCORES
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
    """Harmonics of the year in the climatology of each cell and hour of the day; none are used
    if the training split covers fewer than 360 days of the year."""


class EvaluationConfig(Section):
    """How forecasts are scored."""

    RENAMED: ClassVar[Mapping[str, str]] = {"climatology_harmonics": "climatology.harmonics"}

    batch_size: Annotated[Count, Shapes(*SCORES, used_by=("interpretation",))] = 16
    """Samples per forward pass."""
    ridge_penalty: Annotated[Positive, Shapes("baseline")] = 0.01
    """Penalty on the coefficients of standardised inputs of the `ridge` baseline."""
    elevation_edges_m: Annotated[Edges, Shapes(*BINNED)] = (500.0, 1500.0, 3000.0)
    """Inner edges of the classes of elevation that get scores of their own; see docs/scores.md."""
    ruggedness_edges_m: Annotated[Edges, Shapes(*BINNED)] = (50.0, 200.0)
    """The same of the standard deviation of elevation in 3 x 3 cells."""
    wind_speed_edges_ms: Annotated[Edges, Shapes(*BINNED, "wind_roses")] = (2.0, 5.0)
    """The same of the wind speed at the init time."""
    ensemble: Annotated[bool, Shapes("report")] = False
    """Score all seeds of each variant as an ensemble too, in one more pass over the test split;
    wants two seeds or more; see docs/scores.md#ensembles."""
    save_forecasts: Annotated[bool, Shapes("scores")] = False
    """Keep every forecast of each network as `forecasts.zarr` beside its scores, which are then
    made here even if another study has them; see docs/forecast-archive.md."""


class ComparisonConfig(Section):
    """Paired block bootstrap and the verdict."""

    margin: Fraction = 0.01
    """Smallest relative change of RMSE that matters."""
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level after Holm's adjustment, over variants or over pollutants x horizons; see
    docs/statistics.md."""
    resamples: Annotated[int, Field(ge=1000)] = 4000
    """How often init times are resampled, for each of two block lengths."""
    block_length_h: Literal["auto"] | Count = "auto"
    """Length of the blocks of init times that are resampled; `auto` finds it from the
    autocorrelation of the errors."""
    accept_single_seed: bool = False
    """A study with one seed may yield verdicts, which then hold for these trained networks only."""
    looks: Annotated[tuple[Annotated[int, Field(ge=2)], ...], AfterValidator(_rising)] = ()
    """Numbers of seeds at which the study is judged while it grows, such as `[3, 5]`: the level
    is divided among them; the study must have one of these numbers. `[]`: it is judged once."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the resampling."""
