"""The dictionary of quantities: names, units, standard names, plausible ranges and aliases.

What a study's hourly store holds, and what else it knows than this dictionary, is said by its
configuration; the names of the CAQRA set at the end are no more than the defaults of it. What the
physics needs is found by its name in the dictionary, whatever files call it: WIND, POSITIONS,
``elevation``, ``population``.

Plausible ranges refuse what is physically impossible (a sign error, a wrong unit) and let real
extremes through: over China a daily mean of PM2.5 has reached 311 ug m-3 and of CO 12.4 mg m-3,
hourly values go several times higher, and surface pressure falls to 461 hPa on the plateau
(Kong et al. 2021, doi 10.5194/essd-13-529-2021).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import floor, log10
from typing import Any


@dataclass(frozen=True)
class Variable:
    """One physical quantity.

    ``low`` and ``high`` bound plausible values, in ``units``. Where fields are stored in half
    precision, what is stored is ``(value - add_offset) / scale_factor`` (CF packing), so that the
    error, at most 2**-11 of that, is small where the variable usually lies.
    """

    name: str
    units: str
    standard_name: str
    long_name: str
    low: float
    high: float
    aliases: tuple[str, ...] = ()
    scale_factor: float = 1.0
    add_offset: float = 0.0

    @property
    def signed(self) -> bool:
        """Whether it can be negative; temperature can, counted from where water freezes."""
        return self.low < 0 or self.standard_name == "air_temperature"


DICTIONARY = (
    Variable("u", "m s-1", "eastward_wind", "eastward wind", -100, 100, ("u10", "uwind", "ua")),
    Variable("v", "m s-1", "northward_wind", "northward wind", -100, 100, ("v10", "vwind", "va")),
    Variable(
        "temp",
        "K",
        "air_temperature",
        "air temperature",
        190,
        340,
        ("t2", "t2m", "ta", "temp2"),
        add_offset=280.0,
    ),
    Variable("rh", "%", "relative_humidity", "relative humidity", 0, 110, ("rh2", "hur")),
    Variable(
        "psfc",
        "Pa",
        "surface_air_pressure",
        "surface pressure",
        40_000,
        110_000,
        ("sp", "ps", "prsfc"),
        scale_factor=100.0,
        add_offset=90_000.0,
    ),
    Variable(
        "pm10",
        "ug m-3",
        "mass_concentration_of_pm10_ambient_aerosol_particles_in_air",
        "PM10",
        0,
        20_000,
    ),
    Variable("so2", "ug m-3", "mass_concentration_of_sulfur_dioxide_in_air", "SO2", 0, 5_000),
    Variable("no2", "ug m-3", "mass_concentration_of_nitrogen_dioxide_in_air", "NO2", 0, 3_000),
    Variable("co", "mg m-3", "mass_concentration_of_carbon_monoxide_in_air", "CO", 0, 150),
    Variable("o3", "ug m-3", "mass_concentration_of_ozone_in_air", "O3", 0, 2_000, ("go3",)),
    Variable(
        "lat2d", "degrees_north", "latitude", "latitude", -90, 90, ("lat", "latitude", "xlat")
    ),
    Variable(
        "lon2d", "degrees_east", "longitude", "longitude", -180, 360, ("lon", "longitude", "xlong")
    ),
    Variable(
        "pm25",
        "ug m-3",
        "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air",
        "PM2.5",
        0,
        10_000,
        ("pm2p5", "pm2_5"),
    ),
    Variable("elevation", "m", "surface_altitude", "elevation", -500, 9_000, ("hgt", "z", "topo")),
    Variable("population", "1", "population_per_cell", "people per cell", 0, 1e9, ("pop",)),
)

HELPERS = (
    Variable("dew_point", "K", "dew_point_temperature", "dew point", 150, 330, ("d2m", "td2")),
    Variable(
        *("specific_humidity", "kg kg-1", "specific_humidity", "specific humidity", 0, 0.1),
        ("qv2m", "q2m", "huss", "sh2"),
    ),
    Variable(
        *("humidity_mixing_ratio", "kg kg-1", "humidity_mixing_ratio", "water vapour ratio"),
        *(0, 0.1, ("q2",)),
    ),
    Variable(
        *("wind_speed", "m s-1", "wind_speed", "wind speed", 0, 150),
        ("ws10", "wspd10", "si10", "sfcwind"),
    ),
    Variable(
        *("wind_direction", "degree", "wind_from_direction", "direction the wind comes from"),
        *(-360, 720, ("wd10", "wdir10")),
    ),
)
"""What no store holds, and from which quantities of gridded files follow."""

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in DICTIONARY}
"""Every quantity of the dictionary by its name."""

WIND = ("u", "v")
POSITIONS = ("lat2d", "lon2d")
STATIC = (*POSITIONS, "elevation", "population")
"""What does not change with time; every other quantity is hourly."""

INPUTS = (
    *("u", "v", "temp", "rh", "psfc", "pm10", "so2", "no2", "co", "o3"),
    *("lat2d", "lon2d", "pm25", "elevation", "population"),
)


def with_wind(names: Iterable[str]) -> tuple[str, ...]:
    """Names of inputs, ``wind`` replaced by both its components."""
    return tuple(one for name in names for one in (WIND if name == "wind" else (name,)))


HOURLY = tuple(name for name in INPUTS if name not in STATIC)
TARGETS = ("pm25", "pm10", "so2", "no2", "co", "o3")
"""The CAQRA set, in the order of the model: defaults of the configuration and nothing else."""


@dataclass(frozen=True)
class Quantities:
    """What a dataset knows by name, and which of it its hourly store holds.

    It is made from the configuration (``dataset.variables``, ``dataset.hourly``); two with the same
    content are equal, and it can be sent to another process.

    Attributes:
        known: The dictionary as the dataset extends it; what it adds comes last.
        hourly: Names of the fields that its store holds, in that order.
        file_units: Names of quantities, each with the unit that raw files have it in where they
            carry no unit attribute.
        overridden: Names of those whose unit attributes do not count.
    """

    known: tuple[Variable, ...] = DICTIONARY
    hourly: tuple[str, ...] = HOURLY
    file_units: tuple[tuple[str, str], ...] = ()
    overridden: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        known: Mapping[str, Variable],
        hourly: Iterable[str],
        file_units: Mapping[str, str],
        overridden: Iterable[str] = (),
    ) -> Quantities:
        """From a dictionary, names in any order, and units by name."""
        everything = cls(tuple(known.values()))
        ordered = everything.in_order(hourly)
        units = tuple(sorted(file_units.items()))
        return cls(everything.known, ordered, units, frozenset(overridden))

    @cached_property
    def _by_name(self) -> dict[str, Variable]:
        return {variable.name: variable for variable in self.known}

    @cached_property
    def _by_alias(self) -> dict[str, str]:
        aliases = {alias: each.name for each in self.known[::-1] for alias in each.aliases}
        return aliases | {name: name for name in self._by_name}

    def __getitem__(self, name: str) -> Variable:
        """The quantity of that name."""
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def canonical_name(self, name: str) -> str | None:
        """The name of which ``name`` is an alias, case ignored; None for what is unknown."""
        return self._by_alias.get(name.lower())

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names in the order of the dictionary."""
        wanted = set(names)
        return tuple(name for name in self._by_name if name in wanted)

    def file_unit(self, name: str) -> str | None:
        """The unit that the configuration states for raw files."""
        return dict(self.file_units).get(name)

    def attribute(self, name: str, said: Any) -> Any:
        """The unit attribute of a raw field, unless the configuration overrides it."""
        return None if name in self.overridden else said

    @property
    def read(self) -> tuple[str, ...]:
        """What an ingest reads of each hour: the hourly fields and the positions of cells."""
        return (*self.hourly, *POSITIONS)

    @property
    def changing(self) -> tuple[str, ...]:
        """All that is known and hourly, whether the store holds it or not, in order."""
        return tuple(name for name in self._by_name if name not in STATIC)


CAQRA = Quantities()
"""What a dataset has unless its configuration says otherwise."""


def extended(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Variable]:
    """The dictionary with what a dataset changes or adds; what it adds comes last.

    Args:
        given: Attributes of :class:`Variable` that differ, by name; aliases are added to those that
            are there.
    """
    known = dict(VARIABLES)
    for name in sorted(given):
        values = dict(given[name])
        if name in known:
            values["aliases"] = (*known[name].aliases, *values.get("aliases", ()))
            known[name] = replace(known[name], **values)
        else:
            scale = _scale(values["low"], values["high"])
            known[name] = Variable(name, scale_factor=scale, **{"long_name": name} | values)
    return known


def _scale(low: float, high: float) -> float:
    """A power of ten by which plausible values lie well inside the range of half precision."""
    return 10.0 ** (floor(log10(max(abs(low), abs(high)))) - 3)
