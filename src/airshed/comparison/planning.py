"""The smallest true change that a study would find, as it is or with more seeds or days.

The change that was observed is left out on purpose: power at the observed change says nothing that
its p-value does not, and seeds that are added until a change is significant err far more often than
the level says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit
from scipy.stats import chi2

from airshed.comparison.trainings import PRIOR_DEGREES
from airshed.comparison.verdict import Limit

POWER = 0.8
DRAWS = 4000
BISECTIONS = 40
CONFIDENCE = 0.95
MOST_SEEDS = 50
MOST_LONGER = 50.0
LONGER_STEP = 1.1


@dataclass(frozen=True)
class Precision:
    """What decides which changes of log RMSE a study finds.

    Attributes:
        training: Variance of one training's log RMSE.
        training_degrees: Degrees of freedom of its estimate, from all models of the study.
        seeds: Of the variant and of its reference.
        over_time: Variance over init times, of the test period at hand.
        time_degrees: Degrees of freedom of ``over_time``.
        level: Two-sided p-value below which a change counts as found.
    """

    training: float
    training_degrees: float
    seeds: tuple[int, int]
    over_time: float
    time_degrees: float
    level: float

    @property
    def between_seeds(self) -> float:
        """Variance of the difference of two means over seeds."""
        return self.training * sum(1 / count for count in self.seeds)

    def planned(self, seeds: int, longer: float = 1.0) -> Precision:
        """The same with so many seeds each, and a test period so many times as long."""
        own = sum(self.seeds) - 2
        return replace(
            self,
            training_degrees=self.training_degrees * (2 * seeds - 2) / max(own, 1),
            seeds=(seeds, seeds),
            over_time=self.over_time / longer,
            time_degrees=self.time_degrees * longer,
        )

    @cached_property
    def smallest(self) -> float:
        """The relative change that is found in 8 of 10 repetitions of the study.

        A repetition has a normal error of the summed variances and estimates of either variance
        that follow a chi-square distribution; it finds a change of log RMSE that is larger than
        half the width of its interval at ``level``.
        """
        own = min(PRIOR_DEGREES + sum(self.seeds) - 2, self.training_degrees)
        rng = np.random.default_rng(0)
        squares = np.zeros(DRAWS)
        for variance, degrees in ((self.between_seeds, own), (self.over_time, self.time_degrees)):
            drawn = variance * rng.chisquare(degrees, DRAWS) / degrees
            squares += drawn * stdtrit(degrees, self.level / 2) ** 2
        error = math.sqrt(self.between_seeds + self.over_time)
        if error == 0:
            return 0.0
        widths = np.sqrt(squares) / error
        low, high = 0.0, float(widths.max()) + 2.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            power = float((ndtr(middle - widths) + ndtr(-middle - widths)).mean())
            low, high = (middle, high) if power < POWER else (low, middle)
        return math.expm1(low * error)

    def range(self) -> tuple[float, float]:
        """Within what :attr:`smallest` lies, since the variances are estimates themselves.

        A 95 % interval of their sum (Graybill and Wang 1980) changes it in proportion to its root.
        """
        total = self.between_seeds + self.over_time
        if total == 0:
            return 0.0, 0.0
        squares = np.zeros(2)
        for variance, degrees in (
            (self.between_seeds, self.training_degrees),
            (self.over_time, self.time_degrees),
        ):
            tails = np.array([1 + CONFIDENCE, 1 - CONFIDENCE]) / 2
            squares += np.square(variance * (degrees / chi2.ppf(tails, degrees) - 1))
        low, high = np.sqrt((total + np.array([-1, 1]) * np.sqrt(squares)) / total)
        size = math.log1p(self.smallest)
        return math.expm1(size * float(low)), math.expm1(size * float(high))

    def seeds_needed(self, change: float) -> int | None:
        """The fewest seeds each that find a change; None if no number up to MOST_SEEDS does."""
        return next(
            (n for n in range(2, MOST_SEEDS + 1) if self.planned(n).smallest <= change), None
        )

    def longer_needed(self, change: float) -> float | None:
        """By how much longer the test period must be, with these seeds; None if nothing helps."""
        longer = LONGER_STEP
        while longer <= MOST_LONGER:
            if self.planned(min(self.seeds), longer).smallest <= change:
                return longer
            longer *= LONGER_STEP
        return None


def precision(rows: pd.DataFrame, level: float) -> Precision | None:
    """What rows of ``comparisons.csv`` that are judged alike find; variances are their means.

    Args:
        rows: Of one family, with the same seeds and limit.
        level: What the family as a whole may err by; a single row has an equal part of it.

    Returns:
        None where one seed each leaves the variance between trainings unknown.
    """
    first = rows.iloc[0]
    if pd.isna(first["seed_variance"]):
        return None
    days_are_given = first["limit"] == Limit.these_days
    return Precision(
        training=float(rows["training_variance"].mean()),
        training_degrees=float(first["training_degrees"]),
        seeds=(int(first["variant_seeds"]), int(first["reference_seeds"])),
        over_time=0.0 if days_are_given else float(rows["time_variance"].mean()),
        time_degrees=float(rows["time_degrees"].mean()),
        level=level / int(first["family_size"]),
    )
