"""What is wrong with an hour of raw fields: found, counted, and refused or masked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airshed.arrays import Flags, Floats
from airshed.config.preprocessing import QualityConfig
from airshed.data.native import NativeGrid
from airshed.data.problems import STOP, Problems
from airshed.data.rawhour import RawHour
from airshed.errors import AirshedError
from airshed.variables import Quantities, Variable

Counts = dict[str, int]
"""Number of cells or fields, by variable."""


@dataclass(frozen=True)
class Inspected:
    """An hour after inspection.

    Attributes:
        fields: [V, Y, X] in the dataset's order; NaN where missing or masked.
        cells_missing: Cells without a value here that have one in the dataset's first hour.
        cells_implausible: Cells whose value is outside the limits or infinite.
        constant: Variables that have the same value everywhere.
        unusable: Why the hour cannot be used, or None.
    """

    fields: Floats
    cells_missing: Counts
    cells_implausible: Counts
    constant: tuple[str, ...]
    unusable: str | None


def check_hour(
    hour: RawHour,
    grid: NativeGrid,
    quantities: Quantities,
    quality: QualityConfig,
    where: str,
    problems: Problems = STOP,
) -> Inspected:
    """Check every field of an hour in the study's part of the grid; refuse or mask what is wrong.

    Args:
        hour: The hour, in the dataset's order of variables; its invalid ones are skipped.
        grid: The native grid, and where the dataset's first hour has values.
        quantities: What the dataset knows.
        quality: Policies and limits.
        where: File and member, for messages.
        problems: Takes what the configuration refuses.

    Raises:
        AirshedError: The hour lies on another grid; or, unless problems are noted, something was
            found that the configuration refuses.
    """
    grid.check(hour, where)
    fields, known = grid.cut(hour.fields), grid.cut(grid.known)
    missing, implausible = (dict.fromkeys(quantities.hourly, 0) for _ in range(2))
    constant, empty = [], []
    masked = fields
    for index, name in enumerate(quantities.hourly):
        if name in hour.invalid:
            continue
        place = f"{where}, variable {name}"
        low, high = extremes(fields[index])
        lost = known[index] & np.isnan(fields[index])
        missing[name] = int(lost.sum())
        with problems:
            if missing[name] and quality.missing_cells == "refuse":
                _refuse_missing(lost, place)
        limits = quality.bounds(quantities[name])
        if low < limits[0] or high > limits[1]:
            wrong = outside(fields[index], limits)
            with problems:
                if quality.implausible_values == "refuse":
                    _refuse_implausible(fields[index], wrong, quantities[name], limits, place)
                implausible[name] = int(wrong.sum())
                masked = fields.copy() if masked is fields else masked
                masked[index][wrong] = np.nan
        if np.isnan(low):
            empty.append(name)
        elif low == high and np.isfinite(fields[index]).sum() > 1:
            with problems:
                if quality.constant_fields == "refuse":
                    _refuse_constant(low, quantities[name], place)
                constant.append(name)
    return Inspected(masked, missing, implausible, tuple(constant), _reason(empty, constant))


def _reason(empty: list[str], constant: list[str]) -> str | None:
    reasons = [f"no value of {', '.join(empty)}"] if empty else []
    reasons += [f"constant field of {', '.join(constant)}"] if constant else []
    return "; ".join(reasons) or None


def extremes(field: Floats) -> tuple[float, float]:
    """Smallest and largest value, infinities included; NaN if there is no value."""
    flat = field.ravel()
    return float(np.fmin.reduce(flat)), float(np.fmax.reduce(flat))


def outside(field: Floats, limits: tuple[float, float]) -> Flags:
    """Cells whose value is beyond the limits; NaN is not."""
    return np.asarray((field < limits[0]) | (field > limits[1]))


def _refuse_implausible(
    field: Floats, wrong: Flags, variable: Variable, limits: tuple[float, float], place: str
) -> None:
    row, column = np.argwhere(wrong)[0]
    units = variable.units
    raise AirshedError(
        "a value is physically impossible",
        where=f"{place}, row {row}, column {column}",
        expected=f"{limits[0]:g} to {limits[1]:g} {units}",
        found=f"{field[row, column]:g} {units} ({wrong.sum()} such cells)",
        hint="is the unit right? see dataset.units; wider limits:"
        f" dataset.quality.limits.{variable.name}; to leave such values out:"
        " dataset.quality.implausible_values: mask",
    )


def _refuse_missing(lost: Flags, place: str) -> None:
    row, column = np.argwhere(lost)[0]
    raise AirshedError(
        "a field lacks values that the dataset's first hour has",
        where=f"{place}, row {row}, column {column}",
        expected="a value in each of these cells (dataset.quality.missing_cells: refuse)",
        found=f"{lost.sum()} cells without one",
        hint="fetch the file again, or set dataset.quality.missing_cells to mask",
    )


def _refuse_constant(value: float, variable: Variable, place: str) -> None:
    raise AirshedError(
        "a field has the same value everywhere",
        where=place,
        expected="a field that varies from cell to cell",
        found=f"{value:g} {variable.units} in every cell",
        hint="fetch the file again, or set dataset.quality.constant_fields to mask",
    )
