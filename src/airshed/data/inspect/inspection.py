"""The whole look at a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import QualityConfig
from airshed.data.inspect.clock import clock_of_temperature
from airshed.data.inspect.findings import Findings
from airshed.data.inspect.grid import describe_grid
from airshed.data.inspect.hours import look_at_hours, summarise
from airshed.data.inspect.rawfiles import RawFiles
from airshed.data.inspect.sources import Sources, find_sources
from airshed.data.inspect.tally import Seen, likely_unit
from airshed.data.inspect.yearly import look_at_store
from airshed.data.native import kept_part
from airshed.data.regrid import regrid
from airshed.data.static.quantities import open_elevation, open_population
from airshed.errors import AirshedError
from airshed.variables import HOURLY


@dataclass
class Inspection:
    """What was found; every part can be written as JSON.

    Attributes:
        path: What was looked at.
        findings: Problems and remarks.
        sources: Which files there are.
        stated_units: Units that a study states.
        hours: Hours expected, found and missing; None without hourly files.
        variables: Of the hourly files that were looked at.
        grid: Of the first of them.
        clock: Hints at the time zone of their names.
        stores: Yearly stores.
    """

    path: Path
    findings: Findings
    sources: Sources
    stated_units: Mapping[str, str]
    hours: dict[str, Any] | None = None
    variables: list[Seen] = field(default_factory=list)
    grid: dict[str, Any] | None = None
    clock: dict[str, Any] = field(default_factory=dict)
    stores: list[dict[str, Any]] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether nothing that was looked at would be refused."""
        return not self.findings.problems

    def likely_units(self) -> dict[str, str]:
        """Usual units that fit the ranges of variables whose unit is nowhere stated."""
        unknown = [
            seen
            for seen in self.variables
            if seen.name in HOURLY and seen.name not in self.stated_units and None in seen.units
        ]
        likely = {seen.name: likely_unit(seen) for seen in unknown}
        return {name: unit for name in HOURLY if (unit := likely.get(name)) is not None}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "accepted": self.accepted,
            "forms": dict(self.sources.forms),
            "size_bytes": self.sources.size_bytes,
            "hours": self.hours,
            "grid": self.grid,
            "variables": [seen.as_dict() for seen in self.variables],
            "likely_units": self.likely_units(),
            "clock": self.clock,
            "yearly_stores": self.stores,
            "refused": self.findings.as_list(),
            "remarks": [
                {"what": text, "where": places} for text, places in self.findings.remarks.items()
            ],
        }


def inspect_path(path: Path, dataset: DatasetConfig | None, count: int | None) -> Inspection:
    """Look at a folder of archives, one archive, one NetCDF file or a yearly Zarr store.

    Args:
        path: Where they are.
        dataset: What a study says of them, where there is one.
        count: How many hours to look at, spread over all days; None looks at every hour.

    Raises:
        AirshedError: There is nothing at the path. All else is collected.
    """
    findings = Findings()
    units = dataset.units if dataset else {}
    quality = dataset.quality if dataset else QualityConfig()
    found = Inspection(path, findings, find_sources(path, findings, quality), units)
    offset_h = dataset.utc_offset_h if dataset else None
    files = RawFiles(units, quality, findings, utc_offset_h=offset_h)
    if found.sources.days:
        seen = look_at_hours(found.sources, count, files, findings)
        found.hours = summarise(seen, dataset)
        found.clock = _clock(seen.mean_temp, files)
        _check_period(found.hours, dataset, findings)
    if found.sources.single is not None:
        files.look(found.sources.single.read_bytes(), str(found.sources.single), None)
    found.variables = list(files.variables.values())
    if files.grid is not None:
        found.grid = describe_grid(files.grid.lat_deg, files.grid.lon_deg)
    found.stores = [
        look_at_store(each, units, quality, count, findings) for each in found.sources.stores
    ]
    if dataset:
        _check_study(dataset, files, findings)
    return found


def _clock(mean_temp: dict[int, float], files: RawFiles) -> dict[str, Any]:
    clock: dict[str, Any] = {}
    if files.grid is not None:
        # longitudes are averaged as directions, so that the date line does no harm
        directions = np.exp(1j * np.radians(files.grid.lon_deg))
        mean_lon = np.degrees(np.angle(np.nanmean(directions)))
        of_temperature = clock_of_temperature(mean_temp, float(mean_lon))
        if of_temperature is not None:
            clock["daily_cycle_of_temperature"] = of_temperature
    if files.offsets_h:
        clock["names_ahead_of_time_coordinate_h"] = sorted(files.offsets_h)
    return clock


def _check_period(hours: dict[str, Any], dataset: DatasetConfig | None, findings: Findings) -> None:
    if dataset is not None and hours["found"] == 0:
        findings.add(
            AirshedError(
                "no hour of the period was found in the archives",
                where=f"dataset.period ({dataset.period})",
                hint="correct dataset.period or dataset.utc_offset_h, or give another folder",
            )
        )


def _check_study(dataset: DatasetConfig, files: RawFiles, findings: Findings) -> None:
    """What else an ingest and the step for static fields would refuse."""
    try:
        if files.grid is not None:
            lat_deg, lon_deg = files.grid.lat_deg, files.grid.lon_deg
            row, row_stop, column, column_stop = kept_part(dataset, lat_deg, lon_deg)
            kept = lat_deg[row:row_stop, column:column_stop]
            regrid(kept, (dataset.grid.rows, dataset.grid.columns))
    except AirshedError as problem:
        findings.add(problem)
    for name, opened in (("elevation", open_elevation), ("population", open_population)):
        configured = getattr(dataset, f"{name}_file")
        if configured is None:
            continue
        try:
            convert = opened(dataset, Path(configured))[1]
            convert(np.zeros(0))
        except AirshedError as problem:
            findings.add(problem)
