"""What is scored, and what a scorer is.

An evaluation is a loop over batches of forecasts beside observed fields
(:func:`airshed.evaluation.loop.score_forecasts`). Every batch is given to each of several scorers:
gridded scores, an archive of the forecasts, or whatever else has the methods of :class:`Scorer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats, Integers

State = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Samples:
    """Some samples (pairs of init time and horizon), in their order.

    Attributes:
        numbers: [B], the place of each among the samples of all horizons of the split.
        init_times: [B], UTC.
        horizons_h: [B], hours.
        input_index: [B], position of the init time on the hourly store's time axis.
        target_index: [B], position of the valid time on it.
    """

    numbers: Integers
    init_times: pd.DatetimeIndex
    horizons_h: Integers
    input_index: Integers
    target_index: Integers

    @classmethod
    def of(cls, table: pd.DataFrame) -> Samples:
        """The rows of a table that :func:`airshed.data.samples.sample_index` made."""
        columns = ("horizon_h", "input_index", "target_index")
        numbers, init_times = table.index.to_numpy(), pd.DatetimeIndex(table["init_time"])
        return cls(numbers, init_times, *(table[name].to_numpy() for name in columns))

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def valid_times(self) -> pd.DatetimeIndex:
        """[B], UTC: init time plus horizon."""
        return self.init_times + pd.to_timedelta(self.horizons_h, unit="h")

    def first_where(self, which: npt.NDArray[np.bool_]) -> str:
        """The first of those samples for which ``which`` [B] is true, in words."""
        first = int(np.argmax(which))
        return f"init time {self.init_times[first]}, horizon {self.horizons_h[first]} h"


Forecaster = Callable[[Iterable[Samples]], Iterator[Floats]]
"""Maps the samples of each batch to forecasts [B, T, Y, X] in physical units, the targets in their
order, NaN where there is none. It may read ahead: samples are asked for in the batches' order.
"""


@dataclass(frozen=True)
class Batch:
    """Forecasts of some samples beside the observed fields, in physical units.

    Observed is what forecasts are scored against, the hourly store: a reanalysis, for example.
    A batch has whole init times: every horizon that an init time has, in rising order. Fields are
    float32, targets in the study's order, units canonical, cells outside the domain included and of
    no meaning.

    Attributes:
        samples: Which samples these are.
        forecast: [B, T, Y, X]; NaN where there is no forecast.
        observed: [B, T, Y, X] at the valid time; NaN where missing.
        initial: [B, T, Y, X] at the init time (the forecast of persistence); NaN where missing.
        wind_speed_ms: [B, Y, X] at the init time, m s-1; NaN where missing.
    """

    samples: Samples
    forecast: Floats
    observed: Floats
    initial: Floats
    wind_speed_ms: Floats

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Domain:
    """Where scores are taken: each [Y, X]; the mask is True inside the domain."""

    mask: npt.NDArray[np.bool_]
    lat2d: Floats
    lon2d: Floats
    elevation_m: Floats

    @classmethod
    def of(cls, static: xr.Dataset) -> Domain:
        """The domain of ``static.nc``."""
        fields = (static[name].values for name in ("lat2d", "lon2d", "elevation"))
        return cls(static["domain_mask"].values.astype(bool), *fields)


class Scorer(Protocol):
    """Takes the batches of an evaluation in their order, each exactly once.

    Results are read from the scorer by methods of its own. An evaluation that was
    interrupted makes its scorers anew, gives each the last state that was saved, and goes on with
    the batch after it: what a scorer holds must be a function of its state and of the batches that
    follow, bit for bit.
    """

    def add(self, batch: Batch) -> None:
        """Take one batch; called from one thread at a time, never from two."""

    def state(self) -> State:
        """Everything that ``add`` has gathered, as arrays by name; no objects.

        A scorer that writes its results out as they come may return nothing, if writing a batch
        again does no harm: batches after the last saved state come again.
        """

    def restore(self, state: State) -> None:
        """Take back what :meth:`state` gave, in place of what was gathered so far."""


class Gathered:
    """What is gathered in arrays: attributes whose names are those of its saved state."""

    GATHERED: ClassVar[tuple[str, ...]]

    def state(self) -> State:
        """Everything that was gathered."""
        return {name: getattr(self, name) for name in self.GATHERED}

    def restore(self, state: State) -> None:
        """Take back what was gathered."""
        for name in self.GATHERED:
            setattr(self, name, np.array(state[name]))
