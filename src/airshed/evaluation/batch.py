"""What is scored, and what a scorer is.

An evaluation is a loop over batches of forecasts beside what came true
(:func:`airshed.evaluation.loop.score_forecasts`). Every batch is given to each of several scorers:
gridded scores, an archive of the forecasts, or whatever else has the methods of :class:`Scorer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]
State = Mapping[str, npt.NDArray[Any]]

Forecaster = Callable[[Iterable[pd.DataFrame]], Iterator[Floats]]
"""Maps the rows of samples of each batch to forecasts [B, 6, Y, X] in physical units, pollutants in
TARGETS order, NaN where there is none. It may read ahead: rows are asked for in the batches' order.
"""


@dataclass(frozen=True)
class Batch:
    """Forecasts of some samples beside what came true, in physical units.

    A batch holds whole init times: every horizon that an init time has, in rising order. Fields are
    float32, pollutants in TARGETS order, units those of :data:`airshed.variables.VARIABLES`, cells
    outside the domain included and of no meaning.

    Attributes:
        samples: One row per sample, with the columns of
            :func:`airshed.data.samples.sample_index`: ``init_time``, ``horizon_h``,
            ``input_index``, ``target_index`` (positions on the hourly store's time axis).
        forecast: [B, 6, Y, X]; NaN where there is no forecast.
        truth: [B, 6, Y, X] at the valid time; NaN where missing.
        initial: [B, 6, Y, X] at the init time (the forecast of persistence); NaN where missing.
        wind_speed_ms: [B, Y, X] at the init time, m s-1; NaN where missing.
    """

    samples: pd.DataFrame
    forecast: Floats
    truth: Floats
    initial: Floats
    wind_speed_ms: Floats

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def init_times(self) -> pd.DatetimeIndex:
        """[B], UTC."""
        return pd.DatetimeIndex(self.samples["init_time"])

    @property
    def horizons_h(self) -> Integers:
        """[B], hours."""
        return self.samples["horizon_h"].to_numpy()

    @property
    def valid_times(self) -> pd.DatetimeIndex:
        """[B], UTC: init time plus horizon."""
        return self.init_times + pd.to_timedelta(self.horizons_h, unit="h")


class Scorer(Protocol):
    """Takes the batches of an evaluation in their order, each exactly once.

    What came of it is asked of the scorer itself, by methods of its own. An evaluation that was
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
