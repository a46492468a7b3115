"""What a baseline may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.arrays import Floats
from airshed.config import Study
from airshed.data.climatology import Climatology
from airshed.evaluation.batch import Forecaster, Samples


@dataclass(frozen=True)
class Known:
    """What a baseline may use.

    Attributes:
        study: The resolved study.
        hourly: The hourly store, opened without dask.
        mask: bool [Y, X], True inside the domain.
        climatology: Of the training split.
        damping: Coefficients [horizon, T] of damped persistence, if they were fitted.
    """

    study: Study
    hourly: xr.Dataset
    mask: npt.NDArray[np.bool_]
    climatology: Climatology
    damping: Floats | None = None


def batch_by_batch(forecast: Callable[[Samples], Floats]) -> Forecaster:
    """The forecaster that makes each batch's forecast [B, T, Y, X] from its rows alone."""

    def forecasts(batches: Iterable[Samples]) -> Iterator[Floats]:
        return map(forecast, batches)

    return forecasts
