"""``observations.nc``: what stations measured in the test period, matched with the grid.

Made once for a study; every set of forecasts is then scored against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.config import Study
from airshed.config.supplement import AirState, StationsConfig
from airshed.data.ratios import MOLAR_MASS_G_MOL, dry_air_density, ratio_of
from airshed.data.samples import bounds
from airshed.data.stores import open_static, write_netcdf
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError
from airshed.evaluation.points import Method, Points
from airshed.evaluation.stations.places import Positions, read_positions
from airshed.evaluation.stations.quality import Series
from airshed.evaluation.stations.tables import read_table
from airshed.integrity.atomic import write_json
from airshed.integrity.formats import OBSERVATIONS
from airshed.progress import progress
from airshed.variables import Variable

KELVIN = 273.15  # of 0 degrees Celsius


def write_observations(
    study: Study,
    settings: StationsConfig,
    tables: Sequence[Path],
    static: Path,
    output: Path,
    report: Path,
) -> None:
    """Read, check and match the observations of a study.

    Args:
        study: The resolved study; its test split and its targets are what is read.
        settings: How the tables are read, checked and matched.
        tables: Their paths.
        static: ``static.nc``: the cells' positions and elevations, and the domain.
        output: Where ``observations.nc`` goes: value (station, pollutant, time) in canonical units.
        report: Where the counts of rejected observations go (``quality.json``).

    Raises:
        AirshedError: A table cannot be read, a unit is unknown, or no station is left.
    """
    start, stop = bounds(study.splits.test)
    hours = pd.date_range(start, stop, freq="h", inclusive="left", unit="ns")
    series = Series(hours, study.target_variables)
    positions = Positions(read_positions(Path(settings.sites)) if settings.sites else None)
    rows = 0
    for path in progress(tables, "tables of observations"):
        table = read_table(path, settings, study.targets, series.count)
        rows += len(table)
        positions.add(table)
        series.add(_in_canonical_units(table, settings, path, series))
    places, left_out = positions.table(series.stations())
    grid = open_static(static)
    matched, outside = _matched(places, grid, settings)
    left_out["outside_the_domain"] = outside
    if matched.empty:
        raise AirshedError(
            "no station is left to score forecasts against",
            where=", ".join(map(str, tables[:3])),
            expected=f"stations in the domain with hours between {start} and {stop} (UTC)",
            found="; ".join(f"{len(names)} {reason}" for reason, names in left_out.items()),
            hint="see stations.utc_offset_h, stations.sites and splits.test",
        )
    values = series.quality_controlled(list(matched.index), settings.quality)
    observations = _dataset(matched, values, series, settings)
    write_netcdf(observations, output, OBSERVATIONS)
    write_json(
        report,
        {
            "tables": [str(path) for path in tables],
            "rows_of_the_pollutants": rows,
            "values_accepted": int(np.isfinite(values).sum()),
            "rejected": series.counts,
            "stations": {
                "matched": len(matched),
                "height_match": dict(Counter(matched["height_match"])),
                "left_out": left_out,
            },
            "settings": settings.model_dump(mode="json"),
        },
    )


def _in_canonical_units(
    table: pd.DataFrame, settings: StationsConfig, path: Path, series: Series
) -> pd.DataFrame:
    """The rows whose unit is one of this quantity, converted; the others are counted."""
    factors = np.full(len(table), np.nan)
    targets = {target.name: target for target in series.targets}
    for pollutant, rows in table.groupby("pollutant", observed=True).indices.items():
        target = targets[str(pollutant)]
        given = table["units"].array[rows]
        for units in given.unique():
            of_it = rows[(given == units) | (pd.isna(given) & pd.isna(units))]
            stated = "" if pd.isna(units) else str(units).strip()
            stated = stated or settings.units.get(str(pollutant), "")
            if not stated:
                raise AirshedError(
                    "the unit of observations is unknown",
                    where=f"{path}, {pollutant}",
                    expected="a column named units, or stations.units in the configuration",
                    found="neither",
                    hint=f"add stations.units.{pollutant} to the study, for example {target.units}",
                )
            try:
                factors[of_it] = _factor(stated, target, settings.mixing_ratios_at)
            except ValueError:
                series.count(f"units_{stated}", table["pollutant"].iloc[of_it])
    known = np.isfinite(factors)
    return table[known].assign(value=(table["value"] * factors)[known]).reset_index(drop=True)


def _factor(units: str, target: Variable, air: AirState | None) -> float:
    """What takes a value to the target's unit; ValueError if nothing does."""
    ratio = ratio_of(units)
    if ratio is None:
        return linear_conversion(units, target.units)[0]
    if air is None or target.name not in MOLAR_MASS_G_MOL:
        raise ValueError("the density of the air, or the gas, of a mixing ratio is unknown")
    pressure_pa, temp_k = np.array([100 * air.pressure_hpa]), np.array([air.temperature_c + KELVIN])
    density = dry_air_density(pressure_pa, temp_k)
    one = ratio.concentration(np.ones(1), density, MOLAR_MASS_G_MOL[target.name])
    return float(one[0]) * linear_conversion("kg m-3", target.units)[0]


def _matched(
    places: pd.DataFrame, grid: xr.Dataset, settings: StationsConfig
) -> tuple[pd.DataFrame, list[str]]:
    """Stations whose cells lie in the domain, with their heights compared; the names of others."""
    points = station_points(grid, places["latitude"], places["longitude"], settings.matching)
    inside = points.need_only(grid["domain_mask"].values.astype(bool))
    cells = points(grid["elevation"].values)
    difference = places["elevation"].to_numpy(float) - cells
    far = np.abs(difference) > settings.height_tolerance_m
    match = np.where(np.isnan(difference), "unknown", np.where(far, "mismatch", "within"))
    table = places.assign(
        cell_elevation=cells, height_difference=difference, height_match=match.astype(str)
    )
    return table[inside], list(places.index[~inside])


def station_points(grid: xr.Dataset, latitude: Any, longitude: Any, matching: Method) -> Points:
    """The way from fields on the study grid to stations."""
    places = (np.asarray(latitude, dtype=float), np.asarray(longitude, dtype=float))
    return Points(grid["lat2d"].values, grid["lon2d"].values, *places, method=matching)


def _dataset(
    matched: pd.DataFrame, values: Any, series: Series, settings: StationsConfig
) -> xr.Dataset:
    metres = {"units": "m"}
    return xr.Dataset(
        {
            "value": (("station", "pollutant", "time"), values),
            "cell_elevation": ("station", matched["cell_elevation"], metres),
            "height_difference": ("station", matched["height_difference"], metres),
            "height_match": ("station", matched["height_match"].to_numpy(str)),
        },
        coords={
            "station": matched.index.to_numpy(str),
            "pollutant": [target.name for target in series.targets],
            "time": series.times,
            "latitude": ("station", matched["latitude"], {"units": "degrees_north"}),
            "longitude": ("station", matched["longitude"], {"units": "degrees_east"}),
            "station_elevation": ("station", matched["elevation"], metres),
            "units": ("pollutant", [target.units for target in series.targets]),
        },
        attrs={"matching": settings.matching, "height_tolerance_m": settings.height_tolerance_m},
    )
