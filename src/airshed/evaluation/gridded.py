"""The scorer behind ``scores.nc``: sums per cell, per init time and per stratum, then scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from airshed.config.evaluation import EvaluationConfig
from airshed.errors import AirshedError
from airshed.evaluation.batch import Batch, Floats, Integers, State
from airshed.evaluation.metrics.exceedance import (
    LIMITS,
    OUTCOMES,
    exceedance_scores,
    exceedances,
)
from airshed.evaluation.metrics.moments import MOMENTS, moments, ratio, scores_of
from airshed.evaluation.metrics.strata import (
    SEASONS,
    CellStrata,
    Classes,
    cell_strata,
    ruggedness_m,
    season_of,
)
from airshed.evaluation.scores import METRICS, SCORED_MAPS, Subject, scores_dataset
from airshed.variables import TARGETS


class Expected(Protocol):
    """What is expected at a time, without knowing the weather."""

    def at(self, times: pd.DatetimeIndex) -> npt.NDArray[np.float32]:
        """Fields [B, 6, Y, X] at times [B], in physical units."""


@dataclass(frozen=True)
class Domain:
    """Where scores are taken: each [Y, X]; the mask is True inside the domain."""

    mask: npt.NDArray[np.bool_]
    lat2d: Floats
    lon2d: Floats
    elevation_m: Floats

    @classmethod
    def of(cls, static: xr.Dataset) -> Domain:
        """The domain of ``static.nc``."""
        fields = (static[name].values for name in ("lat2d", "lon2d", "elevation"))
        return cls(static["domain_mask"].values.astype(bool), *fields)


class GriddedScores:
    """Sums over pairs of forecast and truth in the cells of the domain.

    Fields and their products are float32, sums of them float64. Pairs outside the domain or without
    finite truth do not count. A pair with finite truth and a forecast that is not finite is left
    out too, and counted in ``cells_skipped``.

    Memory at 128 x 256 and four horizons: 75 MB of sums and 19 MB of counts, however many samples.

    Args:
        horizons_h: Lead times, hours.
        init_times: Init times that samples may have; those without a sample stay NaN.
        domain: The cells.
        climatology: What anomalies are taken from; finite inside the domain.
        settings: Edges of the strata.

    Raises:
        AirshedError: The climatology is not finite somewhere in the domain.
    """

    def __init__(
        self,
        horizons_h: Sequence[int],
        init_times: pd.DatetimeIndex,
        domain: Domain,
        climatology: Expected,
        settings: EvaluationConfig | None = None,
    ) -> None:
        settings = settings or EvaluationConfig()
        self.horizons_h, self.init_times = tuple(horizons_h), init_times
        self._domain, self._climatology = domain, climatology
        self._cells = np.flatnonzero(domain.mask)
        self._wind = Classes("wind_speed", settings.wind_speed_edges_ms, "m s-1")
        self._cell_strata = _cell_strata(domain, settings)
        expected = self._gather(climatology.at(init_times[:1]))
        if not np.isfinite(expected).all():
            raise AirshedError(
                "the climatology is not known in every cell of the domain",
                found=f"{int((~np.isfinite(expected)).any(axis=(0, 1)).sum())} unknown cells",
                hint="static fields and climatology are of different data; make both again",
            )
        self._origin = expected.mean(axis=2)[0, :, None]
        horizons, cells = len(self.horizons_h), len(self._cells)
        pooled = (horizons, len(SEASONS), len(self._wind.names) + 1)  # the last: wind unknown
        self._totals = np.zeros(2, dtype=np.int64)  # samples, cells skipped
        self._seen = np.zeros((len(init_times), horizons), dtype=bool)
        self._init_mse = np.full((len(init_times), horizons, len(TARGETS)), np.nan)
        self._parts = np.zeros((len(MOMENTS), len(TARGETS), cells), dtype=np.float32)
        self._sums = np.zeros((horizons, *self._parts.shape))
        self._pooled = np.zeros((*pooled, len(MOMENTS), len(TARGETS)))
        outcomes = (len(LIMITS), len(OUTCOMES), len(TARGETS))
        self._outcomes = np.zeros((horizons, *outcomes, cells), dtype=np.int32)
        self._pooled_outcomes = np.zeros((*pooled, *outcomes), dtype=np.int64)

    def add(self, batch: Batch) -> None:
        """Add the samples of a batch.

        Raises:
            AirshedError: A sample's init time or horizon is none of those given.
            ValueError: Shapes do not fit, or a sample comes twice.
        """
        inits, horizons = self._places(batch)
        fields = [self._gather(part) for part in (batch.forecast, batch.truth, batch.initial)]
        expected = self._gather(self._climatology.at(batch.valid_times))
        seasons = season_of(batch.valid_times)
        wind = self._wind.of(batch.wind_speed_ms.reshape(len(batch), -1)[:, self._cells])
        rows = zip(inits, horizons, seasons, wind, *fields, expected, strict=True)
        for init, horizon, season, classes, forecast, truth, initial, usual in rows:
            counts = moments(forecast, truth, initial, usual, self._origin, self._parts)
            skipped = 0 if counts.all() else int(np.isfinite(truth).sum() - counts.sum())
            self._totals += (1, skipped)
            self._add_moments(init, horizon, season, classes)
            self._add_outcomes(horizon, season, classes, exceedances(forecast, truth, counts))

    def _gather(self, fields: Floats) -> Floats:
        """The cells of the domain, [B, 6, C]."""
        if fields.shape[1:] != (len(TARGETS), *self._domain.mask.shape):
            raise ValueError(f"fields have shape {fields.shape}, not [B, 6, Y, X] of the domain")
        return np.take(fields.reshape(*fields.shape[:2], -1), self._cells, axis=2)

    def _places(self, batch: Batch) -> tuple[Integers, Integers]:
        """Positions of the samples among the init times and horizons; marks them as seen."""
        inits: Integers = self.init_times.get_indexer(batch.init_times)
        horizons: Integers = pd.Index(self.horizons_h).get_indexer(pd.Index(batch.horizons_h))
        unknown = batch.samples[(inits < 0) | (horizons < 0)]
        if len(unknown):
            first = unknown.iloc[0]
            raise AirshedError(
                "a sample does not belong to the test split of the study",
                where=f"init time {first['init_time']}, horizon {first['horizon_h']} h",
                expected=f"init times {self.init_times[0]} to {self.init_times[-1]},"
                f" horizons {', '.join(map(str, self.horizons_h))} h",
            )
        pairs = np.unique(np.stack([inits, horizons]), axis=1)
        if self._seen[inits, horizons].any() or pairs.shape[1] < len(batch):
            raise ValueError(f"a sample of {batch.init_times[0]} or later came twice")
        self._seen[inits, horizons] = True
        return inits, horizons

    def _add_moments(self, init: int, horizon: int, season: int, classes: Integers) -> None:
        parts = self._parts
        self._sums[horizon] += parts
        members = classes[:, None] == np.arange(self._pooled.shape[2])
        by_class = parts.reshape(-1, parts.shape[-1]) @ members.astype(np.float32)
        by_class = by_class.astype(np.float64).reshape(*parts.shape[:2], -1)
        self._pooled[horizon, season] += np.moveaxis(by_class, 2, 0)
        total = dict(zip(MOMENTS, by_class.sum(axis=2), strict=True))
        self._init_mse[init, horizon] = ratio(total["squared"], total["count"])

    def _add_outcomes(
        self,
        horizon: int,
        season: int,
        classes: Integers,
        events: Sequence[Sequence[npt.NDArray[np.intp]]],
    ) -> None:
        cells = len(self._cells)
        for limit, outcomes in enumerate(events):
            for outcome, places in enumerate(outcomes):
                if len(places):
                    self._outcomes[horizon, limit, outcome].reshape(-1)[places] += 1
                    pooled = self._pooled_outcomes[horizon, season, :, limit, outcome]
                    np.add.at(pooled, (classes[places % cells], places // cells), 1)

    def state(self) -> State:
        """Everything that was gathered."""
        return {name: getattr(self, f"_{name}") for name in _GATHERED}

    def restore(self, state: State) -> None:
        """Take back what was gathered."""
        for name in _GATHERED:
            setattr(self, f"_{name}", np.array(state[name]))

    def dataset(self, subject: Subject) -> xr.Dataset:
        """The scores of all samples so far, in the form of ``scores.nc``.

        Formulas: :mod:`airshed.evaluation.metrics.moments` and
        :mod:`airshed.evaluation.metrics.exceedance`; strata:
        :mod:`airshed.evaluation.metrics.strata`.

        Raises:
            AirshedError: A trained run made forecasts that are not finite.
        """
        samples, skipped = self._totals.tolist()
        if subject.kind == "variant" and skipped:
            raise AirshedError(
                "a trained model made forecasts that are not finite",
                where=f"variant {subject.name}, seed {subject.seed}",
                found=f"{skipped} cells in {samples} samples",
                hint="inspect the losses in history.csv; train.learning_rate may be too high",
            )
        kinds, names, values, pairs = self._strata()
        return scores_dataset(
            subject,
            counts={"samples": samples, "cells_skipped": skipped},
            coordinates={
                "horizon_h": np.array(self.horizons_h, dtype=np.int64),
                "init_time": self.init_times,
                "lat2d": (("y", "x"), self._domain.lat2d),
                "lon2d": (("y", "x"), self._domain.lon2d),
                "stratum_kind": ("stratum", kinds),
                "stratum": names,
            },
            values=_scores(self._sums.sum(axis=-1), self._outcomes.sum(axis=-1))
            | self._maps()
            | {"init_mse": self._init_mse, "strata_score": values, "strata_pairs": pairs},
        )

    def _maps(self) -> dict[str, npt.NDArray[np.float32]]:
        scores = _scores(self._sums, self._outcomes)
        scores["mse"] = scores["rmse"] ** 2
        maps = {}
        for name in SCORED_MAPS:
            filled = np.full((*scores[name].shape[:2], *self._domain.mask.shape), np.nan)
            filled[:, :, self._domain.mask] = scores[name]
            maps[f"map_{name}"] = filled.astype(np.float32)
        return maps

    def _strata(self) -> tuple[list[str], list[str], Floats, Integers]:
        """Kinds and names, scores [metric, stratum, horizon, 6], pairs [stratum, horizon, 6]."""
        strata = self._cell_strata
        members = strata.members.T.astype(np.float64)
        classes = len(self._wind.names)
        by_cell = np.moveaxis(self._sums @ members, -1, 0)
        sums = np.concatenate(
            [
                np.moveaxis(self._pooled.sum(axis=2), 1, 0),
                np.moveaxis(self._pooled.sum(axis=1), 1, 0)[:classes],
                by_cell,
            ]
        )
        outcomes = np.concatenate(
            [
                np.moveaxis(self._pooled_outcomes.sum(axis=2), 1, 0),
                np.moveaxis(self._pooled_outcomes.sum(axis=1), 1, 0)[:classes],
                np.moveaxis(self._outcomes @ members, -1, 0).astype(np.int64),
            ]
        )
        scores = [_scores(*part) for part in zip(sums, outcomes, strict=True)]
        values = np.array([[stratum[name] for stratum in scores] for name in METRICS])
        pairs = sums[:, :, MOMENTS.index("count")].astype(np.int64)
        kinds = ["season"] * len(SEASONS) + [self._wind.kind] * classes + list(strata.kinds)
        return kinds, [*SEASONS, *self._wind.names, *strata.names], values, pairs


_GATHERED = ("totals", "seen", "init_mse", "sums", "pooled", "outcomes", "pooled_outcomes")


def _scores(sums: Floats, outcomes: Integers) -> dict[str, Floats]:
    """Every metric [horizon, 6, ...] from sums [horizon, moment, 6, ...] and outcome counts."""
    return scores_of(np.moveaxis(sums, 1, 0)) | {
        name: np.moveaxis(value, 1, 0)
        for name, value in exceedance_scores(np.moveaxis(outcomes, 0, 3)).items()
    }


def _cell_strata(domain: Domain, settings: EvaluationConfig) -> CellStrata:
    elevation = Classes("elevation", settings.elevation_edges_m, "m")
    ruggedness = Classes("ruggedness", settings.ruggedness_edges_m, "m")
    values = (domain.elevation_m, ruggedness_m(domain.elevation_m))
    inside = [field[domain.mask] for field in values]
    return cell_strata(list(zip((elevation, ruggedness), inside, strict=True)))
