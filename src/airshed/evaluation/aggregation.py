"""Sums over pairs of forecast and observation: by init time and bin, by place, by block of days.

What is summed are the statistics of :mod:`airshed.evaluation.metrics`, from which every score
follows; which pairs belong together is said by the binnings of :mod:`airshed.evaluation.binning`.
Metric, binning and aggregation are three things (as in WeatherBench-X): a further score or a
further region changes none of the others.

Sums by init time can be added up over any of the init times, so that a score of a part of the test
period, or of one that is drawn again, needs no forecast. Sums by place are over the whole period;
those by block of days let maps be drawn again in the same way, on a coarser grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from airshed.arrays import Floats, Integers
from airshed.evaluation.batch import Batch, Gathered, Samples
from airshed.evaluation.binning import Binning, FixedBins, RuggednessByWind
from airshed.evaluation.metrics.exceedance import EVENTS
from airshed.evaluation.metrics.moments import MOMENTS
from airshed.variables import Variable

BLOCK_DAYS = 10
BLOCK_STATISTICS = ("count", "error", "squared")
"""What is summed by block of days: bias and RMSE follow from it."""


@dataclass(frozen=True)
class Period:
    """The init times and horizons that samples may have, and what is forecast.

    Attributes:
        init_times: [T], rising.
        horizons_h: [H], hours.
        targets: [V].
    """

    init_times: pd.DatetimeIndex
    horizons_h: tuple[int, ...]
    targets: tuple[Variable, ...]

    @property
    def names(self) -> list[str]:
        """Of the targets."""
        return [target.name for target in self.targets]

    def places(self, samples: Samples) -> tuple[Integers, Integers]:
        """Positions [B] of samples among the init times and horizons; -1 for others."""
        inits: Integers = self.init_times.get_indexer(samples.init_times)
        return inits, pd.Index(self.horizons_h).get_indexer(pd.Index(samples.horizons_h))

    @property
    def block(self) -> Integers:
        """[T], the number of the block of days that each init time lies in."""
        days: Integers = (self.init_times - self.init_times[0]).days.to_numpy()
        return days // BLOCK_DAYS

    @property
    def block_starts(self) -> pd.DatetimeIndex:
        """The first init time of each block."""
        return self.init_times[np.unique(self.block, return_index=True)[1]]


class Bins:
    """Several binnings side by side.

    Attributes:
        kinds: Kind of each bin.
        names: Name of each bin.
    """

    def __init__(self, binnings: Sequence[Binning], places: int) -> None:
        self.kinds = [binning.kind for binning in binnings for _ in binning.names]
        self.names = [name for binning in binnings for name in binning.names]
        self._weights = np.zeros((len(self.names), places))
        self._changing: list[tuple[slice, Binning]] = []
        start = 0
        for binning in binnings:
            rows = slice(start, start + len(binning.names))
            start = rows.stop
            if isinstance(binning, FixedBins):
                self._weights[rows] = binning.fixed
            else:
                self._changing.append((rows, binning))

    def weights(self, batch: Batch, row: int) -> npt.NDArray[np.float64]:
        """1 where a place is in a bin, else 0, [bin, P]; it is changed by the next call."""
        for rows, binning in self._changing:
            self._weights[rows] = binning.members(batch, row)
        return self._weights


class Sums(Gathered):
    """The sums themselves, float64, and counts of events.

    Memory: 8 bytes for each init time, horizon, bin, statistic and pollutant, and for each horizon,
    statistic, pollutant and place.

    Args:
        period: Init times T, horizons H and targets V.
        bins: B of them.
        places: P, the cells or stations.
        statistics: M names; the first are MOMENTS.
        groups: [G, P], which places are taken together in the sums by block; by default each alone.

    Attributes:
        by_init: [T, H, B, M, V].
        events_by_init: [T, H, B, E, V] for the E EVENTS.
        by_place: [H, M, V, P].
        events_by_place: [H, E, V, P].
        by_block: [block, H, BLOCK_STATISTICS, V, G].
    """

    GATHERED = ("by_init", "events_by_init", "by_place", "events_by_place", "by_block")

    def __init__(
        self,
        period: Period,
        bins: int,
        places: int,
        statistics: Sequence[str] = MOMENTS,
        groups: csr_array | None = None,
    ) -> None:
        self._block, targets = period.block, len(period.targets)
        self._in_blocks = [list(statistics).index(name) for name in BLOCK_STATISTICS]
        self._groups = groups
        times, horizons = len(period.init_times), len(period.horizons_h)
        self._parts = np.empty((len(statistics), targets, places))
        grouped = places if groups is None else groups.shape[0]
        self.by_init = np.zeros((times, horizons, bins, len(statistics), targets))
        self.by_place = np.zeros((horizons, *self._parts.shape))
        blocks = (self._block[-1] + 1, horizons, len(BLOCK_STATISTICS), targets, grouped)
        self.by_block = np.zeros(blocks)
        events = (len(EVENTS), targets)
        self.events_by_init = np.zeros((times, horizons, bins, *events), dtype=np.int32)
        self.events_by_place = np.zeros((horizons, *events, places), dtype=np.int32)

    def add(
        self,
        init: int,
        horizon: int,
        parts: Floats,
        events: Sequence[npt.NDArray[np.intp]],
        weights: npt.NDArray[np.float64],
    ) -> None:
        """Add one sample.

        Args:
            init: Its position among the init times.
            horizon: Its position among the horizons.
            parts: [M, V, P], what each pair adds.
            events: Positions of each of EVENTS in a flattened [V, P].
            weights: [B, P], see :meth:`Bins.weights`.
        """
        self._parts[:] = parts  # products of float64 are exact enough for any subset of init times
        self.by_place[horizon] += self._parts
        by_bin = self._parts.reshape(-1, self._parts.shape[-1]) @ weights.T
        self.by_init[init, horizon] = np.moveaxis(by_bin.reshape(*self._parts.shape[:2], -1), 2, 0)
        self.by_block[self._block[init], horizon] += self._grouped(self._parts[self._in_blocks])
        for number, places in enumerate(events):
            if len(places):
                self.events_by_place[horizon, number].reshape(-1)[places] += 1
                counts = self.events_by_init[init, horizon, :, number]
                self._count(counts, places, weights)

    def _grouped(self, parts: Floats) -> Floats:
        if self._groups is None:
            return parts
        flat = parts.reshape(-1, parts.shape[-1])
        summed: Floats = (self._groups @ flat.T).T
        return summed.reshape(*parts.shape[:-1], -1)

    @staticmethod
    def _count(
        counts: npt.NDArray[np.int32],
        positions: npt.NDArray[np.intp],
        weights: npt.NDArray[np.float64],
    ) -> None:
        """Count events at rising positions of a flattened [V, P] into counts [B, V]."""
        places = weights.shape[1]
        cuts = np.searchsorted(positions, places * np.arange(1, counts.shape[1]))
        for target, part in enumerate(np.split(positions, cuts)):
            counts[:, target] = weights[:, part - target * places].sum(axis=1)

    def totals(self) -> tuple[Floats, Integers]:
        """Sums [H, M, V] and events [H, E, V] of the first bin, over all init times."""
        events = self.events_by_init[:, :, 0].sum(axis=0, dtype=np.int64)
        sums: Floats = self.by_init[:, :, 0].sum(axis=0)
        return sums, events


class JointSums(Gathered):
    """Counts and squared errors alone, in joint classes: what RMSE needs, in little room.

    Args:
        period: Init times T, horizons H and targets V.
        classes: R classes of ruggedness by W of wind.
        places: P.

    Attributes:
        joint_count: [T, H, R x W, V].
        joint_squared: The same of squared errors, summed in float64 and stored as float32.
    """

    GATHERED = ("joint_count", "joint_squared")

    def __init__(self, period: Period, classes: RuggednessByWind, places: int) -> None:
        self._classes, self._bins = classes, Bins([classes], places)
        times, horizons = len(period.init_times), len(period.horizons_h)
        shape = (times, horizons, len(classes.names), len(period.targets))
        self.joint_count = np.zeros(shape, dtype=np.int32)
        self.joint_squared = np.zeros(shape, dtype=np.float32)

    def add(self, init: int, horizon: int, parts: Floats, batch: Batch, row: int) -> None:
        """Add one sample: the batch's ``row``.

        Args:
            init: Its position among the init times.
            horizon: Its position among the horizons.
            parts: [MOMENTS, V, P], what each pair adds.
            batch: The batch that it comes in.
            row: Its place there.
        """
        weights = self._bins.weights(batch, row)
        for name, sums in (("count", self.joint_count), ("squared", self.joint_squared)):
            sums[init, horizon] = weights @ parts[MOMENTS.index(name)].T.astype(np.float64)

    def values(self) -> dict[str, Any]:
        """Of ``scores.nc``: the sums as [T, H, R, W, V], and the names of the classes."""
        names = {one.kind: list(one.names) for one in self._classes.parts}
        sizes = [len(of) for of in names.values()]
        return names | {
            name: sums.reshape(*sums.shape[:2], *sizes, -1) for name, sums in self.state().items()
        }
