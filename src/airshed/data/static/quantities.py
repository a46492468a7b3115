"""What elevation and population mean: units, kinds, and how they are brought to other cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.config.data import DatasetConfig
from airshed.data.regrid import regrid, regrid_counts, regrid_directions
from airshed.data.static.averaging import Gathered, Piece, Source, mean, total
from airshed.data.static.cells import Cells
from airshed.data.static.curvilinear import Curvilinear
from airshed.data.static.files import Wanted, open_field
from airshed.data.static.raster import Raster
from airshed.data.units import linear_conversion, to_canonical
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

Floats = npt.NDArray[np.floating[Any]]
DEEPEST_M = -11_000.0  # no sea is deeper
FILLER = -9999.0
SAME_PLACE_DEG = 1e-3
PEOPLE = re.compile(r"\b(persons?|people|inhabitants?|population|counts?|heads?)\b", re.IGNORECASE)
PER_CELL = re.compile(r"\bper (grid ?)?(cell|pixel|square)\s*$", re.IGNORECASE)
PER_KM2 = re.compile(r"(\bper |/ ?)(sq(uare|\.)? ?(kilomet(er|re)s?|km)|km\^?2)", re.IGNORECASE)


Convert = Callable[[Floats], Floats]
"""Values of a file in canonical units; raises where they are impossible."""


def open_elevation(dataset: DatasetConfig, path: Path) -> tuple[Raster | Curvilinear, Convert]:
    """The field of elevation and its conversion to metres.

    Raises:
        AirshedError: The file is missing or unclear.
    """
    wanted = Wanted("elevation", path, dataset.elevation_variable, None, dataset.static_crs)
    field = open_field(wanted)

    def convert(values: Floats) -> Floats:
        metres = to_canonical(values, "elevation", field.units, dataset.units, field.where)
        return _raised(metres, dataset.elevation_floor_m, field.where)

    return field, convert


def elevation(dataset: DatasetConfig, path: Path, cells: Cells) -> Gathered:
    """Mean elevation of each cell, m.

    Raises:
        AirshedError: The file is missing or unclear, its unit unknown, or a value impossible.
    """
    field, convert = open_elevation(dataset, path)
    if isinstance(field, Curvilinear) and _same_extent(field, cells):
        return _everywhere(regrid(convert(field.values), cells.shape))
    return mean(_Converted(field, convert), cells)


def open_population(
    dataset: DatasetConfig, path: Path
) -> tuple[Raster | Curvilinear, Convert, bool]:
    """The field of population, its conversion, and whether it is per square kilometre.

    Raises:
        AirshedError: The file is missing or unclear, or counts and density cannot be told apart.
    """
    wanted = Wanted(
        "population", path, dataset.population_variable, dataset.population_band, dataset.static_crs
    )
    field = open_field(wanted)
    per_km2, factor = _kind(field.units, dataset.population_kind, field.where)

    def convert(values: Floats) -> Floats:
        known = VARIABLES["population"]
        return plausible(values * factor, known.low, known.high, field.where)

    return field, convert, per_km2


def population(dataset: DatasetConfig, path: Path, cells: Cells) -> Gathered:
    """People in each cell.

    Raises:
        AirshedError: As for :func:`open_population`, or a value is impossible.
    """
    field, convert, per_km2 = open_population(dataset, path)
    if isinstance(field, Curvilinear) and not per_km2 and _same_extent(field, cells):
        return _everywhere(_counts(convert(field.values), cells.shape))
    return total(_Converted(field, convert), cells, per_km2)


@dataclass(frozen=True)
class _Converted:
    """A source whose values are converted and checked, as far as they are used."""

    source: Source
    convert: Convert

    @property
    def where(self) -> str:
        return self.source.where

    @property
    def units(self) -> str | None:
        return self.source.units

    def pieces(self, cells: Cells) -> Iterator[Piece]:
        for piece in self.source.pieces(cells):
            used = np.zeros(len(piece.values), dtype=bool)
            used[piece.shares.indices] = True
            yield replace(piece, values=self.convert(np.where(used, piece.values, np.nan)))


def _same_extent(field: Curvilinear, cells: Cells) -> bool:
    """Whether the field's grid, cut into the study's rows and columns, gives the study's cells."""
    if field.lat_deg.shape[0] < cells.shape[0] or field.lat_deg.shape[1] < cells.shape[1]:
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


def _raised(metres: Floats, floor_m: float | None, where: str) -> Floats:
    """Elevations within plausible limits, those below the floor raised to it."""
    if np.any((metres < DEEPEST_M) | (metres == FILLER)):
        raise AirshedError(
            "a missing value is not declared as such",
            where=where,
            expected=f"elevations above {DEEPEST_M:g} m, deeper than any sea",
            found=f"{np.nanmin(metres):g} m",
            hint="declare it, for example with gdal_edit.py -a_nodata, or as _FillValue in NetCDF",
        )
    known = VARIABLES["elevation"]
    raised = metres if floor_m is None else np.maximum(metres, floor_m)
    return plausible(
        raised,
        known.low if floor_m is None else floor_m,
        known.high,
        where,
        "where the field holds sea depths, set dataset.elevation_floor_m: 0",
    )


def plausible(values: Floats, low: float, high: float, where: str, hint: str = "") -> Floats:
    """Values that lie within limits; NaN is missing.

    Raises:
        AirshedError: One lies beyond.
    """
    wrong = (values < low) | (values > high)
    if wrong.any():
        raise AirshedError(
            "a value is physically impossible",
            where=where,
            expected=f"{low:g} to {high:g}",
            found=f"{np.nanmin(values):g} to {np.nanmax(values):g}, {wrong.sum()} values outside",
            hint=hint or "is a missing value not declared as such, or the unit wrong?",
        )
    return values


def _kind(units: str | None, configured: str | None, where: str) -> tuple[bool, float]:
    """Whether a population is per square kilometre, and the factor to it or to people."""
    said = None if units is None else _population_units(units)
    if said is None and configured is None:
        raise AirshedError(
            "whether a population is counts or a density is unknown",
            where=where,
            expected="units such as persons or km-2, or dataset.population_kind",
            found="no units" if units is None else f"units '{units}'",
            hint="set dataset.population_kind: count (people per raster cell) or density"
            " (people per square kilometre)",
        )
    per_km2 = configured == "density" if said is None else said[0]
    if said is not None and configured is not None and per_km2 != (configured == "density"):
        raise AirshedError(
            "a file's unit attribute contradicts the configuration",
            where=where,
            expected=f"{configured} (dataset.population_kind)",
            found=units,
            hint="correct dataset.population_kind, or the file",
        )
    return per_km2, 1.0 if said is None else said[1]


def _population_units(units: str) -> tuple[bool, float] | None:
    """Density or not and the factor, from a unit attribute; None where it says neither."""
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
