"""Configuration of data: where the raw files are, what they hold, the study grid, the splits."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airshed.config.base import Section
from airshed.variables import HOURLY

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Period(Section):
    """Whole days, UTC, first and last day included."""

    start: date
    end: date

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"the period ends ({self.end}) before it starts ({self.start})")
        return self

    @property
    def days(self) -> list[date]:
        """Every day of the period."""
        count = (self.end - self.start).days + 1
        return [self.start + timedelta(days=offset) for offset in range(count)]

    def overlaps(self, other: Period) -> bool:
        """Whether the two share a day."""
        return self.start <= other.end and other.start <= self.end

    def contains(self, other: Period) -> bool:
        """Whether ``other`` lies inside this period."""
        return self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.start:%Y%m%d}-{self.end:%Y%m%d}"


class Split(Period):
    """A period from which samples are drawn, one init time every ``init_every_h`` hours."""

    init_every_h: Count = 1


class Splits(Section):
    """Training, validation and test periods; they share no day."""

    train: Split
    validation: Split
    test: Split

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        named = [("train", self.train), ("validation", self.validation), ("test", self.test)]
        for index, (name, split) in enumerate(named):
            for other_name, other in named[index + 1 :]:
                if split.overlaps(other):
                    raise ValueError(
                        f"splits must not overlap: '{name}' ({split}) and '{other_name}' ({other})"
                    )
        return self


class GridShape(Section):
    """Rows and columns of a grid or of a division of it."""

    rows: Count
    columns: Count

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


class SimulatorConfig(Section):
    """The simulated atmosphere that stands in for raw data."""

    seed: Annotated[int, Field(ge=0)] = 0
    grid: GridShape = GridShape(rows=40, columns=80)
    cell_km: Positive = 60.0
    terrain_blocking: Fraction = 0.7


class DatasetConfig(Section):
    """One set of raw files and the grid that they are brought to."""

    name: Name
    source: Literal["simulator", "caqra"]
    path: str | None = None
    elevation_file: str | None = None
    population_file: str | None = None
    elevation_variable: str | None = None
    elevation_floor_m: float | None = None
    population_variable: str | None = None
    population_band: Count | None = None
    population_kind: Literal["count", "density"] | None = None
    static_crs: str | None = None
    period: Period
    time_step_h: Literal[1] = 1
    utc_offset_h: Annotated[float, Field(ge=-12, le=14)] = 0
    wind_frame: Literal["earth", "grid"] = "earth"
    units: dict[str, str] = Field(default_factory=dict)
    grid: GridShape
    min_coverage: Fraction = 0.99
    simulator: SimulatorConfig = SimulatorConfig()

    @property
    def data_source(self) -> Literal["simulated", "CAQRA"]:
        """What the data are, as every result names it."""
        return "simulated" if self.source == "simulator" else "CAQRA"

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        if self.source == "caqra":
            for key in ("path", "elevation_file", "population_file"):
                if getattr(self, key) is None:
                    raise ValueError(f"'{key}' must be set when source is 'caqra'")
        for name in self.units:
            if name not in (*HOURLY, "elevation"):
                raise ValueError(
                    f"units given for unknown variable '{name}'; known: {', '.join(HOURLY)},"
                    " elevation"
                )
        return self
