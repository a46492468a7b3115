"""Scores of one set of forecasts: accumulated sample by sample, kept in ``scores.nc``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.atomic import atomic_path
from airshed.errors import AirshedError
from airshed.variables import TARGETS, VARIABLES

FORMAT_VERSION = 1
METRICS = ("rmse", "mae", "bias", "correlation")
SCHEMA: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(METRICS, ("horizon_h", "pollutant")),
    "init_mse": ("init_time", "horizon_h", "pollutant"),
    **dict.fromkeys(("map_mse", "map_bias"), ("horizon_h", "pollutant", "y", "x")),
    **dict.fromkeys(("lat2d", "lon2d"), ("y", "x")),
    "units": ("pollutant",),
}
ATTRIBUTES = (
    "kind",
    "name",
    "seed",
    "study",
    "dataset",
    "data_source",
    "commit",
    "samples",
    "cells_skipped",
)

Floats = npt.NDArray[np.floating[Any]]
Indices = int | Sequence[int] | npt.NDArray[np.integer[Any]]


class ScoreAccumulator:
    """Running sums of errors over samples, pollutants and the cells of the domain, in float64.

    A cell counts when it lies in the domain and its truth is finite. A cell with a finite truth
    and a forecast that is not is left out too, and counted in ``cells_skipped``.

    Args:
        horizons_h: Lead times, hours.
        init_times: Init times that samples may have; those without a sample stay NaN.
        mask: [Y, X], True inside the domain.
        lat2d: [Y, X], degrees north.
        lon2d: [Y, X], degrees east.
    """

    def __init__(
        self,
        horizons_h: Sequence[int],
        init_times: pd.DatetimeIndex,
        mask: npt.NDArray[np.bool_],
        lat2d: Floats,
        lon2d: Floats,
    ) -> None:
        self.horizons_h = tuple(horizons_h)
        self.init_times = init_times
        self.mask = np.asarray(mask, dtype=bool)
        self.lat2d, self.lon2d = np.asarray(lat2d), np.asarray(lon2d)
        self.samples = self.cells_skipped = 0
        pooled = (len(self.horizons_h), len(TARGETS))
        cells = (*pooled, int(self.mask.sum()))
        self._init_mse = np.full((len(init_times), *pooled), np.nan)
        self._seen = np.zeros((len(init_times), len(self.horizons_h)), dtype=bool)
        self._absolute = np.zeros(pooled)
        self._count = np.zeros(cells, dtype=np.int64)
        self._squared, self._error = np.zeros(cells), np.zeros(cells)
        self._moments = [_Moments.of_nothing() for _ in self.horizons_h]

    def add(
        self, init_index: Indices, horizon_index: Indices, forecast: Floats, truth: Floats
    ) -> None:
        """Add one sample, or a batch of them.

        Args:
            init_index: Position in ``init_times``; [B] for a batch.
            horizon_index: Position in ``horizons_h``; [B] for a batch.
            forecast: [6, Y, X] or [B, 6, Y, X], physical units, pollutants in TARGETS order.
            truth: As ``forecast``; NaN where it is missing.

        Raises:
            ValueError: Shapes do not fit, or a sample is added twice.
        """
        inits, horizons = np.atleast_1d(init_index), np.atleast_1d(horizon_index)
        expected = (len(inits), len(TARGETS), *self.mask.shape)
        for fields in (forecast, truth):
            if fields.size != np.prod(expected) or fields.shape[-3:] != expected[1:]:
                raise ValueError(f"fields have shape {fields.shape}, expected {expected}")
        pairs = zip(forecast.reshape(expected), truth.reshape(expected), strict=True)
        for init, horizon, (one, other) in zip(inits, horizons, pairs, strict=True):
            self._add_sample(int(init), int(horizon), one[:, self.mask], other[:, self.mask])

    def _add_sample(self, init: int, horizon: int, forecast: Floats, truth: Floats) -> None:
        if self._seen[init, horizon]:
            raise ValueError(
                f"the sample at {self.init_times[init]} + {self.horizons_h[horizon]} h came twice"
            )
        forecast, truth = forecast.astype(np.float64), truth.astype(np.float64)
        known = np.isfinite(truth)
        valid = known & np.isfinite(forecast)
        error = np.where(valid, forecast - np.where(valid, truth, 0), 0)
        squared, count = np.square(error), valid.sum(axis=1)
        self._seen[init, horizon] = True
        self.samples += 1
        self.cells_skipped += int(known.sum() - valid.sum())
        self._init_mse[init, horizon] = _ratio(squared.sum(axis=1), count)
        self._absolute[horizon] += np.abs(error).sum(axis=1)
        self._count[horizon] += valid
        self._squared[horizon] += squared
        self._error[horizon] += error
        self._moments[horizon] = self._moments[horizon].merged(
            _Moments.of_sample(forecast, truth, valid)
        )

    def dataset(
        self,
        kind: Literal["variant", "baseline"],
        name: str,
        seed: int,
        study: str,
        dataset_name: str,
        data_source: Literal["simulated", "CAQRA"],
        commit: str,
    ) -> xr.Dataset:
        """The scores of all samples so far, in the form of ``scores.nc``.

        RMSE is the root of the mean squared error over all init times and domain cells together,
        not a mean of roots; MAE, bias (forecast minus truth) and Pearson correlation are pooled in
        the same way. All are in the pollutant's units, the correlation in 1.

        Args:
            kind: Whether a trained run or a baseline was scored.
            name: The variant or baseline.
            seed: Seed of the training; -1 for a baseline.
            study: Name of the study.
            dataset_name: Name of the dataset.
            data_source: Where the data come from.
            commit: Commit of the code.

        Raises:
            AirshedError: A trained run made forecasts that are not finite.
        """
        if kind == "variant" and self.cells_skipped:
            raise AirshedError(
                "a trained model made forecasts that are not finite",
                where=f"variant {name}, seed {seed}",
                found=f"{self.cells_skipped} cells in {self.samples} samples",
                hint="inspect the losses in history.csv; train.learning_rate may be too high",
            )
        return xr.Dataset(
            {key: (SCHEMA[key], value) for key, value in self._values().items()},
            coords={
                "horizon_h": np.array(self.horizons_h, dtype=np.int64),
                "pollutant": list(TARGETS),
                "init_time": self.init_times,
                "lat2d": (("y", "x"), self.lat2d),
                "lon2d": (("y", "x"), self.lon2d),
                "units": ("pollutant", [VARIABLES[target].units for target in TARGETS]),
            },
            attrs={
                "format_version": FORMAT_VERSION,
                "kind": kind,
                "name": name,
                "seed": seed,
                "study": study,
                "dataset": dataset_name,
                "data_source": data_source,
                "commit": commit,
                "samples": self.samples,
                "cells_skipped": self.cells_skipped,
            },
        )

    def _values(self) -> dict[str, Floats]:
        count = self._count.sum(axis=-1)
        return {
            "rmse": np.sqrt(_ratio(self._squared.sum(axis=-1), count)),
            "mae": _ratio(self._absolute, count),
            "bias": _ratio(self._error.sum(axis=-1), count),
            "correlation": np.stack([moments.correlation() for moments in self._moments]),
            "init_mse": self._init_mse,
            "map_mse": self._map(self._squared),
            "map_bias": self._map(self._error),
        }

    def _map(self, sums: Floats) -> npt.NDArray[np.float32]:
        maps = np.full((*sums.shape[:2], *self.mask.shape), np.nan, dtype=np.float32)
        maps[:, :, self.mask] = _ratio(sums, self._count)
        return maps


@dataclass(frozen=True)
class _Moments:
    """Count, means, and sums of squared and crossed deviations from them; each [pollutant].

    Sets are merged pairwise (Chan, Golub and LeVeque 1979, eq. 2.1), which keeps the correlation
    exact where the mean is large against the spread.
    """

    count: Floats
    mean_forecast: Floats
    mean_truth: Floats
    forecast_forecast: Floats
    truth_truth: Floats
    forecast_truth: Floats

    @classmethod
    def of_nothing(cls) -> _Moments:
        return cls(*(np.zeros(len(TARGETS)) for _ in range(6)))

    @classmethod
    def of_sample(cls, forecast: Floats, truth: Floats, valid: npt.NDArray[np.bool_]) -> _Moments:
        count = valid.sum(axis=1).astype(np.float64)
        means, deviations = [], []
        for values in (forecast, truth):
            mean = np.where(valid, values, 0).sum(axis=1) / np.maximum(count, 1)
            means.append(mean)
            deviations.append(np.where(valid, values - mean[:, None], 0))
        one, other = deviations
        squares = [(a * b).sum(axis=1) for a, b in ((one, one), (other, other), (one, other))]
        return cls(count, *means, *squares)

    def merged(self, other: _Moments) -> _Moments:
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        step_forecast = other.mean_forecast - self.mean_forecast
        step_truth = other.mean_truth - self.mean_truth
        weight = self.count * share
        return _Moments(
            count,
            self.mean_forecast + step_forecast * share,
            self.mean_truth + step_truth * share,
            self.forecast_forecast + other.forecast_forecast + weight * step_forecast**2,
            self.truth_truth + other.truth_truth + weight * step_truth**2,
            self.forecast_truth + other.forecast_truth + weight * step_forecast * step_truth,
        )

    def correlation(self) -> Floats:
        return _ratio(self.forecast_truth, np.sqrt(self.forecast_forecast * self.truth_truth))


def _ratio(numerator: Floats, denominator: npt.NDArray[Any]) -> Floats:
    """The quotient; NaN where the denominator is zero."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator != 0)


def write_scores(scores: xr.Dataset, path: Path) -> None:
    """Write ``scores.nc`` atomically."""
    with atomic_path(path) as temporary:
        scores.to_netcdf(temporary, engine="netcdf4", format="NETCDF4")


def read_scores(path: Path) -> xr.Dataset:
    """Read ``scores.nc`` into memory.

    Raises:
        AirshedError: The file cannot be read, or its version or form is not the expected one.
    """
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            scores = opened.load()
    except (OSError, ValueError) as error:
        raise AirshedError("scores cannot be read", where=path, found=error) from error
    version = scores.attrs.get("format_version")
    if version != FORMAT_VERSION:
        raise AirshedError(
            "scores have another format version",
            where=path,
            expected=FORMAT_VERSION,
            found=version,
            hint="evaluate the run again",
        )
    problems = [f"attribute {name}" for name in ATTRIBUTES if name not in scores.attrs]
    for name, dims in SCHEMA.items():
        if name not in scores.variables or scores[name].dims != dims:
            problems.append(f"{name}{dims}")
    if not problems and tuple(scores["pollutant"].values) != TARGETS:
        problems.append(f"pollutants {', '.join(TARGETS)} in this order")
    if problems:
        raise AirshedError("scores lack a part", where=path, expected="; ".join(problems))
    return scores
