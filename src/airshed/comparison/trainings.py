"""How far trainings of the same kind lie apart: of one pair of models, and of all in a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airshed.arrays import Floats

PRIOR_DEGREES = 4


@dataclass(frozen=True)
class Spread:
    """Spread of log RMSE over the seeds of one model, or of several taken together.

    Attributes:
        squares: [1 + K] sums of squared departures from each model's mean.
        degrees: Degrees of freedom of these sums.
    """

    squares: Floats
    degrees: int

    @classmethod
    def of(cls, log_rmse: Floats) -> Spread:
        """Of one model, from [S, 1 + K]."""
        departures = log_rmse - log_rmse.mean(axis=0)
        return cls(np.square(departures).sum(axis=0), len(log_rmse) - 1)

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.squares + other.squares, self.degrees + other.degrees)

    @property
    def variance(self) -> Floats:
        """[1 + K]: of the log RMSE of one training; NaN where no model has two seeds."""
        return self.squares / self.degrees if self.degrees else self.squares * math.nan


def moderated(own: Spread, study: Spread) -> tuple[Floats, float]:
    """Variance of one training's log RMSE, and its degrees of freedom.

    A pair's own variance with two or three seeds is hardly known; all models of the study know it
    better. The latter counts as much as ``PRIOR_DEGREES`` degrees of freedom (the form of Smyth
    2004, whose estimated prior errs too often with so few models). The pair's own variance is the
    guard: a model that is noisier than the others is never judged by their calm.

    Args:
        own: Of the variant and its reference.
        study: Of all models, these two included. Of these two alone, the result is their own.
    """
    weighted = PRIOR_DEGREES * study.variance + own.degrees * own.variance
    mean = weighted / (PRIOR_DEGREES + own.degrees)
    return np.maximum(own.variance, mean), float(min(PRIOR_DEGREES + own.degrees, study.degrees))


def seed_correlation(one: Floats, other: Floats, seeds: Sequence[Sequence[int]]) -> float:
    """Correlation of log RMSE between trainings of two models that have equal seeds.

    Args:
        one: [S, 1 + K] log RMSE; pooled over the tests, the overall one left out.
        other: [S', 1 + K].
        seeds: The seeds of both.

    Returns:
        NaN where fewer than two seeds are equal, or nothing varies.
    """
    common = [seed for seed in seeds[0] if seed in seeds[1]]
    if len(common) < 2:
        return math.nan
    departures = []
    for values, own in zip((one, other), seeds, strict=True):
        equal = values[[list(own).index(seed) for seed in common], 1:]
        departures.append(equal - equal.mean(axis=0))
    products = (departures[0] * departures[1]).sum()
    squares = np.prod([np.square(part).sum() for part in departures])
    return float(products / math.sqrt(squares)) if squares > 0 else math.nan
