"""Moments and percentiles of very many numbers in one pass and bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

DROPPED_BITS = 3  # of a float32's 23: bins are narrower than 2**-20 of their value
SMALLEST, LARGEST = 2.0**-20, 2.0**30  # magnitudes told apart; below is zero
BLOCK = 2**20  # bins summed at once, so that bins never touched need no memory


def _bits(magnitude: float) -> int:
    return int(np.float32(magnitude).view(np.uint32)) >> DROPPED_BITS


LOWEST, BINS = _bits(SMALLEST), _bits(LARGEST) - _bits(SMALLEST) + 1


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


class RunningPercentiles:
    """Percentiles of single-precision numbers, to 1e-6 of their value.

    A histogram over the leading bits of the numbers themselves: its bins follow the magnitude, from
    2**-20 to 2**30, on both sides of zero. Bins lie in zeroed memory of which only what is touched
    becomes real: some 4 MB for each factor of two that the values span.
    """

    def __init__(self) -> None:
        self._bins = {sign: np.zeros(BINS, dtype=np.uint32) for sign in (-1, 1)}
        self._zeros = 0

    def add(self, values: Floats) -> None:
        """Add finite values [n] of at most 2**30."""
        single = values.astype(np.float32)
        keys = (np.abs(single).view(np.uint32) >> DROPPED_BITS).astype(np.int64) - LOWEST
        for sign, chosen in ((-1, single < 0), (1, single > 0)):
            signed = keys[chosen & (keys >= 0)]
            if signed.size and signed.max() >= BINS:
                raise ValueError(f"a value is larger than {LARGEST:g}")
            np.add.at(self._bins[sign], signed, np.uint32(1))
        self._zeros += int((keys < 0).sum())

    def percentiles(self, shares: Floats) -> npt.NDArray[np.float64]:
        """Percentiles [P] at ``shares`` (0 to 100), interpolated as ``numpy.percentile`` does.

        Raises:
            ValueError: There are no values.
        """
        negative, positive = _Counts(self._bins[-1]), _Counts(self._bins[1])
        total = negative.total + self._zeros + positive.total
        if not total:
            raise ValueError("no values were added")

        def value(rank: int) -> float:
            if rank < negative.total:
                return -negative.value(negative.total - 1 - rank)
            rank -= negative.total + self._zeros
            return positive.value(rank) if rank >= 0 else 0.0

        positions = np.asarray(shares) / 100 * (total - 1)
        low = np.floor(positions).astype(np.int64)
        high = np.minimum(low + 1, total - 1)
        ends = [np.array([value(int(rank)) for rank in ranks]) for ranks in (low, high)]
        return np.asarray(ends[0] + (positions - low) * (ends[1] - ends[0]), dtype=np.float64)


class _Counts:
    """Bins with their running sums, block by block."""

    def __init__(self, bins: npt.NDArray[np.uint32]) -> None:
        self.bins = bins
        starts = np.arange(0, BINS, BLOCK)
        self.ends = np.cumsum(np.add.reduceat(bins, starts, dtype=np.int64))
        self.total = int(self.ends[-1])

    def value(self, rank: int) -> float:
        """Middle of the bin that holds the value with so many smaller magnitudes."""
        block = int(np.searchsorted(self.ends, rank, side="right"))
        before = int(self.ends[block - 1]) if block else 0
        sums = before + np.cumsum(self.bins[block * BLOCK : (block + 1) * BLOCK], dtype=np.int64)
        key = block * BLOCK + int(np.searchsorted(sums, rank, side="right")) + LOWEST
        edges = np.array([key, key + 1], dtype=np.uint32) << np.uint32(DROPPED_BITS)
        return float(edges.view(np.float32).astype(np.float64).mean())
