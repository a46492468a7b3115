"""Normalisation: mean and standard deviation of each variable over the training split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.config.data import Split
from airshed.config.preprocessing import DaskConfig, NormalisationConfig
from airshed.data.samples import hours_of
from airshed.data.scale_out import run_tasks
from airshed.data.shards import HourReader
from airshed.data.stores import hourly_fields, open_hourly, open_static, write_netcdf
from airshed.errors import AirshedError
from airshed.variables import STATIC, VARIABLES


class RunningMoments:
    """Count, mean and standard deviation, merged block by block in float64.

    Blocks are merged pairwise (Chan, Golub and LeVeque 1979, eq. 2.1), which keeps the spread exact
    where the mean is large against it.
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, values: Floats) -> None:
        """Add finite values [n]."""
        if not values.size:
            return
        block = values.astype(np.float64)
        mean = float(block.mean())
        squares = float(np.square(block - mean).sum())
        total = self.count + block.size
        step = mean - self.mean
        self._squares += squares + step**2 * self.count * block.size / total
        self.mean += step * block.size / total
        self.count = total

    @property
    def std(self) -> float:
        """Standard deviation of all values (divided by their number); NaN without any."""
        return float(np.sqrt(self._squares / self.count)) if self.count else float("nan")


def statistics(
    hourly: Path,
    static: Path,
    train: Split,
    normalisation: NormalisationConfig,
    scale_out: DaskConfig,
    workers: int,
    output: Path,
) -> None:
    """Write the normalisation of all that the stores hold, over the domain's cells.

    Hourly fields are taken at every usable hour of the training split and read once.

    Args:
        hourly: The hourly store.
        static: ``static.nc``.
        train: The training split.
        normalisation: Which variables have a logarithm, which have prescribed statistics.
        scale_out: Where the work is done.
        workers: Processes on this machine.
        output: Where the NetCDF file goes: ``mean``, ``std``, ``log_scale`` and ``fixed``
            (variable), canonical units.

    Raises:
        AirshedError: The split has no usable hour, or a variable does not vary.
    """
    fields, grid = open_hourly(hourly), open_static(static)
    usable = fields["present"].values & hours_of(pd.DatetimeIndex(fields["time"].values), train)
    if not usable.any():
        raise AirshedError(
            "no usable hour lies in the training split", where=hourly, expected=f"hours in {train}"
        )
    inside = grid["domain_mask"].values.astype(bool)
    hours = np.flatnonzero(usable)
    changing = hourly_fields(fields)
    added = [name for name in changing if name not in VARIABLES]
    names = [*(name for name in VARIABLES if name in (*changing, *STATIC)), *added]
    scales = {name: normalisation.log.get(name, 0.0) for name in names}
    found = {name: _of_field(grid[name].values[inside], scales[name]) for name in STATIC}
    tasks = [(hourly, name, hours, inside, scales[name]) for name in changing]
    results = run_tasks(_of_hours, tasks, scale_out, workers, "variables summarised")
    found |= dict(results)
    mean, std, fixed = _chosen({name: found[name] for name in names}, normalisation, hourly)
    units = [(grid if name in STATIC else fields)[name].attrs["units"] for name in names]
    write_netcdf(
        xr.Dataset(
            {
                "mean": ("variable", mean),
                "std": ("variable", std),
                "fixed": ("variable", fixed),
                "log_scale": ("variable", [scales[name] for name in names]),
                "units": ("variable", units),
            },
            coords={"variable": names},
            attrs={"train": str(train), "hours": len(hours)},
        ),
        output,
    )


def _of_hours(
    hourly: Path,
    name: str,
    hours: npt.NDArray[np.integer[Any]],
    inside: npt.NDArray[np.bool_],
    log_scale: float,
) -> tuple[str, RunningMoments]:
    """Name and moments of one hourly variable; its array is read once, hour by hour."""
    reader = HourReader(hourly, [name])
    moments, transform = RunningMoments(), _transform(log_scale)
    for fields in map(reader.read, hours.tolist()):
        values = fields[0][inside]
        moments.add(transform(values[np.isfinite(values)]))
    return name, moments


def _of_field(values: Floats, log_scale: float) -> RunningMoments:
    moments = RunningMoments()
    moments.add(_transform(log_scale)(values.astype(np.float64)))
    return moments


def _transform(log_scale: float) -> Callable[[Floats], Floats]:
    if log_scale == 0:
        return lambda values: values
    return lambda values: np.log1p(values.astype(np.float64) / log_scale)


def _chosen(
    found: dict[str, RunningMoments], normalisation: NormalisationConfig, hourly: Path
) -> tuple[list[float], list[float], list[int]]:
    """Mean, standard deviation and whether they were prescribed, for each variable."""
    mean, std, fixed = [], [], []
    for name, moments in found.items():
        chosen = normalisation.fixed.get(name, moments)
        if not (np.isfinite(chosen.mean) and chosen.std > 0):
            raise AirshedError(
                "a variable cannot be normalised: it does not vary over the training split",
                where=f"{hourly}, variable {name}",
                expected="a positive standard deviation",
                found=f"mean {chosen.mean:g}, standard deviation {chosen.std:g}",
                hint=f"prescribe normalisation.fixed.{name}, or choose another training split",
            )
        mean.append(chosen.mean)
        std.append(chosen.std)
        fixed.append(int(name in normalisation.fixed))
    return mean, std, fixed
