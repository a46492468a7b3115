"""Intervals and p-values from a variance between seeds and one between init times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.arrays import Floats
from airshed.comparison.pairing import PairedErrors
from airshed.comparison.resampling import time_variances
from airshed.comparison.trainings import Part, Spread

CONFIDENCE = 0.95
SMALLEST_P = 1e-100
BISECTIONS = 60


@dataclass(frozen=True)
class Estimate:
    """Changes of log RMSE, the overall one first, with the parts of their variance."""

    log_ratio: Floats
    parts: tuple[Part, ...]

    @property
    def change(self) -> Floats:
        """RMSE of the variant over RMSE of the reference, minus 1."""
        return np.expm1(self.log_ratio)

    def half_width(self, p_value: Floats | float) -> Floats:
        """Half the width of the interval of confidence 1 - p, on the log scale.

        The root of the summed squares of what each part alone would need. Its confidence is at
        least nominal however the variance divides into parts (Banerjee 1960); Satterthwaite's
        degrees of freedom lack that property when one part has very few.
        """
        return np.sqrt(sum(np.square(part.half_width(p_value)) for part in self.parts))

    def interval(self) -> tuple[Floats, Floats]:
        """95 % interval of the relative change."""
        low, high = self.bounds()
        return np.expm1(low), np.expm1(high)

    def bounds(self) -> tuple[Floats, Floats]:
        """95 % interval on the log scale, or on that of another score."""
        width = self.half_width(1 - CONFIDENCE)
        return self.log_ratio - width, self.log_ratio + width

    def p_values(self) -> Floats:
        """Two-sided p-values of no change: the p at which the interval just reaches zero."""
        return self._reaching(np.abs(self.log_ratio))

    def p_equivalent(self, margin: float) -> Floats:
        """Of a change of at least the margin: the larger p of two one-sided tests.

        Source: Schuirmann (1987). The bounds are those of the relative change.
        """
        return np.maximum(1 - self._p_below(np.log1p(-margin)), self._p_below(np.log1p(margin)))

    def p_beyond(self, margin: float) -> Floats:
        """One-sided p of a change that is smaller than the margin, or in the other direction."""
        lower = self._p_below(np.log1p(-margin))
        higher = 1 - self._p_below(np.log1p(margin))
        return np.where(self.log_ratio < 0, lower, higher)

    def _p_below(self, bound: float) -> Floats:
        """One-sided p of a change of log RMSE that is not below a bound."""
        distance = bound - self.log_ratio
        p_value = self._reaching(np.abs(distance)) / 2
        return np.where(distance > 0, p_value, 1 - p_value)

    def _reaching(self, size: Floats) -> Floats:
        """The p at which half the width of the interval is as large as a size."""
        low, high = np.full(size.shape, np.log(SMALLEST_P)), np.zeros(size.shape)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            reaches = self.half_width(np.exp(middle)) >= size
            low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
        return np.where(size == 0, 1.0, np.exp(low))


def estimate(
    errors: PairedErrors,
    block: int,
    resamples: int,
    rng: np.random.Generator,
    study: Spread | None = None,
) -> Estimate:
    """Change of log RMSE overall and for each test, with the variance of repeating the study.

    A repetition has other trainings and another test period. The variance between seeds
    includes their interaction with the init times, so the variance over init times counts without
    it. With one seed each, the variance over init times is all that is known.

    Args:
        errors: The paired errors.
        block: Init times per block.
        resamples: Resamples for each block length.
        rng: Source of random numbers.
        study: Spread of the trainings of all models of the study, these two included; None if
            there are no others.

    Returns:
        The estimate; its last part is the variance over init times, those before it are between
        seeds, if that is known.

    Raises:
        AirshedError: Init times are too few.
    """
    over_time, interaction = time_variances(errors, block, resamples, rng)
    time_degrees = time_degrees_of_freedom(errors.exists, block)
    if errors.seeds == (1, 1):
        parts: tuple[Part, ...] = (Part(over_time, time_degrees),)
    else:
        parts = (
            *errors.seed_parts(study),
            Part(np.maximum(over_time - interaction, 0), time_degrees),
        )
    return Estimate(errors.change(errors.means()), parts)


def time_degrees_of_freedom(exists: npt.NDArray[np.bool_], block: int) -> Floats:
    """[1 + K]: degrees of freedom of the extrapolated variance over init times.

    With n init times it is n over the integral of the squared lag window, which is 8b/3 (flat to
    b, falling to 0 at 2b); at least 1. The overall row has as many as its shortest test.
    """
    count: npt.NDArray[Any] = exists.sum(axis=0)
    counts = np.concatenate([[count.min()], count])
    return np.maximum(1.0, 3 / 8 * counts / block)


def holm(p_values: Floats) -> Floats:
    """[..., K]: p-values adjusted along the last axis by Holm (1979).

    As statsmodels' ``multipletests`` does it; that one collects garbage in every call, which takes
    longer than the whole comparison.
    """
    order = np.argsort(p_values, axis=-1)
    scaled = np.take_along_axis(p_values, order, -1) * np.arange(p_values.shape[-1], 0, -1)
    adjusted = np.empty_like(scaled)
    stepped = np.minimum(1, np.maximum.accumulate(scaled, axis=-1))
    np.put_along_axis(adjusted, order, stepped, -1)
    return adjusted
