"""Configuration of data: where the raw files are, what they hold, the study grid, the splits."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from airshed.config.base import Count, Fraction, Positive, Section, refuse_repeats
from airshed.config.grids import Box, Crop, GridShape
from airshed.config.preprocessing import QualityConfig
from airshed.config.quantities import QuantityConfig, QuantityName, check_described, check_known
from airshed.config.shapes import Shapes
from airshed.variables import HELPERS, HOURLY, Quantities, Variable, extended

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
    """First day, UTC."""
    end: Day
    """Last day, UTC, included."""

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
    """Hours between init times."""

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
    """What weights, statistics, climatology and ridge are fitted to."""
    validation: Annotated[Split, Shapes("training")]
    """What the best epoch is chosen by."""
    test: Annotated[
        Split,
        Shapes(
            *(*SCORES, "observations", "wind_roses", "interpretation"),
            init_every_h=Shapes(*SCORES, "interpretation", "comparison", "interventions_table"),
        ),
    ]
    """What scores are made from."""

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


class SimulatorConfig(Section):
    """The simulated atmosphere that stands in for raw data."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of its random numbers."""
    grid: GridShape = GridShape(rows=40, columns=80)
    """Its native grid."""
    cell_km: Positive = 60.0
    """Size of a native cell."""
    terrain_blocking: Fraction = 0.7
    """Share of the transport that terrain can block; 0: as over flat ground."""


class GriddedConfig(Section):
    """How a gridded series is read, where its files alone do not determine it."""

    names: Annotated[dict[str, str], Shapes("hourly")] = Field(default_factory=dict)
    """What a gridded series calls a quantity, such as `{pm25: PM2_5_DRY}`; else by the names
    and aliases of the dictionary."""
    level: Annotated[dict[str, float], Shapes("hourly")] = Field(default_factory=dict)
    """The level that is read, by the name of its coordinate and its value, such as
    `{model_level: 60}`; of a dimension without values its number from 1."""
    positions_file: Annotated[str | None, Shapes("hourly", content=True)] = None
    """NetCDF with the cells' latitudes and longitudes where the series has none, such as CMAQ's
    GRIDCRO2D."""


class DatasetConfig(Section):
    """One set of raw files, and the study grid that they are regridded to."""

    name: Annotated[
        Name, Shapes(used_by=("hourly", "static", *BINNED, "cost", "interpretation", "comparison"))
    ]
    """Name of the data folder, `results/data/<name>/`."""
    source: Annotated[
        Literal["simulator", "caqra", "yearly_zarr", "gridded"],
        Shapes("hourly", "static", used_by=(*BINNED, "cost", "interpretation")),
    ]
    """`simulator` (embedded, simulated data), `caqra` (your own archives), `yearly_zarr`
    (stores `data_YYYY_china_masked.zarr`) or `gridded` (NetCDF or Zarr series of any grid,
    docs/gridded.md)."""
    path: Annotated[str | None, Shapes("hourly", content=True)] = None
    """Folder with `CN-ReanalysisYYYYMMDD` archives, flat or in month folders; or with yearly
    stores; `gridded`: a folder, a file or a pattern."""
    elevation_file: Annotated[str | None, Shapes("static", content=True)] = None
    """Elevation: NetCDF or GeoTIFF on any grid that covers the domain; see
    docs/static-fields.md."""
    population_file: Annotated[str | None, Shapes("static", content=True)] = None
    """Population, a count or a density, in the same forms."""
    elevation_variable: Annotated[str | None, Shapes("static")] = None
    """NetCDF variable to read; `null`: the one known by name, or the only one."""
    elevation_floor_m: Annotated[float | None, Shapes("static")] = None
    """Lower elevations are raised to it before averaging; `0` turns sea depths into sea level;
    `null` keeps values and refuses depths below -500 m."""
    population_variable: Annotated[str | None, Shapes("static")] = None
    """The same of the population's file."""
    population_band: Annotated[Count | None, Shapes("static")] = None
    """Layer, from 1, of a file with several, such as years."""
    population_kind: Annotated[Literal["count", "density"] | None, Shapes("static")] = None
    """`count`: people per raster cell; `density`: people per km2; where the file's units do not
    say it. A contradiction stops the run."""
    static_crs: Annotated[str | None, Shapes("static")] = None
    """Coordinate reference system of elevation and population files that state none, such as
    `EPSG:4326`."""
    static_rows: Annotated[Literal["north_first", "south_first"] | None, Shapes("static")] = None
    """How the rows of bare arrays (`.npy`) of elevation and population run; such an array has
    exactly the rows and columns of `dataset.grid`."""
    period: Annotated[Period, Shapes("raw", "hourly")]
    """The days that are read; an hour without a file is a reported gap."""
    time_step_h: Annotated[Literal[1, 2, 3, 4, 6, 8, 12, 24], Shapes("hourly")] = 1
    """Hours between the times of a gridded series, counted from 00:00 UTC; horizons and
    `init_every_h` are multiples of it. All other sources are hourly."""
    utc_offset_h: Annotated[float, Field(ge=-12, le=14), Shapes("raw", "hourly")] = 0
    """Hours by which the times in file names, or those of a gridded series, are ahead of UTC."""
    wind_frame: Annotated[
        Literal["earth", "grid"], Shapes("raw", "hourly", "training", "cost", used_by=NETWORKS)
    ] = "earth"
    """`earth`: u, v are eastward, northward; `grid`: along the archives' grid axes."""
    hourly: Annotated[
        tuple[str, ...], Field(min_length=1), Shapes("raw", "hourly", used_by=("static",))
    ] = HOURLY
    """Names of the hourly fields that the store holds; by default the 11 of CAQRA. Studies with
    other `inputs` and `targets` share it."""
    variables: Annotated[
        dict[QuantityName, QuantityConfig],
        Shapes("raw", "hourly", used_by=("static", *FITTED, "observations", "training", *SCORES)),
    ] = Field(default_factory=dict)
    """Quantities that the dictionary does not know, by a name of their own, with
    `standard_name`, `units` and `limits`; of those that it knows `limits`, `long_name` and
    further `aliases`."""
    units: Annotated[dict[str, str], Shapes("hourly", "static")] = Field(default_factory=dict)
    """Units of variables (`elevation` too) whose files carry no unit attribute; a contradiction
    stops the run. Mixing ratios (ppb, kg kg-1) become concentrations with temperature and
    surface pressure of the same hour."""
    units_override: Annotated[tuple[str, ...], Shapes("hourly", "static")] = ()
    """Variables among `dataset.units` whose unit attributes are wrong: the unit of
    `dataset.units` counts in their place."""
    crop: Annotated[Crop | None, Shapes("hourly")] = None
    """The part of the archives' grid that is kept."""
    box: Annotated[Box | None, Shapes("hourly")] = None
    """The smallest block of cells with every cell centre in the box is kept; excludes `crop`."""
    grid: Annotated[
        GridShape, Shapes("hourly", "scan_tables", "training", "cost", "pace", used_by=NETWORKS)
    ]
    """The study grid, at most as fine as the part of the archives that is kept."""
    mask_file: Annotated[str | None, Shapes("static", content=True)] = None
    """`.npy` array of 0 and 1 on the study grid; cells with 0 leave the domain."""
    mask_rows: Annotated[Literal["north_first", "south_first"] | None, Shapes("static")] = None
    """How the mask's rows run; without it they must run as those of the study grid, which is
    checked against where data and land are."""
    min_coverage: Annotated[Fraction, Shapes("static")] = 0.99
    """A cell is in the domain if this share of its hours is present."""
    quality: Annotated[QualityConfig, Shapes("hourly")] = QualityConfig()
    precision: Annotated[Literal["float32", "float16"], Shapes("hourly")] = "float32"
    """Of the hourly store; `float16` takes half the space, with a bounded error."""
    gridded: GriddedConfig = GriddedConfig()
    simulator: Annotated[SimulatorConfig, Shapes("raw")] = SimulatorConfig()
    """The simulated atmosphere, for `source: simulator`."""

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
