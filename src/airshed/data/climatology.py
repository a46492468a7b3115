"""Climatology of the training split: the seasonal cycle of every hour of the day in every cell.

For each cell, pollutant and hour of the day h (UTC) the values of the training split are fitted by
least squares with harmonics of the day of the year:

    c(h, t) = a_0(h) + sum_k [a_k(h) cos(2 pi k t) + b_k(h) sin(2 pi k t)],   k = 1 .. harmonics

t being the elapsed share of the year at the start of the day. This is a smooth form of the mean by
hour of the day and day of the year, with few enough coefficients for a single year to determine.

**Less than a year.** Harmonics fitted to a part of the year are free to do anything in the rest of
it. Unless the present hours of the training split fall on at least MIN_DAYS_OF_YEAR different days
of the year, no harmonic is fitted, and c(h, t) = a_0(h) is the mean of the hour of the day. The
file and the log state which of the two it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats, Integers
from airshed.config.data import Split
from airshed.data.samples import hours_of
from airshed.data.stores import (
    check_targets,
    hours_of_day,
    open_hourly,
    open_netcdf,
    open_static,
    reading_hours,
    write_netcdf,
)
from airshed.errors import AirshedError
from airshed.progress import progress
from airshed.variables import Variable

MIN_DAYS_OF_YEAR = 360
DAYS_AT_ONCE = 10  # read together: 31 MB at 128 x 256
VALUES_A_TERM = 3  # needed by a cell at each hour of the day for each coefficient

log = logging.getLogger(__name__)


def seasonal_terms(times: pd.DatetimeIndex, harmonics: int) -> npt.NDArray[np.float64]:
    """The functions of the day of the year: 1, then cosine and sine of each harmonic.

    Returns:
        [B, 1 + 2 harmonics].
    """
    days = np.where(times.is_leap_year, 366, 365)
    angle = 2 * np.pi * (times.day_of_year.to_numpy() - 1) / days
    waves = [wave(k * angle) for k in range(1, harmonics + 1) for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(angle), *waves], axis=1)


class Climatology:
    """The expected fields at any time.

    Attributes:
        coefficients: [term, time of the day, T, Y, X], physical units, terms in the order of
            :func:`seasonal_terms`, times evenly spaced from 0 h; NaN outside the domain.
    """

    def __init__(self, coefficients: npt.NDArray[np.float32]) -> None:
        self.coefficients = coefficients
        self.harmonics = (len(coefficients) - 1) // 2
        self._step_h = 24 // coefficients.shape[1]

    def at(self, times: pd.DatetimeIndex) -> npt.NDArray[np.float32]:
        """The fields [B, T, Y, X] expected at these times [B], in physical units."""
        terms = seasonal_terms(times, self.harmonics).astype(np.float32)
        fields = np.empty((len(times), *self.coefficients.shape[2:]), dtype=np.float32)
        for row, (hour, term) in enumerate(zip(times.hour, terms, strict=True)):
            at_hour = self.coefficients[:, hour // self._step_h]
            fields[row] = at_hour[0] if self.harmonics == 0 else np.tensordot(term, at_hour, 1)
        return fields


def open_climatology(path: Path, targets: Sequence[Variable]) -> Climatology:
    """The climatology that :func:`fit_climatology` wrote of these targets.

    In memory it takes 94 MB at 128 x 256 with two harmonics and six targets.

    Raises:
        AirshedError: It is no such file, or has other pollutants or units.
    """
    order = ("term", "hour", "pollutant", "y", "x")
    return Climatology(_coefficients(path, targets).transpose(*order).values.astype(np.float32))


def open_mean(path: Path, targets: Sequence[Variable]) -> xr.DataArray:
    """The mean field of each target (pollutant, y, x) in the training split, physical units.

    Every hour of the day counts the same, and harmonics are zero in the mean of a year.

    Raises:
        AirshedError: It is no climatology, or of other pollutants or units.
    """
    return _coefficients(path, targets).isel(term=0).mean("hour", skipna=False)


def _coefficients(path: Path, targets: Sequence[Variable]) -> xr.DataArray:
    dataset = open_netcdf(path, ("coefficient", "units"))
    check_targets(dataset, targets, path)
    return dataset["coefficient"]


def fit_climatology(
    hourly: Path,
    static: Path,
    train: Split,
    targets: Sequence[Variable],
    harmonics: int,
    output: Path,
) -> None:
    """Fit the climatology in one pass over the training split per pollutant, and write it.

    Memory at 128 x 256 with two harmonics: 480 MB at most, for the normal equations of one
    pollutant at a time and the coefficients of all.

    Args:
        hourly: The hourly store.
        static: The static fields, with the domain mask.
        train: The training split.
        targets: The variables.
        harmonics: Harmonics of the year, if the split covers one.
        output: The NetCDF file to write: ``coefficient`` (term, hour, pollutant, y, x).

    Raises:
        AirshedError: A cell of the domain has too few values at some hour of the day.
    """
    names = [target.name for target in targets]
    store = open_hourly(hourly, None, names)
    mask = open_static(static)["domain_mask"].values.astype(bool)
    used = _usable_harmonics(store, train, harmonics)
    hours = hours_of_day(store)
    shape = (1 + 2 * used, len(hours), len(targets), *mask.shape)
    coefficients = np.full(shape, np.nan, dtype=np.float32)
    for number, name in enumerate(names):
        coefficients[:, :, number, mask] = _fit(store, train, name, mask, used)
    write_netcdf(
        xr.Dataset(
            {
                "coefficient": (("term", "hour", "pollutant", "y", "x"), coefficients),
                "units": ("pollutant", [target.units for target in targets]),
            },
            coords={"pollutant": names, "hour": hours},
            attrs={"train": str(train), "harmonics": used, "harmonics_wanted": harmonics},
        ),
        output,
    )


def _usable_harmonics(hourly: xr.Dataset, train: Split, harmonics: int) -> int:
    """All of them if the present hours of the split cover a year, else none."""
    times = pd.DatetimeIndex(hourly["time"].values)[hourly["present"].values]
    days = len(np.unique(times[hours_of(times, train)].day_of_year))
    if harmonics and days < MIN_DAYS_OF_YEAR:
        log.warning(
            "the training split covers %d days of the year, fewer than %d: the climatology is the"
            " mean by hour of the day, without a seasonal cycle",
            days,
            MIN_DAYS_OF_YEAR,
        )
        return 0
    return harmonics


def _fit(
    hourly: xr.Dataset, train: Split, name: str, mask: npt.NDArray[np.bool_], harmonics: int
) -> Floats:
    """Coefficients [term, hour, C] of one pollutant at the cells of the domain.

    The normal matrix is the same for all cells except for their missing values, whose terms are
    subtracted per cell.
    """
    terms, cells = 1 + 2 * harmonics, int(mask.sum())
    of_day = hours_of_day(hourly)
    everywhere = np.zeros((len(of_day), terms, terms))
    absent = np.zeros((len(of_day), terms, terms, cells))
    right = np.zeros((len(of_day), terms, cells))
    what = f"climatology of {name}"
    for times, fields in progress(_days(hourly, train, name), what, total=len(train.days)):
        values = fields[:, mask].astype(np.float64)
        hours, term = of_day.searchsorted(times.hour), seasonal_terms(times, harmonics)
        products = term[:, :, None] * term[:, None, :]
        missing, cell = np.nonzero(~np.isfinite(values))
        values[missing, cell] = 0
        everywhere[hours] += products  # a day has each hour once
        absent[hours[missing], :, :, cell] += products[missing]
        right[hours] += term[:, :, None] * values[:, None]
    normal = everywhere[..., None] - absent
    _check_counts(normal[:, 0, 0], of_day, terms, name, train)
    solved = [
        np.linalg.solve(np.moveaxis(matrix, -1, 0), vector.T[..., None])[..., 0].T
        for matrix, vector in zip(normal, right, strict=True)
    ]
    return np.stack(solved, axis=1)


def _check_counts(counts: Floats, of_day: Integers, terms: int, name: str, train: Split) -> None:
    """Every cell needs enough values at every hour of the day [hour, C]."""
    needed = 1 if terms == 1 else VALUES_A_TERM * terms
    few = counts < needed
    if few.any():
        hours = of_day[few.any(axis=1)]
        raise AirshedError(
            "the climatology needs every hour of the day in the training split, in every cell",
            where=f"{name}, splits.train {train}",
            expected=f"{needed} or more values of each cell of the domain at each hour of the day",
            found=f"fewer at {', '.join(map(str, hours))} h (UTC),"
            f" in {few.any(axis=0).sum()} cells",
            hint="see the gaps in ingest.json, or choose a longer training split",
        )


def _days(
    hourly: xr.Dataset, split: Split, name: str
) -> Iterator[tuple[pd.DatetimeIndex, npt.NDArray[Any]]]:
    """Times and fields [hour, Y, X] of the present hours of each day of a split."""
    times, present = pd.DatetimeIndex(hourly["time"].values), hourly["present"].values
    first, steps = int(times.searchsorted(pd.Timestamp(split.start))), len(hours_of_day(hourly))
    for read in range(0, len(split.days), DAYS_AT_ONCE):
        days = min(DAYS_AT_ONCE, len(split.days) - read)
        start = first + read * steps
        with reading_hours(f"{hourly.encoding.get('source')}, variable {name}"):
            fields = hourly[name].isel(time=slice(start, start + days * steps)).values
        for day in range(days):
            hours = np.arange(day * steps, (day + 1) * steps)
            hours = hours[present[start + hours]]
            yield times[start + hours], fields[hours]
