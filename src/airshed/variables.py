"""Names, units, standard names, plausible ranges and aliases of every variable: the one place.

Plausible ranges refuse what is physically impossible (a sign error, a wrong unit) and let real
extremes through: over China a daily mean of PM2.5 has reached 311 ug m-3 and of CO 12.4 mg m-3,
hourly values go several times higher, and surface pressure falls to 461 hPa on the plateau
(Kong et al. 2021, doi 10.5194/essd-13-529-2021).
"""

from __future__ import annotations

from dataclasses import dataclass


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


_ALL = (
    Variable("u", "m s-1", "eastward_wind", "eastward wind", -100, 100, ("u10", "uwind", "ua")),
    Variable("v", "m s-1", "northward_wind", "northward wind", -100, 100, ("v10", "vwind", "va")),
    Variable(
        "temp",
        "K",
        "air_temperature",
        "air temperature",
        190,
        340,
        ("t2", "t2m", "ta"),
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
        ("sp", "ps"),
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

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _ALL}
"""Every variable by its canonical name, in the order of the model's 15 inputs."""

INPUTS: tuple[str, ...] = tuple(VARIABLES)
STATIC: tuple[str, ...] = ("lat2d", "lon2d", "elevation", "population")
HOURLY: tuple[str, ...] = tuple(name for name in INPUTS if name not in STATIC)
TARGETS: tuple[str, ...] = ("pm25", "pm10", "so2", "no2", "co", "o3")


def canonical_name(name: str) -> str | None:
    """The canonical name for ``name`` or one of its aliases (case ignored); None when unknown."""
    lowered = name.lower()
    for variable in VARIABLES.values():
        if lowered == variable.name or lowered in variable.aliases:
            return variable.name
    return None
