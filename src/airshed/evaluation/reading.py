"""Reading what is known at the init time, and what forecasts are scored against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.arrays import Floats
from airshed.data.days import DayReader, days_spanned
from airshed.data.reference import Reference
from airshed.evaluation.batch import Batch, Samples
from airshed.variables import WIND


class SampleReader:
    """Puts forecasts beside the observed fields.

    Args:
        hourly: The hourly store, opened without dask.
        targets: Names of what is forecast.
        longest_h: The longest horizon, h.
    """

    def __init__(self, hourly: xr.Dataset, targets: Sequence[str], longest_h: int) -> None:
        self._targets = len(targets)
        wind = WIND if set(WIND) <= set(hourly.variables) else ()
        self._reader = DayReader(hourly, (*targets, *wind), days_spanned(longest_h))

    def batch(self, samples: Samples, forecast: npt.NDArray[Any]) -> Batch:
        """The batch of a forecast [B, T, Y, X] of these samples; without wind its speed is NaN."""
        inits, rows = np.unique(samples.input_index, return_inverse=True)
        at_init = self._reader.fields(inits)
        at_valid = self._reader.fields(samples.target_index)
        targets = self._targets
        if at_init.shape[1] > targets:
            speed: Floats = np.hypot(at_init[:, targets], at_init[:, targets + 1])
        else:
            speed = np.full_like(at_init[:, 0], np.nan)
        return Batch(
            samples,
            np.asarray(forecast, dtype=np.float32),
            at_valid[:, :targets],
            at_init[:, :targets][rows],
            speed[rows],
        )


def at_samples(
    reference: Reference, hourly: xr.Dataset, targets: Sequence[str]
) -> Callable[[Samples], Floats]:
    """A reference forecast [B, T, Y, X] of samples, from the hourly store, opened without dask."""
    reader = DayReader(hourly, targets, days_spanned(0))

    def forecast(samples: Samples) -> Floats:
        latest = reader.fields(samples.input_index)
        return reference(latest, samples.init_times, samples.horizons_h)

    return forecast
