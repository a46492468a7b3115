"""Configuration of stations, external forecasts, episodes and interpretation."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airshed.config.base import Section
from airshed.config.data import Box, Count, Period, Positive
from airshed.config.shapes import Shapes


def _of_names(pattern: str) -> str:
    """A pattern of file names that tells the day of the init time."""
    codes = re.findall(r"%(.?)", pattern)
    if (
        not {"Y", "m", "d"} <= set(codes)
        or set(codes) - set("YmdH")
        or len(codes) > len(set(codes))
    ):
        raise ValueError(
            "a pattern of file names has %Y, %m and %d once each, and maybe %H; * stands for any"
            f" text, as in 'cams_%Y%m%d%H_*.nc'; found '{pattern}'"
        )
    return pattern


Matching = Literal["bilinear", "nearest"]
InitTimePattern = Annotated[str, AfterValidator(_of_names)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=360)]
Place = tuple[Latitude, Longitude]


class InterpretationConfig(Section):
    """Numbers of samples of the test split, and of query tokens of each, that are examined."""

    samples: Count = 512
    queries: Count = 1024


class StationQuality(Section):
    """When quality control rejects an observation at a station."""

    flat_line_h: Annotated[int, Field(ge=3)] = 24
    spike_factor: Positive = 20.0


class AirState(Section):
    """Temperature and pressure at which mixing ratios become concentrations."""

    temperature_c: Annotated[float, Field(gt=-100, lt=100)]
    pressure_hpa: Annotated[float, Field(gt=100, lt=1200)]


class StationsConfig(Section):
    """Observations at stations: tables, and how they are matched with the grid."""

    tables: Annotated[list[str], Field(min_length=1), Shapes("observations", content=True)]
    sites: Annotated[str | None, Shapes("observations", content=True)] = None
    units: dict[str, str] = Field(default_factory=dict)
    mixing_ratios_at: AirState | None = None
    utc_offset_h: Annotated[float, Field(ge=-12, le=14)] = 0
    dates: Literal["day_first", "month_first"] | None = None
    matching: Matching = "bilinear"
    height_tolerance_m: Positive = 300.0
    quality: StationQuality = StationQuality()


class ExternalConfig(Section):
    """Somebody else's forecast, to be scored as a row beside the baselines."""

    path: Annotated[str, Shapes("external", content=True)]
    variables: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    init_time_pattern: InitTimePattern | None = None
    interpolation: Literal["bilinear", "cell_mean"] = "bilinear"
    missing: Literal["refuse", "common_subset"] = "refuse"


class Transect(Section):
    """A line over the terrain from one place (latitude, longitude) to another."""

    start: Place
    end: Place
    points: Annotated[int, Field(ge=2)] = 100

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.start == self.end:
            raise ValueError("the transect starts where it ends")
        return self


class Episode(Period):
    """A period and region with scores, maps and a transect of its own; days are valid times."""

    box: Box
    map_times: list[datetime] = Field(default_factory=list)
    transect: Transect | None = None

    @model_validator(mode="after")
    def _maps_lie_inside(self) -> Self:
        for time in self.map_times:
            if time.tzinfo is not None:
                raise ValueError(f"map_times are UTC and have no time zone: {time.isoformat()}")
            if not self.start <= time.date() <= self.end:
                raise ValueError(f"map time {time.isoformat()} lies outside {self}")
            if time.minute or time.second or time.microsecond:
                raise ValueError(f"map time {time.isoformat()} is not a whole hour")
        return self
