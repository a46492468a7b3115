"""Variance between trainings of the same kind: of one pair of models, and of all in a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit
from scipy.stats import f as f_distribution

from airshed.arrays import Floats

PRIOR_DEGREES = 4
STANDS_OUT = 0.9


@dataclass(frozen=True)
class Part:
    """One part of a variance, [1 + K], and the degrees of freedom of its estimate."""

    variance: Floats
    degrees: Floats

    def half_width(self, p_value: Floats | float) -> Floats:
        """[1 + K]: half the width of the interval of confidence 1 - p from this part alone."""
        return -np.sqrt(self.variance) * stdtrit(self.degrees, np.asarray(p_value) / 2)


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


def seed_parts(
    models: tuple[Spread, Spread], seeds: tuple[int, int], study: Spread
) -> tuple[Part, Part]:
    """Variance of the difference of two means over seeds, in two parts.

    As a rule the first part is all of it, and the second one zero: the pair's own variance,
    moderated by that of all models of the study, which counts as much as ``PRIOR_DEGREES`` degrees
    of freedom (the form of Smyth 2004, whose estimated prior errs too often with so few models),
    and never less than the pair's own. A model whose trainings vary much more than those of
    all others shows that the study is no measure for it: then each of the two models has a part,
    its own.

    Args:
        models: Of the variant and of its reference.
        seeds: How many trainings each of them has, three or more together.
        study: Of all models, these two included. Of these two alone, the result is their own.
    """
    own = models[0] + models[1]
    weighted = PRIOR_DEGREES * study.variance + own.degrees * own.variance
    variance = np.maximum(own.variance, weighted / (PRIOR_DEGREES + own.degrees))
    degrees = min(PRIOR_DEGREES + own.degrees, study.degrees)
    apart = np.any([_stands_out(model, own, study) for model in models], axis=0)
    alone = [model.variance / count for model, count in zip(models, seeds, strict=True)]
    first = np.where(apart, alone[0], variance * sum(1 / count for count in seeds))
    return (
        Part(first, np.where(apart, max(models[0].degrees, 1), degrees).astype(float)),
        Part(np.where(apart, alone[1], 0.0), np.array(max(models[1].degrees, 1.0))),
    )


def _stands_out(model: Spread, pair: Spread, study: Spread) -> Any:
    """[..., 1]: whether a model's trainings vary more than chance makes one of ten.

    Variances are means over the tests, which say more than a single one; that the ratio then
    has no F distribution any more makes this only rarer.
    """
    if study.degrees == pair.degrees or 0 in (model.degrees, pair.degrees - model.degrees):
        return np.array([False])
    others = Spread(study.squares - model.squares, study.degrees - model.degrees)
    own, theirs = (spread.variance[..., 1:].mean(axis=-1) for spread in (model, others))
    most = f_distribution.ppf(STANDS_OUT, model.degrees, others.degrees)
    return (own > most * theirs)[..., None]


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
