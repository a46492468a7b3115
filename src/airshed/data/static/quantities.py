"""Elevation and population: units, kinds, plausible values, and averaging to the study grid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.data.regrid import regrid, regrid_counts, regrid_directions
from airshed.data.static.array import BareArray
from airshed.data.static.cells import Cells
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.files import open_field
from airshed.data.static.raster import Raster
from airshed.data.static.sums import Convert, Gathered, mean, total
from airshed.data.static.wanted import Wanted
from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

Field = Raster | Curvilinear | BareArray
DEEPEST_M = -11_000.0  # no sea is deeper
FILLER = -9999.0
SAME_PLACE_DEG = 1e-3
PEOPLE = re.compile(r"\b(persons?|people|inhabitants?|population|counts?|heads?)\b", re.IGNORECASE)
PER_CELL = re.compile(r"\bper (grid ?)?(cell|pixel|square)\s*$", re.IGNORECASE)
PER_KM2 = re.compile(r"(\bper |/ ?)(sq(uare|\.)? ?(kilomet(er|re)s?|km)|km\^?2)", re.IGNORECASE)


def open_elevation(dataset: DatasetConfig, path: Path) -> tuple[Field, Convert]:
    """The field of elevation and its conversion to metres, none below the floor.

    Raises:
        AirshedError: The file is missing or unclear, or its unit unknown.
    """
    quantities = dataset.quantities
    field = open_field(Wanted.of(dataset, "elevation", path))

    def convert(values: Floats) -> Floats:
        attribute = quantities.attribute("elevation", field.units)
        stated = quantities.file_unit("elevation")
        metres = to_canonical(values, VARIABLES["elevation"], attribute, stated, field.where)
        if dataset.elevation_floor_m is None:
            return metres
        return np.where(_undeclared(metres), metres, np.maximum(metres, dataset.elevation_floor_m))

    convert(np.zeros(0))
    return field, convert


def elevation(dataset: DatasetConfig, path: Path, cells: Cells) -> Gathered:
    """Mean elevation of each cell, m.

    Raises:
        AirshedError: The file is missing or unclear, its unit unknown, or a value impossible.
    """
    field, convert = open_elevation(dataset, path)
    field = field.on(cells) if isinstance(field, BareArray) else field
    if _has_extent_of(field, cells):
        metres = convert(field.values)
        _check_elevation(metres, metres, dataset.elevation_floor_m, field.where)
        return _everywhere(regrid(metres, cells.shape))
    sums = field.sums(cells, convert)
    _check_elevation(sums.low, sums.high, dataset.elevation_floor_m, field.where)
    return mean(sums)


def open_population(dataset: DatasetConfig, path: Path) -> tuple[Field, Convert, bool]:
    """The field of population, its conversion, and whether it is per square kilometre.

    Raises:
        AirshedError: The file is missing or unclear, or may be counts or a density.
    """
    field = open_field(Wanted.of(dataset, "population", path))
    per_km2, factor = _kind(field.units, dataset.population_kind, field.where)
    return field, lambda values: values * factor, per_km2


def population(dataset: DatasetConfig, path: Path, cells: Cells) -> Gathered:
    """People in each cell.

    Raises:
        AirshedError: As for :func:`open_population`, or a value is impossible.
    """
    field, convert, per_km2 = open_population(dataset, path)
    field = field.on(cells) if isinstance(field, BareArray) else field
    known = VARIABLES["population"]
    if _has_extent_of(field, cells) and not per_km2:
        people = convert(field.values)
        check_possible(people, people, known.low, known.high, field.where)
        return _everywhere(_counts(people, cells.shape))
    sums = field.sums(cells, convert)
    check_possible(sums.low, sums.high, known.low, known.high, field.where)
    return total(sums, per_km2)


def _has_extent_of(field: Raster | Curvilinear, cells: Cells) -> TypeGuard[Curvilinear]:
    """Whether the field's grid, cut into the study's rows and columns, gives the study's cells."""
    if isinstance(field, Raster) or np.any(np.less(field.lat_deg.shape, cells.shape)):
        return False
    lat, lon = regrid_directions(field.lat_deg, field.lon_deg, cells.shape)
    turn = (lon - cells.lon_deg + 180) % 360 - 180
    return bool(np.nanmax(np.hypot(lat - cells.lat_deg, turn)) < SAME_PLACE_DEG)


def _everywhere(values: Floats) -> Gathered:
    return Gathered(values, np.ones(values.shape))


def _counts(people: Floats, shape: tuple[int, int]) -> Floats:
    """Counts on a coarser grid of the same extent; missing only where nothing is known."""
    known = np.isfinite(people)
    counts = regrid_counts(np.where(known, people, 0.0), shape)
    return np.where(regrid(known.astype(float), shape) > 0, counts, np.nan)


def _undeclared(metres: Floats) -> npt.NDArray[np.bool_]:
    """Where values are fillers of missing data that the file does not declare."""
    undeclared: npt.NDArray[np.bool_] = (metres < DEEPEST_M) | (metres == FILLER)
    return undeclared


def _check_elevation(low: Floats, high: Floats, floor_m: float | None, where: str) -> None:
    """Smallest and largest elevations, of single values or of several, are plausible."""
    if _undeclared(low).any():
        raise AirshedError(
            "a missing value is not declared as such",
            where=where,
            expected=f"elevations above {DEEPEST_M:g} m, deeper than any sea",
            found=f"{np.nanmin(low):g} m",
            hint="declare it, for example with gdal_edit.py -a_nodata, or as _FillValue in NetCDF",
        )
    known = VARIABLES["elevation"]
    lowest = known.low if floor_m is None else floor_m
    hint = "where the field holds sea depths, set dataset.elevation_floor_m: 0"
    check_possible(low, high, lowest, known.high, where, hint)


def check_possible(
    low: Floats, high: Floats, lowest: float, highest: float, where: str, hint: str = ""
) -> None:
    """Smallest and largest values, of single ones or of several, are possible; NaN is missing.

    Raises:
        AirshedError: One is not.
    """
    wrong = (low < lowest) | (high > highest)
    if wrong.any():
        raise AirshedError(
            "a value is physically impossible",
            where=where,
            expected=f"{lowest:g} to {highest:g}",
            found=f"{np.nanmin(low):g} to {np.nanmax(high):g}, {wrong.sum()} cells outside",
            hint=hint or "is a missing value not declared as such, or the unit wrong?",
        )


def _kind(units: str | None, configured: str | None, where: str) -> tuple[bool, float]:
    """Whether a population is per square kilometre, and the factor to it or to people."""
    found = None if units is None else _population_units(units)
    if found is None and configured is None:
        raise AirshedError(
            "whether a population is counts or a density is unknown",
            where=where,
            expected="units such as persons or km-2, or dataset.population_kind",
            found="no units" if units is None else f"units '{units}'",
            hint="set dataset.population_kind: count (people per raster cell) or density"
            " (people per square kilometre)",
        )
    per_km2 = configured == "density" if found is None else found[0]
    if found is not None and configured is not None and per_km2 != (configured == "density"):
        raise AirshedError(
            "a file's unit attribute contradicts the configuration",
            where=where,
            expected=f"{configured} (dataset.population_kind)",
            found=units,
            hint="correct dataset.population_kind, or the file",
        )
    return per_km2, 1.0 if found is None else found[1]


def _population_units(units: str) -> tuple[bool, float] | None:
    """Density or not and the factor, from a unit attribute; None if it is neither."""
    text = PER_KM2.sub(" km-2", PER_CELL.sub("", units))
    text = PEOPLE.sub("", text).strip(" .") or "1"
    text = re.sub(r"^/", "1/", text)
    for per_km2, canonical in ((False, "1"), (True, "km-2")):
        try:
            factor, _ = linear_conversion(text, canonical)
        except ValueError:
            continue
        return per_km2, factor
    return None
