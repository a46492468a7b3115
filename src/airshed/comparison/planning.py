"""How much more of what an inconclusive comparison needs: seeds, or a longer test period."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from airshed.comparison.inference import CONFIDENCE, Estimate, Part

MOST_SEEDS = 50
MOST_LONGER = 50.0
LONGER_STEP = 1.1


@dataclass(frozen=True)
class Variances:
    """The overall change of a comparison and the parts of its variance, on the log scale.

    Attributes:
        log_ratio: Log of the RMSE of the variant over that of the reference.
        between_seeds: Variance of one training's log RMSE.
        over_time: Variance over init times, of the test period at hand.
        time_degrees: Degrees of freedom of ``over_time``.
    """

    log_ratio: float
    between_seeds: float
    over_time: float
    time_degrees: float

    @classmethod
    def of(
        cls,
        change: float,
        seed_variance: float,
        seeds: tuple[int, int],
        time_variance: float,
        time_degrees: float,
    ) -> Variances:
        """From a row of ``comparisons.csv``: its ``seed_variance`` is that of two means."""
        one_training = seed_variance / sum(1 / count for count in seeds)
        return cls(math.log1p(change), one_training, time_variance, time_degrees)

    def half_width(self, seeds: int, longer: float = 1.0) -> float:
        """Half the 95 % interval with so many seeds each and a test period so many times as long.

        The variance over init times falls in proportion to the length of the period.
        """
        parts = (
            Part(np.array([self.between_seeds * 2 / seeds]), np.array([2.0 * seeds - 2])),
            Part(np.array([self.over_time / longer]), np.array([self.time_degrees * longer])),
        )
        return float(Estimate(np.array([self.log_ratio]), parts).half_width(1 - CONFIDENCE)[0])

    def decided(self, margin: float, seeds: int, longer: float = 1.0) -> bool:
        """Whether the interval would decide, if the change stayed as it is.

        It decides if it leaves out zero for a change of at least the margin, and if it lies within
        the margin for a smaller one.
        """
        size, width = abs(self.log_ratio), self.half_width(seeds, longer)
        if abs(math.expm1(self.log_ratio)) >= margin:
            return width < size
        return math.expm1(size + width) < margin

    def seeds_needed(self, margin: float) -> int | None:
        """The fewest seeds each that would decide; None if no number up to MOST_SEEDS does."""
        return next(
            (seeds for seeds in range(2, MOST_SEEDS + 1) if self.decided(margin, seeds)), None
        )

    def longer_needed(self, margin: float, seeds: int) -> float | None:
        """By how much longer the test period must be with these seeds; None if nothing helps."""
        longer = LONGER_STEP
        while longer <= MOST_LONGER:
            if self.decided(margin, seeds, longer):
                return longer
            longer *= LONGER_STEP
        return None
