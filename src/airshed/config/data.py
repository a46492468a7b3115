"""Configuration of data: where the raw files are, what they hold, the study grid, the splits."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from airshed.config.base import Section, refuse_repeats
from airshed.config.preprocessing import QualityConfig
from airshed.config.quantities import QuantityConfig, QuantityName, check_described, check_known
from airshed.config.shapes import Shapes
from airshed.variables import HELPERS, HOURLY, Quantities, Variable, extended

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
NETWORKS = ("scores", "interventions", "ensemble", "interpretation")
"""Steps that rebuild a trained network from the settings that shaped its training."""
FITTED = ("climatology", "damping")
BINNED = ("scores", "interventions", "baseline", "external")
"""Steps that score forecasts by class of cells."""
SCORES = (*BINNED, "ensemble")
SAMPLES = ("training", "cost", *SCORES, "interpretation")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]

SIMULATED_DATA, CAQRA_DATA = "simulated", "CAQRA"
"""Names in results of the simulator's data, and of CAQRA's archives and yearly stores."""

NOT_TEXT = ("na", "nan", "null", "none", "true", "false")  # to programs that read tables


def _word(name: str) -> str:
    """Refuse a name that would be a number or a missing value in the tables that it stands in."""
    try:
        float(name)
    except ValueError:
        if name.lower() not in NOT_TEXT:
            return name
    raise ValueError(
        f"a table would not read '{name}' as text: choose another name, such as v{name}"
    )


TableName = Annotated[Name, AfterValidator(_word)]


def _whole_day(value: Any) -> Any:
    """Refuse what pydantic would convert to a day: seconds since 1970, a time with a zone."""
    plain = isinstance(value, date) and not isinstance(value, datetime)
    if plain or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise ValueError(f"expected a day such as 2016-03-01, found {reprlib.repr(value)}")


Day = Annotated[date, BeforeValidator(_whole_day)]


class Period(Section):
    """Whole days, UTC, first and last day included."""

    start: Day
    end: Day

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

    def samples(self, horizons_h: Sequence[int]) -> int:
        """Pairs of init time and horizon, if no hour is missing."""
        hours = 24 * len(self.days) - max(horizons_h)
        return math.ceil(hours / self.init_every_h) * len(horizons_h)


class Splits(Section):
    """Training, validation and test periods; they share no day."""

    train: Annotated[
        Split,
        Shapes(
            *("statistics", "climatology", "damping", "training", "cost", "baseline"),
            init_every_h=Shapes("damping", "training", "cost", "baseline"),
        ),
    ]
    validation: Annotated[Split, Shapes("training")]
    test: Annotated[
        Split,
        Shapes(
            *(*SCORES, "observations", "wind_roses", "interpretation"),
            init_every_h=Shapes(*SCORES, "interpretation", "comparison", "interventions_table"),
        ),
    ]

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


class Crop(Section):
    """Rows and columns of the native grid that are used: start and stop, the stop excluded."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("rows", "columns"):
            start, stop = getattr(self, name)
            if not 0 <= start < stop:
                raise ValueError(f"{name} [{start}, {stop}] is no range of a grid")
        return self


class Box(Section):
    """Latitudes and longitudes, degrees; the smallest block of cells that contains it is used."""

    south: Annotated[float, Field(ge=-90, le=90)]
    north: Annotated[float, Field(ge=-90, le=90)]
    west: Annotated[float, Field(ge=-180, le=360)]
    east: Annotated[float, Field(ge=-180, le=360)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.south < self.north and self.west < self.east):
            raise ValueError(
                f"the box is empty: south {self.south} to north {self.north},"
                f" west {self.west} to east {self.east}"
            )
        return self


class SimulatorConfig(Section):
    """The simulated atmosphere that stands in for raw data."""

    seed: Annotated[int, Field(ge=0)] = 0
    grid: GridShape = GridShape(rows=40, columns=80)
    cell_km: Positive = 60.0
    terrain_blocking: Fraction = 0.7


class GriddedConfig(Section):
    """How a gridded series is read, where its files alone do not determine it.

    ``names`` maps quantities to variables of the files; ``level`` gives the value of each
    coordinate of levels that is read; ``positions_file`` has the cells' latitudes and longitudes.
    """

    names: Annotated[dict[str, str], Shapes("hourly")] = Field(default_factory=dict)
    level: Annotated[dict[str, float], Shapes("hourly")] = Field(default_factory=dict)
    positions_file: Annotated[str | None, Shapes("hourly", content=True)] = None


class DatasetConfig(Section):
    """One set of raw files, and the study grid that they are regridded to."""

    name: Annotated[
        Name, Shapes(used_by=("hourly", "static", *BINNED, "cost", "interpretation", "comparison"))
    ]
    source: Annotated[
        Literal["simulator", "caqra", "yearly_zarr", "gridded"],
        Shapes("hourly", "static", used_by=(*BINNED, "cost", "interpretation")),
    ]
    path: Annotated[str | None, Shapes("hourly", content=True)] = None
    elevation_file: Annotated[str | None, Shapes("static", content=True)] = None
    population_file: Annotated[str | None, Shapes("static", content=True)] = None
    elevation_variable: Annotated[str | None, Shapes("static")] = None
    elevation_floor_m: Annotated[float | None, Shapes("static")] = None
    population_variable: Annotated[str | None, Shapes("static")] = None
    population_band: Annotated[Count | None, Shapes("static")] = None
    population_kind: Annotated[Literal["count", "density"] | None, Shapes("static")] = None
    static_crs: Annotated[str | None, Shapes("static")] = None
    static_rows: Annotated[Literal["north_first", "south_first"] | None, Shapes("static")] = None
    period: Annotated[Period, Shapes("raw", "hourly")]
    time_step_h: Annotated[Literal[1, 2, 3, 4, 6, 8, 12, 24], Shapes("hourly")] = 1
    utc_offset_h: Annotated[float, Field(ge=-12, le=14), Shapes("raw", "hourly")] = 0
    wind_frame: Annotated[
        Literal["earth", "grid"], Shapes("raw", "hourly", "training", "cost", used_by=NETWORKS)
    ] = "earth"
    hourly: Annotated[
        tuple[str, ...], Field(min_length=1), Shapes("raw", "hourly", used_by=("static",))
    ] = HOURLY
    variables: Annotated[
        dict[QuantityName, QuantityConfig],
        Shapes("raw", "hourly", used_by=("static", *FITTED, "observations", "training", *SCORES)),
    ] = Field(default_factory=dict)
    units: Annotated[dict[str, str], Shapes("hourly", "static")] = Field(default_factory=dict)
    units_override: Annotated[tuple[str, ...], Shapes("hourly", "static")] = ()
    crop: Annotated[Crop | None, Shapes("hourly")] = None
    box: Annotated[Box | None, Shapes("hourly")] = None
    grid: Annotated[
        GridShape, Shapes("hourly", "scan_tables", "training", "cost", "pace", used_by=NETWORKS)
    ]
    mask_file: Annotated[str | None, Shapes("static", content=True)] = None
    mask_rows: Annotated[Literal["north_first", "south_first"] | None, Shapes("static")] = None
    min_coverage: Annotated[Fraction, Shapes("static")] = 0.99
    quality: Annotated[QualityConfig, Shapes("hourly")] = QualityConfig()
    precision: Annotated[Literal["float32", "float16"], Shapes("hourly")] = "float32"
    gridded: GriddedConfig = GriddedConfig()
    simulator: Annotated[SimulatorConfig, Shapes("raw")] = SimulatorConfig()

    @property
    def data_source(self) -> str:
        """Name of the data in results; for a gridded series the dataset's name."""
        return {"simulator": SIMULATED_DATA, "gridded": self.name}.get(self.source, CAQRA_DATA)

    @property
    def steps_a_day(self) -> int:
        """Times of a day in the hourly store."""
        return 24 // self.time_step_h

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        files = ("path", "elevation_file", "population_file")
        needed = {"caqra": files, "gridded": files, "yearly_zarr": ("path",)}
        for key in needed.get(self.source, ()):
            if getattr(self, key) is None:
                raise ValueError(f"'{key}' must be set when source is '{self.source}'")
        if self.source == "gridded":
            if self.name in (SIMULATED_DATA, CAQRA_DATA):
                raise ValueError(f"name: results would take '{self.name}' for other data")
        elif self.time_step_h != 1 or self.gridded != GriddedConfig():
            raise ValueError("time_step_h and gridded are for source 'gridded'; others are hourly")
        if self.crop is not None and self.box is not None:
            raise ValueError("crop and box exclude each other: give one of them")
        return self

    @property
    def dictionary(self) -> dict[str, Variable]:
        """Every quantity that is known, by name."""
        return extended({name: one.attributes() for name, one in self.variables.items()})

    @property
    def quantities(self) -> Quantities:
        """Known quantities, those in the hourly store, and units of raw files."""
        return Quantities.of(self.dictionary, self.hourly, self.units, self.units_override)

    @model_validator(mode="after")
    def _quantities_are_known(self) -> Self:
        check_described(self.variables)
        quantities = self.quantities
        check_known(self.hourly, quantities.changing, "hourly")
        refuse_repeats(self.hourly, "hourly")
        readable = (*quantities.changing, *(helper.name for helper in HELPERS))
        check_known(self.units, (*readable, "elevation"), "units")
        check_known(self.gridded.names, readable, "gridded.names")
        check_known(self.units_override, (*readable, "elevation"), "units_override")
        check_known(self.quality.limits, quantities.changing, "quality.limits")
        return self
