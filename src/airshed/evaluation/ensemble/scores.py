"""All seeds of a variant as an ensemble: how good its mean is, and how large its spread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scores.probability import crps_for_ensemble, rank_histogram

from airshed.arrays import Floats
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Gathered, Samples
from airshed.evaluation.loop import ahead

DIMS = ("member", "sample", "pollutant", "cell")
SUMMED = ("count", "mean_squared", "member_squared", "variance", "crps")
"""Sums over pairs: of the mean's squared error, of that of the members (their mean), of the
variance between members, and of the continuous ranked probability score."""


class Member(Protocol):
    """A network of the ensemble; all read the same."""

    def read(self, samples: Samples, /) -> Any:
        """What forecasts are made from."""

    def forecast(self, given: Any, /) -> npt.NDArray[np.float32]:
        """Forecasts [B, T, Y, X], from what one of the networks has read."""


class Members:
    """Forecasts of several networks as one: their mean, with all of them queued for a scorer."""

    def __init__(self, networks: Sequence[Member]) -> None:
        self._networks = networks
        self.waiting: deque[npt.NDArray[np.float32]] = deque()

    def __len__(self) -> int:
        return len(self._networks)

    def __call__(self, batches: Iterable[Samples]) -> Iterator[npt.NDArray[np.float32]]:
        """The mean [B, T, Y, X] of each batch; all members [M, B, T, Y, X] wait for the scorer."""
        for given in ahead(map(self._networks[0].read, batches)):
            members = np.stack([network.forecast(given) for network in self._networks])
            self.waiting.append(members)
            yield members.mean(axis=0)


class EnsembleScores(Gathered):
    """Scores of an ensemble over the cells of the domain, by horizon and pollutant.

    Source of the fair score: Ferro (2014), Quarterly Journal of the Royal Meteorological Society
    140, 1917-1923: it is the one of an ensemble that is infinitely large. The spread is corrected
    for few members in the same way, so that it equals the error of the mean if members and
    observation cannot be distinguished (Fortin et al. 2014, Journal of Hydrometeorology 15,
    1708-1713).

    Args:
        period: Horizons H and targets T.
        mask: [Y, X], the domain.
        members: Makes the forecasts, and keeps them until they are scored.
    """

    GATHERED = ("sums", "ranks")

    def __init__(self, period: Period, mask: npt.NDArray[np.bool_], members: Members) -> None:
        self._period, self._cells, self._members = period, np.flatnonzero(mask), members
        horizons, targets = len(period.horizons_h), len(period.targets)
        self.sums = np.zeros((horizons, len(SUMMED), targets))
        self.ranks = np.zeros((horizons, len(members) + 1, targets))

    def add(self, batch: Batch) -> None:
        """Take one batch, whose members are the first that wait."""
        members = self._gather(self._members.waiting.popleft())
        values = self._gather(batch.observed)
        _, horizons = self._period.places(batch.samples)
        known = np.isfinite(values)
        error = np.where(known, members - values, 0)
        forecasts = xr.DataArray(np.where(known, members, np.nan), dims=DIMS)
        observed = xr.DataArray(values, dims=DIMS[1:])
        crps = crps_for_ensemble(forecasts, observed, "member", method="fair", preserve_dims="all")
        parts = (
            known,
            np.square(error.mean(axis=0)),
            np.square(error).mean(axis=0),
            error.var(axis=0, ddof=1),
            np.nan_to_num(crps.transpose(*DIMS[1:]).values),
        )
        summed = np.stack([part.sum(axis=2, dtype=np.float64) for part in parts], axis=1)
        np.add.at(self.sums, horizons, summed)
        np.add.at(self.ranks, horizons, self._ranked(forecasts, observed, summed[:, 0]))

    def _gather(self, fields: Floats) -> Floats:
        return fields.reshape(*fields.shape[:-2], -1)[..., self._cells].astype(np.float64)

    def _ranked(self, forecasts: xr.DataArray, observed: xr.DataArray, count: Floats) -> Floats:
        """[B, M + 1, T]: how often the observed value was above so many members."""
        shares = rank_histogram(
            forecasts.where(observed.notnull(), 0), observed, "member", preserve_dims=DIMS[1:3]
        )
        return (
            np.nan_to_num(shares.transpose("sample", "rank", "pollutant").values) * count[:, None]
        )

    def table(self, variant: str) -> pd.DataFrame:
        """One row for each pollutant and horizon.

        Columns: ``rmse_of_mean`` and ``rmse_of_members`` (root of the mean square over them),
        ``crps`` (fair) and ``spread`` in the pollutant's units, ``spread_over_error`` (1 where the
        spread equals the size of errors), and ``rank_<k>``, the share of pairs in which the
        observation lies above k members.
        """
        rows = []
        for h, horizon in enumerate(self._period.horizons_h):
            for t, target in enumerate(self._period.targets):
                count, *sums = self.sums[h, :, t]
                mean, member, variance, crps = np.array(sums) / count if count else [np.nan] * 4
                members = len(self._members)
                spread = np.sqrt(variance * (members + 1) / members)
                rows.append(
                    {
                        "variant": variant,
                        "pollutant": target.name,
                        "units": target.units,
                        "horizon_h": horizon,
                        "members": members,
                        "pairs": int(count),
                        "rmse_of_mean": np.sqrt(mean),
                        "rmse_of_members": np.sqrt(member),
                        "crps": crps,
                        "spread": spread,
                        "spread_over_error": spread / np.sqrt(mean),
                        **self._shares(h, t),
                    }
                )
        return pd.DataFrame(rows)

    def _shares(self, horizon: int, target: int) -> dict[str, float]:
        ranks: Floats = self.ranks[horizon, :, target]
        total = ranks.sum()
        return {f"rank_{k}": one / total if total else np.nan for k, one in enumerate(ranks)}
