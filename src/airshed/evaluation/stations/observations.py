"""``observations.nc``: what stations measured in the test period, matched with the grid.

Made once for a study; every set of forecasts is then scored against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from airshed.config import Study
from airshed.config.supplement import StationsConfig
from airshed.data.samples import bounds
from airshed.data.stores import open_static, write_netcdf
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError
from airshed.evaluation.points import Method, Points
from airshed.evaluation.stations.quality import Series
from airshed.evaluation.stations.tables import POSITIONS, read_positions, read_table
from airshed.integrity.atomic import write_json
from airshed.progress import progress

SAME_PLACE_DEG = 0.01


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
        study: The resolved study; its test split and its targets are what is kept.
        settings: How the tables are read, checked and matched.
        tables: Their paths.
        static: ``static.nc``: the cells' positions and elevations, and the domain.
        output: Where ``observations.nc`` goes: value (station, pollutant, time) in canonical units.
        report: Where the counts of what was not believed go (``quality.json``).

    Raises:
        AirshedError: A table cannot be read, a unit is unknown, or no station is left.
    """
    start, stop = bounds(study.splits.test)
    hours = pd.date_range(start, stop, freq="h", inclusive="left", unit="ns")
    series = Series(hours, study.target_variables)
    positions = Positions(read_positions(Path(settings.sites)) if settings.sites else None)
    rows = 0
    for path in progress(tables, "tables of observations"):
        table = read_table(path, settings, study.targets)
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
    values = series.believed(list(matched.index), settings.quality)
    observations = _dataset(matched, values, series, settings)
    write_netcdf(observations, output)
    write_json(
        report,
        {
            "tables": [str(path) for path in tables],
            "rows_of_the_pollutants": rows,
            "values_kept": int(np.isfinite(values).sum()),
            "not_believed": series.counts,
            "stations": {
                "kept": len(matched),
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
    factors = pd.Series(np.nan, index=table.index)
    given = table["units"].fillna("")
    canonical_units = {target.name: target.units for target in series.targets}
    for key, rows in table.groupby(["pollutant", given], dropna=False):
        pollutant, units = map(str, key)
        stated = units.strip() or settings.units.get(pollutant)
        canonical = canonical_units[pollutant]
        if stated is None:
            raise AirshedError(
                "the unit of observations is unknown",
                where=f"{path}, {pollutant}",
                expected="a column named units, or stations.units in the configuration",
                found="neither",
                hint=f"add stations.units.{pollutant} to the study, for example {canonical}",
            )
        try:
            factors[rows.index] = linear_conversion(stated, canonical)[0]
        except ValueError:
            series.count(f"units_{stated}", rows["pollutant"])
    known = factors.notna()
    return (
        table[known].assign(value=table.loc[known, "value"] * factors[known]).reset_index(drop=True)
    )


@dataclass
class Positions:
    """Where stations are, from a table of places or from the observations themselves.

    Attributes:
        places: Positions that were given; they come before those of the observations.
    """

    places: pd.DataFrame | None
    _seen: list[pd.DataFrame] = field(default_factory=list)

    def add(self, table: pd.DataFrame) -> None:
        """Note the positions that a table of observations has."""
        if {"latitude", "longitude"} <= set(table.columns):
            named = table.reindex(columns=["station", *POSITIONS])
            for name in POSITIONS:
                named[name] = pd.to_numeric(named[name], errors="coerce")
            self._seen.append(named.drop_duplicates())

    def table(self, stations: Sequence[str]) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        """Positions of stations, and the stations left out, by reason.

        A station that stands at two places more than 0.01 degrees apart is left out: which of its
        values belong to which place is not known well enough.
        """
        empty = pd.DataFrame(columns=list(POSITIONS), dtype=float).rename_axis("station")
        seen = pd.concat(self._seen).groupby("station")[list(POSITIONS)] if self._seen else None
        found = empty if seen is None else seen.first()
        apart = empty if seen is None else seen.max() - seen.min()
        moved = set(apart.index[(apart[["latitude", "longitude"]] > SAME_PLACE_DEG).any(axis=1)])
        if self.places is not None:
            moved -= set(self.places.index)
            found = self.places.combine_first(found)
        wanted = found.reindex(list(stations))
        unknown = wanted[["latitude", "longitude"]].isna().any(axis=1)
        left_out = {
            "at_two_places": [name for name in stations if name in moved],
            "without_a_position": [name for name in stations if unknown[name]],
        }
        kept = [name for name in stations if name not in moved and not unknown[name]]
        return wanted.loc[kept], left_out


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
