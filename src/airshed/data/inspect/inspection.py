"""The inspection of a path as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.config.data import DatasetConfig
from airshed.data.inspect.geography import clock_of_temperature, describe_grid
from airshed.data.inspect.gridded import list_series, look_at_series
from airshed.data.inspect.hours import Hours, chosen_times, counted
from airshed.data.inspect.listing import Listing, list_files
from airshed.data.inspect.study import check_dataset
from airshed.data.inspect.tally import Seen, Tally
from airshed.data.problems import Findings
from airshed.data.rawfile import read_contents
from airshed.data.source import Archives
from airshed.data.static.quantities import check_possible
from airshed.data.units import check_described
from airshed.data.yearly import YearlyStores, open_store
from airshed.errors import AirshedError
from airshed.variables import STATIC, VARIABLES, Quantities


@dataclass
class Inspection:
    """The result of an inspection; every part can be written as JSON.

    Attributes:
        path: The inspected path.
        findings: Problems and remarks.
        files: The files.
        quantities: The study's quantities and their units.
        hours: Hours expected, found and missing; None without hourly files.
        variables: Of the sampled hours.
        grid: Of the first sampled hour.
        clock: Hints at the time zone of file names.
        stores: Yearly stores.
        conversions: Of a gridded series, how quantities come from its variables.
    """

    path: Path
    findings: Findings
    files: Listing
    quantities: Quantities
    hours: dict[str, Any] | None = None
    variables: list[Seen] = field(default_factory=list)
    grid: dict[str, Any] | None = None
    clock: dict[str, Any] = field(default_factory=dict)
    stores: list[dict[str, Any]] = field(default_factory=list)
    conversions: dict[str, str] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether nothing inspected would be refused."""
        return not self.findings.problems

    def take(self, tally: Tally) -> None:
        """Take variables and grid of the sampled hours."""
        self.variables = list(tally.variables.values())
        if tally.grid is not None:
            self.grid = describe_grid(tally.grid.lat_deg, tally.grid.lon_deg)

    def likely_units(self) -> dict[str, str]:
        """Common units that fit the ranges of variables whose unit is not stated."""
        stated = dict(self.quantities.file_units)
        likely = {
            seen.stored.name: seen.likely_unit(self.quantities)
            for seen in self.variables
            if seen.stored.name not in stated and None in seen.units
        }
        hourly = self.quantities.hourly
        return {name: unit for name in hourly if (unit := likely.get(name)) is not None}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": str(self.path),
            "accepted": self.accepted,
            "forms": dict(self.files.forms),
            "size_bytes": self.files.size_bytes,
            "hours": self.hours,
            "conversions": self.conversions,
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
    """Inspect a folder of archives, one archive, one NetCDF file, a yearly Zarr store, or a series.

    Args:
        path: The path; also a pattern of a gridded series.
        dataset: The study's description of the files, if there is a study.
        count: Number of hours to read, spread over all days; None reads every hour.

    Raises:
        AirshedError: There is nothing at the path. All other problems are noted.
    """
    findings = Findings()
    if dataset is not None and dataset.source == "gridded":
        return _inspect_series(path, dataset, count, Tally(dataset, findings))
    repeated_days = dataset is not None and dataset.quality.duplicate_hours == "mask"
    files = list_files(path, repeated_days, findings, _named(dataset))
    tally = Tally(dataset, findings)
    quantities = tally.quantities
    found = Inspection(path, findings, files, quantities)
    if files.days:
        offset_h = dataset.utc_offset_h if dataset else None
        hours = Hours(Archives(files.days, offset_h, quantities), tally)
        hours.look(count)
        found.hours = hours.summary(dataset)
        found.clock = _clock(hours, tally)
        if dataset is not None and found.hours["found"] == 0:
            findings.add(
                AirshedError(
                    "no hour of the period was found in the archives",
                    where=f"dataset.period ({dataset.period})",
                    hint="correct dataset.period or dataset.utc_offset_h, or give another folder",
                )
            )
    if (single := files.single) is not None:
        where = str(single)
        tally.look(read_contents(single.read_bytes(), where, quantities, None, findings), where)
    found.take(tally)
    found.stores = [_look_at_store(each, dataset, count, findings) for each in files.stores]
    if dataset:
        with findings:
            check_described(dataset)
        check_dataset(dataset, found.hours, tally)
    return found


def _named(dataset: DatasetConfig | None) -> set[Path]:
    """Files below the path that a study names in settings of their own."""
    paths = [getattr(dataset, f"{each}_file", None) for each in ("elevation", "population", "mask")]
    return {Path(path).resolve() for path in paths if path is not None}


def _inspect_series(
    path: Path, dataset: DatasetConfig, count: int | None, tally: Tally
) -> Inspection:
    files = list_series(path, tally.findings)
    found = Inspection(path, tally.findings, files, tally.quantities)
    if files.forms:
        found.hours, found.conversions = look_at_series(path, dataset, count, tally)
    found.take(tally)
    check_dataset(dataset, found.hours, tally)
    return found


def _clock(hours: Hours, tally: Tally) -> dict[str, Any]:
    clock: dict[str, Any] = {}
    if tally.grid is not None:
        of_temperature = clock_of_temperature(hours.mean_temp, tally.grid.lon_deg)
        if of_temperature is not None:
            clock["daily_cycle_of_temperature"] = of_temperature
    if hours.ahead_h:
        clock["names_ahead_of_time_coordinate_h"] = sorted(hours.ahead_h)
    return clock


def _look_at_store(
    path: Path, dataset: DatasetConfig | None, count: int | None, findings: Findings
) -> dict[str, Any]:
    """Describe one yearly store; ``count`` hours of it are read, or every one if None."""
    described: dict[str, Any] = {"path": str(path)}
    with findings:
        tally = Tally(dataset, findings)
        quantities = tally.quantities
        store = open_store(path, quantities, findings)
        contents = store.read(slice(0), findings, ())
        tally.add(contents, str(path))
        years = {int(year): path for year in store.times.year.unique()}
        source = YearlyStores(years, 0, quantities)
        for day, wanted in chosen_times(store.times, count).items():
            for hour in source.day_by_name(day).hours(findings):
                if hour.time_utc.hour in wanted:
                    contents = hour.read(findings, (*quantities.hourly, *STATIC))
                    tally.look(contents, hour.where)
        for name in ("elevation", "population"):
            known = VARIABLES[name]
            if name in contents.fields:
                with findings:
                    field, place = contents.fields[name], f"{path}, variable {name}"
                    check_possible(field, field, known.low, known.high, place)
        if len(store.times):
            expected = pd.date_range(store.times[0], store.times[-1], freq="h")
            hours, there = (times.to_pydatetime().tolist() for times in (expected, store.times))
            described["hours"] = counted(hours, there, store.clock, "not in the store")
        described["variables"] = [seen.as_dict() for seen in tally.variables.values()]
        if tally.grid is not None:
            described["grid"] = describe_grid(tally.grid.lat_deg, tally.grid.lon_deg)
    return described
