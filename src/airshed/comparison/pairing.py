"""Arrays of squared errors, checked and brought to one even axis of init times."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.arrays import Floats
from airshed.comparison.table import ALL
from airshed.comparison.trainings import Part, Spread, seed_parts
from airshed.errors import AirshedError

DIMS = ("seed", "init_time", "pollutant", "horizon_h")
MIN_INIT_TIMES = 12
HOUR = np.timedelta64(1, "h")


def with_overall(logarithms: Floats) -> Floats:
    """[..., K] to [..., 1 + K]: the mean over all tests comes first."""
    return np.concatenate([logarithms.mean(axis=-1, keepdims=True), logarithms], axis=-1)


def log_rmse(mse: Floats) -> Floats:
    """[..., K] mean squared errors to [..., 1 + K] log RMSE."""
    return with_overall(np.log(mse) / 2)


def seed_variance(values: Floats, variant_seeds: int) -> Floats:
    """Variance of the difference of two means over independent seeds, [S + S', ...] to [...].

    Both groups of seeds are taken to spread alike, as the two-sample t-test does.
    """
    groups = np.split(values, [variant_seeds])
    counts = [len(group) for group in groups]
    squares = sum(np.square(group - group.mean(axis=0)).sum(axis=0) for group in groups)
    pooled: Floats = squares / max(sum(counts) - 2, 1)
    return pooled * sum(1 / count for count in counts)


@dataclass(frozen=True)
class PairedErrors:
    """Mean squared errors of a variant and its reference at the same init times.

    Other scores come from several sums instead, which then have an axis M before that of time.

    Attributes:
        variant: [S, (M,) T, K] for seeds, init times and tests (pollutants x horizons); 0 where
            ``exists`` is false.
        reference: [S', (M,) T, K]; its seeds are its own.
        exists: [T, K], whether all seeds of both have the init time.
        scale: Makes scores [..., 1 + K], the overall one first, of means over init times
            [..., (M,) K]; changes of them add up.
    """

    variant: Floats
    reference: Floats
    exists: npt.NDArray[np.bool_]
    scale: Callable[[Floats], Floats] = log_rmse

    @property
    def init_times(self) -> int:
        """Length T of the time axis, gaps included."""
        return len(self.exists)

    @property
    def seeds(self) -> tuple[int, int]:
        """Seeds of the variant and of the reference."""
        return len(self.variant), len(self.reference)

    def init_time_counts(self) -> list[int]:
        """How many init times are compared: overall, and in each test."""
        return [int(self.exists.any(axis=1).sum()), *self.exists.sum(axis=0).tolist()]

    def means(self) -> Floats:
        """[S + S', (M,) K]: over the init times of every training, the variant's first."""
        both = np.concatenate([self.variant, self.reference])
        means: Floats = both.sum(axis=-2) / self.exists.sum(axis=0)
        return means

    def change(self, means: Floats) -> Floats:
        """[..., 1 + K]: change of the scores of means pooled over seeds, [S + S', ..., (M,) K]."""
        variant, reference = (part.mean(axis=0) for part in np.split(means, [len(self.variant)]))
        return self.scale(variant) - self.scale(reference)

    def spreads(self) -> tuple[Spread, Spread]:
        """Spread of the trainings of each of the two models."""
        variant, reference = np.split(self.scale(self.means()), [len(self.variant)])
        return Spread.of(variant), Spread.of(reference)

    def seed_variance(self, values: Floats) -> Floats:
        """Variance of the difference of means over seeds, [S + S', ..., K] to [..., K]."""
        return seed_variance(values, len(self.variant))

    def seed_parts(self, study: Spread | None) -> tuple[Part, ...]:
        """Variance of the change between trainings.

        Args:
            study: Spread of the trainings of all models of the study; None: there are no others.
        """
        models = self.spreads()
        return seed_parts(models, self.seeds, study or models[0] + models[1])

    def training(self, study: Spread) -> Spread:
        """Spread of the scores of trainings, for planning: that of all models of the study."""
        return study

    def differences(self) -> Floats:
        """[T, K]: half the difference of the errors relative to their means, seeds averaged.

        To first order, their mean is the change of log RMSE; 0 in place of missing ones.
        """
        parts = []
        for errors in (self.variant, self.reference):
            mean = errors.mean(axis=0)
            parts.append(mean / (mean.sum(axis=0) / self.exists.sum(axis=0)) - self.exists)
        return (parts[0] - parts[1]) / 2


class SameNetworks(PairedErrors):
    """Errors of trained networks, and of the same networks with something else about them.

    Or of networks that were trained on from the same ones. Seed k of the variant is seed k of the
    reference, so that what they share drops out of their differences; these are all that is known
    of the variance between trainings.
    """

    def seed_variance(self, values: Floats) -> Floats:
        """Variance of the mean difference over seeds, [2 S, ..., K] to [..., K]; 0 for one."""
        count = len(self.variant)
        apart = values[:count] - values[count:]
        squares = np.square(apart - apart.mean(axis=0)).sum(axis=0)
        variance: Floats = squares / (max(count - 1, 1) * count)
        return variance

    def seed_parts(self, study: Spread | None) -> tuple[Part, ...]:
        """Variance of the mean difference over seeds, with S - 1 degrees of freedom."""
        variance = self.seed_variance(self.scale(self.means()))
        return (Part(variance, np.array(len(self.variant) - 1.0)),)

    def training(self, study: Spread) -> Spread:
        """Half the spread of the differences, as if both sides varied alike and on their own."""
        variant, reference = np.split(self.scale(self.means()), 2)
        differences = Spread.of(variant - reference)
        return Spread(differences.squares / 2, differences.degrees)

    def each(self) -> Iterator[SameNetworks]:
        """One network after the other."""
        for variant, reference in zip(self.variant, self.reference, strict=True):
            yield SameNetworks(variant[None], reference[None], self.exists, self.scale)


@dataclass(frozen=True)
class Tests:
    """What is compared: pollutants by horizons.

    Attributes:
        pairs: Levels ``pollutant`` and ``horizon_h``, in the order of the arrays' last axis.
        step_h: Hours between init times.
    """

    pairs: pd.MultiIndex
    step_h: float

    def labels(self) -> dict[str, list[object]]:
        """The columns that name the rows, the overall one first."""
        return {
            name: [ALL, *self.pairs.get_level_values(name)] for name in ("pollutant", "horizon_h")
        }

    def horizon_steps(self) -> list[int]:
        """Horizon of the overall row (the longest), then of each test, in init times."""
        horizons = self.pairs.get_level_values("horizon_h")
        return [max(1, round(hours / self.step_h)) for hours in (horizons.max(), *horizons)]


@dataclass(frozen=True)
class Aligned:
    """Mean squared errors of several models at the same init times.

    Attributes:
        models: [S, T, K] of each model: seeds, init times, tests; 0 where ``exists`` is false.
        seeds: What each training of a model was seeded with, [S]; empty if that is not known.
        exists: [T, K], whether all trainings of all models have the init time.
        tests: What is compared.
    """

    models: list[Floats]
    seeds: list[list[int]]
    exists: npt.NDArray[np.bool_]
    tests: Tests

    def log_rmse(self, model: int) -> Floats:
        """[S, 1 + K]: of every training of a model, the mean over all tests first."""
        return log_rmse(self.models[model].sum(axis=1) / self.exists.sum(axis=0))

    def pair(self, variant: int, reference: int, same_start: bool = False) -> PairedErrors:
        """Two of the models, by their places; paired by seed if equal seeds have the same start."""
        seeds = self.seeds[variant]
        paired = same_start and bool(seeds) and seeds == self.seeds[reference]
        made = SameNetworks if paired else PairedErrors
        return made(self.models[variant], self.models[reference], self.exists)


def align(models: Sequence[xr.DataArray]) -> Aligned:
    """The errors of models as arrays: init times evenly spaced, tests side by side.

    Raises:
        AirshedError: The arrays do not fit each other, or hold too little to be compared.
    """
    for given in models:
        _check_dimensions(given)
    first = models[0]
    for name, given in itertools.product(DIMS[1:], models[1:]):
        if not given.indexes[name].equals(first.indexes[name]):
            raise AirshedError(
                f"a variant and its reference must have the same {name}",
                where=f"{given.name} and {first.name}",
                expected=_shown(first.indexes[name]),
                found=_shown(given.indexes[name]),
            )
    positions, step_h = even_positions(first.indexes["init_time"])
    stacked = []
    for given in models:
        values = given.transpose(*DIMS).values.astype(float)
        _check_values(given.name, values)
        even = np.full((len(values), positions[-1] + 1, *values.shape[2:]), np.nan)
        even[:, positions] = values
        stacked.append(even.reshape(*even.shape[:2], -1))
    exists = np.logical_and.reduce([np.isfinite(errors).all(axis=0) for errors in stacked])
    _check_counts(exists, stacked)
    return Aligned(
        [np.where(exists, squared, 0) for squared in stacked],
        [list(given["seed"].values) if "seed" in given.coords else [] for given in models],
        exists,
        Tests(pd.MultiIndex.from_product([first.indexes[name] for name in DIMS[2:]]), step_h),
    )


def _shown(values: pd.Index) -> str:
    few = [str(value) for value in values[:4]]
    return f"{len(values)}: {', '.join(few)}{', ...' if len(values) > len(few) else ''}"


def _check_dimensions(given: xr.DataArray) -> None:
    missing = [name for name in DIMS[1:] if name not in given.indexes]
    if set(given.dims) != set(DIMS) or missing or not given.size:
        raise AirshedError(
            "errors to be compared have the wrong form",
            where=given.name,
            expected=f"dimensions {', '.join(DIMS)}, none empty, all but seed with coordinates",
            found=", ".join(f"{name} ({size})" for name, size in given.sizes.items()),
        )


def _check_values(name: object, values: Floats) -> None:
    known = values[~np.isnan(values)]
    if np.isinf(known).any() or (known < 0).any():
        raise AirshedError(
            "errors to be compared are no squared errors",
            where=name,
            expected="finite numbers, 0 or more, or NaN where there is no sample",
            found=f"values from {known.min():g} to {known.max():g}",
        )


def _check_counts(exists: npt.NDArray[Any], stacked: list[Floats]) -> None:
    counts = exists.sum(axis=0)
    totals = [np.where(exists, errors, 0).sum(axis=1).min() for errors in stacked]
    if counts.min() < MIN_INIT_TIMES or min(totals) == 0:
        raise AirshedError(
            "a pollutant and horizon has too few init times, or no error at all, to be compared",
            expected=f"at least {MIN_INIT_TIMES} init times that all seeds of both have",
            found=f"init times per test: {np.unique(counts).tolist()}",
            hint="lengthen splits.test",
        )


def even_positions(init_times: pd.Index) -> tuple[npt.NDArray[Any], float]:
    """Positions of init times on an even axis, and its step in hours (numbers are hours)."""
    values = init_times.to_numpy()
    if np.issubdtype(values.dtype, np.datetime64):
        values = (values - values[0]) / HOUR
    hours = np.asarray(values, dtype=float)
    gaps = np.diff(hours)
    if not (gaps > 0).all():
        raise AirshedError("init times to be compared must increase", found=_shown(init_times))
    step_h = float(gaps.min()) if len(gaps) else 1.0
    positions = (hours - hours[0]) / step_h
    if not np.allclose(positions, np.round(positions), atol=1e-6):
        raise AirshedError(
            "init times to be compared must be multiples of one step apart",
            expected=f"multiples of {step_h:g} h",
            found=f"gaps of {', '.join(f'{gap:g}' for gap in np.unique(gaps))} h",
        )
    return np.round(positions).astype(int), step_h
