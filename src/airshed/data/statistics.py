"""Normalisation: mean and standard deviation of each input over the training split."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pandas as pd
import xarray as xr

from airshed.config.data import Split
from airshed.data.samples import hours_of
from airshed.data.stores import open_hourly, open_static, write_netcdf
from airshed.errors import AirshedError
from airshed.variables import HOURLY, INPUTS, STATIC, VARIABLES


def statistics(hourly: Path, static: Path, train: Split, output: Path) -> None:
    """Write mean and standard deviation of the inputs, over the domain's cells.

    Hourly fields are taken at every usable hour of the training split, in float64.

    Args:
        hourly: The hourly store.
        static: ``static.nc``.
        train: The training split.
        output: Where the NetCDF file goes: ``mean`` and ``std`` (variable), canonical units.

    Raises:
        AirshedError: The split has no usable hour, or an input does not vary.
    """
    fields, grid = open_hourly(hourly), open_static(static)
    usable = fields["present"].values & hours_of(pd.DatetimeIndex(fields["time"].values), train)
    if not usable.any():
        raise AirshedError(
            "no usable hour lies in the training split", where=hourly, expected=f"hours in {train}"
        )
    inside = grid["domain_mask"].astype(bool)
    values = (
        fields[list(HOURLY)]
        .drop_vars(["lat2d", "lon2d"])
        .isel(time=np.flatnonzero(usable))
        .merge(grid[list(STATIC)], compat="override")
    )
    values = values.astype(np.float64).where(inside)
    moments = [(values[name].mean(), values[name].std()) for name in INPUTS]
    mean, std = np.array(dask.compute(moments)[0], dtype=np.float64).T
    for name, mu, sigma in zip(INPUTS, mean, std, strict=True):
        if not (np.isfinite(mu) and sigma > 0):
            raise AirshedError(
                "an input cannot be normalised: it does not vary over the training split",
                where=f"{hourly}, variable {name}",
                expected="a positive standard deviation",
                found=f"mean {mu:g}, standard deviation {sigma:g}",
            )
    write_netcdf(
        xr.Dataset(
            {
                "mean": ("variable", mean),
                "std": ("variable", std),
                "units": ("variable", [VARIABLES[name].units for name in INPUTS]),
            },
            coords={"variable": list(INPUTS)},
            attrs={"train": str(train), "hours": int(usable.sum())},
        ),
        output,
    )
