"""Configuration of stations, external forecasts, episodes and interpretation."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airshed.config.base import Count, Positive, Section
from airshed.config.data import Period
from airshed.config.grids import Box
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
    """At most so many samples of the test split, drawn at random, make `interpretation.json`;
    see docs/interpretation.md."""
    queries: Count = 1024
    """At most so many tokens of each, for the attention that is moved."""


class StationQuality(Section):
    """When quality control rejects an observation at a station."""

    flat_line_h: Annotated[int, Field(ge=3)] = 24
    """Quality control rejects so many hours of one value in a row."""
    spike_factor: Positive = 20.0
    """Quality control rejects a single hour that stands out by this factor."""


class AirState(Section):
    """Temperature and pressure at which mixing ratios become concentrations."""

    temperature_c: Annotated[float, Field(gt=-100, lt=100)]
    """Temperature of the air."""
    pressure_hpa: Annotated[float, Field(gt=100, lt=1200)]
    """Pressure of the air."""


class StationsConfig(Section):
    """Observations at stations: tables, and how they are matched with the grid."""

    tables: Annotated[list[str], Field(min_length=1), Shapes("observations", content=True)]
    """Tables of observations, as paths or patterns; see docs/supplement.md."""
    sites: Annotated[str | None, Shapes("observations", content=True)] = None
    """A table with the stations' positions, where those of observations lack them."""
    units: dict[str, str] = Field(default_factory=dict)
    """Units of tables without a column for them, by variable."""
    mixing_ratios_at: AirState | None = None
    """The state of the air at which ppb and ppm of gases become concentrations; without it they
    are left out and counted."""
    utc_offset_h: Annotated[float, Field(ge=-12, le=14)] = 0
    """Hours by which times without a zone are ahead of UTC."""
    dates: Literal["day_first", "month_first"] | None = None
    """How dates like 02/01/2018 are meant; without it they are refused."""
    matching: Matching = "bilinear"
    """How a field is brought to a station: between the four nearest cells, or from the nearest
    one."""
    height_tolerance_m: Positive = 300.0
    """How far a station may lie above or below its cell before it is flagged."""
    quality: StationQuality = StationQuality()


class ExternalConfig(Section):
    """Somebody else's forecast, to be scored as a row beside the baselines."""

    path: Annotated[str, Shapes("external", content=True)]
    """Files of another forecast: NetCDF, Zarr, or a pattern."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Names of the quantities in its files, where they do not say them."""
    units: dict[str, str] = Field(default_factory=dict)
    """Units of its variables, where its files do not say them."""
    init_time_pattern: InitTimePattern | None = None
    """How its files are called, where only their names tell the init time: `cams_%Y%m%d%H_*.nc`."""
    interpolation: Literal["bilinear", "cell_mean"] = "bilinear"
    """How it is brought to the study grid."""
    missing: Literal["refuse", "common_subset"] = "refuse"
    """If it lacks samples: stop, or score all forecasts on those that it has too."""


class Transect(Section):
    """A line over the terrain from one place (latitude, longitude) to another."""

    start: Place
    """Latitude and longitude."""
    end: Place
    """Latitude and longitude."""
    points: Annotated[int, Field(ge=2)] = 100
    """Places along it."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.start == self.end:
            raise ValueError("the transect starts where it ends")
        return self


class Episode(Period):
    """A period and region with scores, maps and a transect of its own; days are valid times."""

    box: Box
    """The region with scores of its own."""
    map_times: list[datetime] = Field(default_factory=list)
    """Valid times of which maps are kept, every 12 h if none are named."""
    transect: Transect | None = None
    """A line over the terrain along which forecasts are drawn."""

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
