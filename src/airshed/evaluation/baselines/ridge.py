"""A linear regression in every cell: the floor that a network with more than one cell must pass.

Each target at each horizon is regressed on what the same cell knows at the init time: the study's
hourly inputs (weather and pollutants), two harmonics of the hour of the day and, where the
climatology of the training split has a seasonal cycle, as many harmonics of the day of the year.
Static inputs do not vary within a cell; the intercept stands for them.

With z the predictors x divided by their standard deviation in the cell, both centred, the
coefficients minimise

    mean over training samples of (y - mean y - z . b)^2  +  ridge_penalty * |b|^2

which has the closed form b = (R + ridge_penalty I)^-1 r, R the correlation matrix of the predictors
and r their covariances with the target; the intercept is not penalised, and a predictor that does
not vary gets no weight. Targets are concentrations, not their logarithms, and forecasts are not
clipped: they are best in the sense of RMSE, and may be slightly negative.

The training split is read once: R, r and the means follow from sums of products (the normal
equations). With the days that are read this takes about 850 MB at 128 x 256 with four horizons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from airshed.arrays import Floats, Integers
from airshed.data.climatology import seasonal_terms
from airshed.data.days import DayReader, days_spanned
from airshed.data.samples import sample_index
from airshed.errors import AirshedError
from airshed.evaluation.baselines.known import Known, batch_by_batch
from airshed.evaluation.batch import Forecaster, Samples
from airshed.progress import progress
from airshed.variables import STATIC

HOURS_A_DAY = 24
DAY_HARMONICS = 2
WAVE_DECIMALS = 12
SOLVED_AT_ONCE = 1024  # cells
INITS_AT_ONCE = 16
SMALLEST_VARIANCE = 1e-10  # against the mean square: less is rounding


def ridge(known: Known) -> Forecaster:
    """Fit on the training split; forecasts are NaN outside the domain and where inputs are missing.

    Raises:
        AirshedError: No init time of the training split has all horizons.
    """
    horizons, targets = known.study.horizons_h, len(known.study.targets)
    fitted = _fit(known)
    predictors = _Predictors(known, days_spanned(0))

    def forecast(samples: Samples) -> Floats:
        inits, rows = np.unique(samples.input_index, return_inverse=True)
        deviations = predictors.at(inits) - fitted.origin
        fields = np.full((len(samples), targets, *known.mask.shape), np.nan, np.float32)
        for field, row, horizon in zip(fields, rows, samples.horizons_h.tolist(), strict=True):
            weights = fitted.weights[horizons.index(horizon)]
            field[:, known.mask] = np.einsum("cf,cfp->pc", deviations[row], weights)
        return fields

    return batch_by_batch(forecast)


@dataclass(frozen=True)
class _Fitted:
    """Weights [horizon, C, F, T] of the predictors' deviations from an origin [C, F]."""

    weights: npt.NDArray[np.float32]
    origin: npt.NDArray[np.float32]


class _Predictors:
    """Predictors [B, C, F] at the cells of the domain: inputs, hour, season, and 1 at the end."""

    def __init__(self, known: Known, days: int) -> None:
        self._times = pd.DatetimeIndex(known.hourly["time"].values)
        self._mask, self._season = known.mask, known.climatology.harmonics
        inputs, targets = known.study.inputs, known.study.targets
        hourly = [name for name in inputs if name not in STATIC]
        names = [*hourly, *(name for name in targets if name not in hourly)]
        self.hourly = len(hourly)
        self._targets = [names.index(name) for name in targets]
        self._reader = DayReader(known.hourly, names, days)

    def at(self, indices: Integers) -> npt.NDArray[np.float32]:
        """At positions [B] of the time axis; NaN where an input is missing."""
        fields = self._reader.fields(indices)[:, : self.hourly, self._mask].swapaxes(1, 2)
        times = self._times[indices]
        angle = 2 * np.pi * times.hour.to_numpy() / HOURS_A_DAY
        # a sine of pi is 1e-16: where only such hours are learned from, that is no predictor
        waves = [
            np.round(wave(k * angle), WAVE_DECIMALS)
            for k in range(1, DAY_HARMONICS + 1)
            for wave in (np.cos, np.sin)
        ]
        season = seasonal_terms(times, self._season)
        terms = np.concatenate([np.stack(waves, axis=1), season[:, 1:], season[:, :1]], axis=1)
        everywhere = np.broadcast_to(terms[:, None], (*fields.shape[:2], terms.shape[1]))
        return np.concatenate([fields, everywhere], axis=2, dtype=np.float32)

    def targets(self, indices: Integers) -> npt.NDArray[np.float32]:
        """Targets [B, C, T] at positions [B] of the time axis."""
        fields = self._reader.fields(indices)[:, self._targets]
        return fields[:, :, self._mask].swapaxes(1, 2)


def _fit(known: Known) -> _Fitted:
    """One pass over the init times of the training split that have every horizon.

    An init time counts in a cell when all its inputs, and its targets at all horizons, are known
    there. Predictors and targets are counted from those of the first init time: what is then left
    of them is small, and its products lose nothing in float64.
    """
    inits, valid = _training_hours(known)
    horizons = valid.shape[1]
    predictors = _Predictors(known, days_spanned(max(known.study.horizons_h)))
    origin = np.nan_to_num(predictors.at(inits[:1]))[0]
    origin[:, predictors.hourly :] = 0  # the intercept stays 1
    level = np.nan_to_num(predictors.targets(inits[:1]))[0]
    cells, size = origin.shape
    normal = np.zeros((cells, size, size))
    right = np.zeros((cells, size, horizons * level.shape[1]))
    starts = range(0, len(inits), INITS_AT_ONCE)
    for start in progress(starts, "ridge regression"):
        part = slice(start, start + INITS_AT_ONCE)
        x = (predictors.at(inits[part]) - origin).astype(np.float64)
        later = [predictors.targets(valid[part, number]) - level for number in range(horizons)]
        y = np.concatenate(later, axis=2, dtype=np.float64)
        missing = ~(np.isfinite(x).all(axis=2) & np.isfinite(y).all(axis=2))
        x[missing], y[missing] = 0, 0
        transposed = x.transpose(1, 2, 0)
        normal += transposed @ x.swapaxes(0, 1)
        right += transposed @ y.swapaxes(0, 1)
    weights = np.empty((horizons, cells, size, level.shape[1]), dtype=np.float32)
    for start in range(0, cells, SOLVED_AT_ONCE):
        part = slice(start, start + SOLVED_AT_ONCE)
        solved = solve(normal[part], right[part], known.study.evaluation.ridge_penalty)
        by_horizon = solved.reshape(*solved.shape[:2], horizons, level.shape[1])
        weights[:, part] = np.moveaxis(by_horizon, 2, 0)
    weights[:, :, -1] += level
    return _Fitted(weights, origin)


def solve(normal: Floats, right: Floats, penalty: float) -> Floats:
    """Ridge coefficients in every cell from sums of products.

    Args:
        normal: [C, F, F], sums of products of predictors, the last of which is 1.
        right: [C, F, T], sums of products of predictors and targets.
        penalty: Of the squared coefficients of standardised predictors.

    Returns:
        [C, F, T], the last row the intercepts; NaN in cells with fewer than two samples.
    """
    count = normal[:, -1, -1]
    samples = np.maximum(count, 1)[:, None, None]
    mean_x, mean_y = normal[:, -1, :-1, None] / samples, right[:, -1:] / samples
    squares = normal[:, :-1, :-1] / samples
    covariance = squares - mean_x * mean_x.swapaxes(1, 2)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    varies = variance > SMALLEST_VARIANCE * np.diagonal(squares, axis1=1, axis2=2)
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)[:, :, None]
    correlation = covariance * scale * scale.swapaxes(1, 2) + penalty * np.eye(scale.shape[1])
    with_targets = right[:, :-1] / samples - mean_x * mean_y
    slopes = scale * np.linalg.solve(correlation, scale * with_targets)
    intercepts = mean_y - mean_x.swapaxes(1, 2) @ slopes
    coefficients = np.concatenate([slopes, intercepts], axis=1)
    return np.where(count[:, None, None] < 2, np.nan, coefficients)


def _training_hours(known: Known) -> tuple[Integers, Integers]:
    """Positions of init times [N] and of their valid times [N, horizon]."""
    study, hourly = known.study, known.hourly
    times, present = pd.DatetimeIndex(hourly["time"].values), hourly["present"].values
    samples = sample_index(times, present, study.splits.train, study.horizons_h)
    table = samples.pivot_table(index="input_index", columns="horizon_h", values="target_index")
    complete = table.reindex(columns=list(study.horizons_h)).dropna().astype(np.int64)
    if complete.empty:
        raise AirshedError(
            "ridge regression needs init times with every horizon",
            where=f"splits.train {study.splits.train}",
            expected=f"hours present together with all of those {study.horizons_h} h later",
            hint="see the gaps in ingest.json",
        )
    return complete.index.to_numpy(), complete.to_numpy()
