"""Coefficients of damped persistence: the share of an anomaly that is left after each horizon.

With a(t) a target's deviation from the climatology of the training split at the time t, summed over
the samples of that split and the cells of the domain where both anomalies are known,

    k = sum of a(init time) a(valid time) / sum of a(init time)^2

is the regression through the origin of the valid time's anomaly on the latest one's: one number for
each target and horizon, clipped to 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from airshed.arrays import Floats, Integers
from airshed.config.data import Split
from airshed.data.climatology import open_climatology
from airshed.data.days import DayReader, days_spanned
from airshed.data.samples import sample_index
from airshed.data.stores import check_targets, open_hourly, open_netcdf, open_static, write_netcdf
from airshed.errors import AirshedError
from airshed.progress import progress
from airshed.variables import Variable


def fit_damping(
    hourly: Path,
    static: Path,
    climatology: Path,
    train: Split,
    horizons_h: Sequence[int],
    targets: Sequence[Variable],
    output: Path,
) -> None:
    """Fit the coefficients in one pass over the samples of the training split, and write them.

    Args:
        hourly: The hourly store.
        static: The static fields, with the domain mask.
        climatology: Of the training split.
        train: The training split.
        horizons_h: Lead times, h.
        targets: What is forecast.
        output: The NetCDF file to write: ``coefficient`` (horizon_h, pollutant).

    Raises:
        AirshedError: The training split has no sample.
    """
    names, longest = [target.name for target in targets], max(horizons_h)
    store = open_hourly(hourly, None, names)
    expected = open_climatology(climatology, targets)
    inside = open_static(static)["domain_mask"].values.astype(bool)
    times, present = pd.DatetimeIndex(store["time"].values), store["present"].values
    samples = sample_index(times, present, train, horizons_h)
    reader = DayReader(store, names, days_spanned(longest))

    def anomalies(positions: Integers) -> Floats:
        fields = reader.fields(positions) - expected.at(times[positions])
        return fields[:, :, inside].astype(np.float64)

    products = np.zeros((2, len(horizons_h), len(names)))
    of_init = samples.groupby("input_index", sort=True)
    for _, rows in progress(of_init, "damped persistence", total=of_init.ngroups):
        positions = np.append(rows["input_index"].iloc[:1], rows["target_index"])
        latest, *later = anomalies(positions)
        for horizon, anomaly in zip(rows["horizon_h"], later, strict=True):
            number, known = horizons_h.index(horizon), np.isfinite(latest + anomaly)
            before = np.where(known, latest, 0)
            products[0, number] += (before * np.where(known, anomaly, 0)).sum(axis=1)
            products[1, number] += (before**2).sum(axis=1)
    together, alone = products
    share = np.divide(together, alone, out=np.zeros_like(alone), where=alone > 0)
    write_netcdf(
        xr.Dataset(
            {
                "coefficient": (("horizon_h", "pollutant"), np.clip(share, 0, 1)),
                "units": ("pollutant", [target.units for target in targets]),
            },
            coords={"horizon_h": list(horizons_h), "pollutant": names},
            attrs={"train": str(train)},
        ),
        output,
    )


def open_damping(path: Path, targets: Sequence[Variable], horizons_h: Sequence[int]) -> Floats:
    """Coefficients [horizon, T] that :func:`fit_damping` wrote of these targets and horizons.

    Raises:
        AirshedError: It is no such file, or has other pollutants, units or horizons.
    """
    dataset = open_netcdf(path, ("coefficient", "units"))
    check_targets(dataset, targets, path)
    found = dataset["horizon_h"].values.tolist()
    if found != list(horizons_h):
        raise AirshedError(
            "the coefficients of damped persistence are of other horizons",
            where=path,
            expected=", ".join(f"{hours} h" for hours in horizons_h),
            found=", ".join(f"{hours} h" for hours in found),
            hint="let snakemake make them again",
        )
    coefficients: Floats = dataset["coefficient"].transpose("horizon_h", "pollutant").values
    return coefficients
