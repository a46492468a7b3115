"""The scorer of the cells of the domain, behind most of ``scores.nc``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.sparse import csr_array

from airshed.arrays import Floats, Integers
from airshed.config.evaluation import EvaluationConfig
from airshed.config.supplement import Episode
from airshed.data.climatology import Climatology
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Bins, JointSums, Period, Sums
from airshed.evaluation.batch import Batch, Domain, State
from airshed.evaluation.binning import (
    Binning,
    Classes,
    FixedBins,
    RuggednessByWind,
    WindSpeedBins,
    ruggedness_m,
)
from airshed.evaluation.episodes import episode_bin
from airshed.evaluation.metrics.exceedance import exceedances, limits_of
from airshed.evaluation.metrics.moments import MOMENTS, moments
from airshed.evaluation.rescoring import metrics_of
from airshed.evaluation.scores import CELLS, SCORED_MAPS, Subject, scores_dataset
from airshed.evaluation.spectra import Spectra

COARSE_CELLS = 2048  # of the sums by block of days, at most


class GriddedScores:
    """Sums over pairs of forecast and observation in the cells of the domain.

    Fields and their products are float32, sums of them float64. Pairs outside the domain or without
    a finite observation do not count. A pair with one and a forecast that is not finite is left
    out too, and counted in ``cells_skipped``.

    Memory at 128 x 256 and four horizons: up to 140 MB of sums by place and block, and 34 kB for
    each init time (11 bins, 9 joint classes): 300 MB with an init time in every hour of a year.

    Args:
        period: The samples that there may be; init times without any stay empty.
        domain: The cells.
        climatology: What anomalies are taken from; finite inside the domain.
        settings: Edges of the classes.
        episodes: Episodes that are bins of their own, by name.

    Raises:
        AirshedError: The climatology is not finite somewhere in the domain, or an episode's region
            holds no cell of it.
    """

    def __init__(
        self,
        period: Period,
        domain: Domain,
        climatology: Climatology,
        settings: EvaluationConfig | None = None,
        episodes: Mapping[str, Episode] | None = None,
    ) -> None:
        self._period = period
        self._limits = limits_of(self._period.names)
        self._domain, self._climatology = domain, climatology
        self._cells = np.flatnonzero(domain.mask)
        self._origin = self._mean_climatology()
        wind, elevation, ruggedness = _class_bins(
            domain, self._cells, settings or EvaluationConfig()
        )
        binnings: list[Binning] = [
            FixedBins.everywhere(len(self._cells)),
            wind,
            elevation,
            ruggedness,
            *(episode_bin(name, one, domain) for name, one in (episodes or {}).items()),
        ]
        self._bins = Bins(binnings, len(self._cells))
        self._coarse, groups = _coarse_cells(domain.mask)
        self._sums = Sums(self._period, len(self._bins.names), len(self._cells), groups=groups)
        joint = RuggednessByWind(ruggedness, wind)
        self._joint = JointSums(self._period, joint, len(self._cells))
        self._spectra = Spectra(self._period, domain)
        shape = (len(MOMENTS), len(period.targets), len(self._cells))
        self._parts = np.zeros(shape, dtype=np.float32)
        self._totals = np.zeros(2, dtype=np.int64)  # samples, cells skipped
        self._scored = np.zeros((len(period.init_times), len(period.horizons_h)), dtype=bool)

    def _mean_climatology(self) -> Floats:
        """Mean over the domain at the first init time, [T, 1]."""
        expected = self._gather(self._climatology.at(self._period.init_times[:1]))
        if not np.isfinite(expected).all():
            raise AirshedError(
                "the climatology is not known in every cell of the domain",
                found=f"{int((~np.isfinite(expected)).any(axis=(0, 1)).sum())} unknown cells",
                hint="static fields and climatology are of different data; make both again",
            )
        mean: Floats = expected.mean(axis=2)[0, :, None]
        return mean

    def add(self, batch: Batch) -> None:
        """Add the samples of a batch.

        Raises:
            AirshedError: A sample has an init time or horizon that was not given.
            ValueError: Shapes do not fit, or a sample comes twice.
        """
        places = self._places(batch)
        fields = [self._gather(part) for part in (batch.forecast, batch.observed, batch.initial)]
        expected = self._gather(self._climatology.at(batch.samples.valid_times))
        rows = zip(*places, *fields, expected, strict=True)
        for row, (init, horizon, forecast, observed, initial, climatology) in enumerate(rows):
            counts = moments(forecast, observed, initial, climatology, self._origin, self._parts)
            skipped = 0 if counts.all() else int(np.isfinite(observed).sum() - counts.sum())
            self._totals += (1, skipped)
            events = exceedances(forecast, observed, counts, self._limits)
            weights = self._bins.weights(batch, row)
            self._sums.add(int(init), int(horizon), self._parts, events, weights)
            self._joint.add(int(init), int(horizon), self._parts, batch, row)
        self._spectra.add(places[1], batch.forecast, batch.observed)

    def _gather(self, fields: Floats) -> Floats:
        """The cells of the domain, [B, T, C]."""
        if fields.shape[1:] != (len(self._period.targets), *self._domain.mask.shape):
            raise ValueError(
                f"fields have shape {fields.shape}, not [B, targets, Y, X] of the domain"
            )
        return np.take(fields.reshape(*fields.shape[:2], -1), self._cells, axis=2)

    def _places(self, batch: Batch) -> tuple[Integers, Integers]:
        """Positions of the samples among init times and horizons; marks them as scored."""
        samples, period = batch.samples, self._period
        inits, horizons = period.places(samples)
        unknown = (inits < 0) | (horizons < 0)
        if unknown.any():
            raise AirshedError(
                "a sample does not belong to the test split of the study",
                where=samples.first_where(unknown),
                expected=f"init times {period.init_times[0]} to {period.init_times[-1]},"
                f" horizons {', '.join(map(str, period.horizons_h))} h",
            )
        pairs = np.unique(np.stack([inits, horizons]), axis=1)
        if self._scored[inits, horizons].any() or pairs.shape[1] < len(batch):
            raise ValueError(f"a sample of {samples.init_times[0]} or later came twice")
        self._scored[inits, horizons] = True
        return inits, horizons

    def state(self) -> State:
        """Everything that was gathered."""
        own = {"totals": self._totals, "scored": self._scored}
        return {**own, **self._sums.state(), **self._joint.state(), **self._spectra.state()}

    def restore(self, state: State) -> None:
        """Take back what was gathered."""
        self._totals, self._scored = np.array(state["totals"]), np.array(state["scored"])
        self._sums.restore(state)
        self._joint.restore(state)
        self._spectra.restore(state)

    def dataset(self, subject: Subject) -> xr.Dataset:
        """The scores of all samples so far, in the form of ``scores.nc``.

        Raises:
            AirshedError: A trained network made forecasts that are not finite.
        """
        samples, skipped = self._totals.tolist()
        if subject.trained and skipped:
            raise AirshedError(
                "a trained model made forecasts that are not finite",
                where=f"{subject.kind} {subject.name}, seed {subject.seed}",
                found=f"{skipped} cells in {samples} samples",
                hint="inspect the losses in history.csv; train.learning_rate may be too high",
            )
        rows, columns = self._coarse
        return scores_dataset(
            subject,
            self._period,
            {"samples": samples, "cells_skipped": skipped},
            {
                **metrics_of(*self._sums.totals(), self._period.names),
                **self._maps(),
                **self._joint.values(),
                **self._spectra.variables(),
                "lat2d": self._domain.lat2d,
                "lon2d": self._domain.lon2d,
                "coarse_row": rows,
                "coarse_column": columns,
                "scored": self._scored,
                "origin": self._origin[:, 0].astype(np.float64),
            },
            CELLS.variables(self._bins, self._sums),
        )

    def _maps(self) -> dict[str, Any]:
        scores = metrics_of(self._sums.by_place, self._sums.events_by_place, self._period.names)
        scores["mse"] = scores["rmse"] ** 2
        maps = {}
        for name in SCORED_MAPS:
            filled = np.full((*scores[name].shape[:2], *self._domain.mask.shape), np.nan)
            filled[:, :, self._domain.mask] = scores[name]
            maps[f"map_{name}"] = filled.astype(np.float32)
        return maps


def _class_bins(
    domain: Domain, cells: Integers, settings: EvaluationConfig
) -> tuple[WindSpeedBins, FixedBins, FixedBins]:
    """Wind speed, elevation and ruggedness of the cells."""
    elevation = Classes("elevation", settings.elevation_edges_m, "m")
    ruggedness = Classes("ruggedness", settings.ruggedness_edges_m, "m")
    spread = ruggedness_m(domain.elevation_m)
    return (
        WindSpeedBins(settings.wind_speed_edges_ms, cells),
        FixedBins.by_class(elevation, domain.elevation_m.ravel()[cells]),
        FixedBins.by_class(ruggedness, spread.ravel()[cells]),
    )


def _coarse_cells(
    mask: npt.NDArray[np.bool_],
) -> tuple[tuple[Integers, Integers], csr_array]:
    """Squares of cells that are few enough, as far as they hold a cell of the domain.

    Returns:
        Row and column [G] of the first cell of each, and which cells [G, C] of the domain it holds.
    """
    side = 1
    while -(-mask.shape[0] // side) * -(-mask.shape[1] // side) > COARSE_CELLS:
        side += 1
    row, column = (places // side for places in np.nonzero(mask))
    across = -(-mask.shape[1] // side)
    squares, group = np.unique(row * across + column, return_inverse=True)
    ones = (np.ones(len(group)), (group, np.arange(len(group))))
    first = (squares // across * side, squares % across * side)
    return first, csr_array(ones, shape=(len(squares), len(group)))
