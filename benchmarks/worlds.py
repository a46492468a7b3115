"""Whether a change of RMSE is another one in one simulated world than in a second one.

The worlds have the same weather, so their errors are paired in time. The estimator and what it
assumes: docs/recovery.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from airshed.arrays import Floats
from airshed.comparison.compare import changes, is_short
from airshed.comparison.inference import estimate
from airshed.comparison.pairing import PairedErrors, align, log_rmse
from airshed.comparison.resampling import automatic_block_length
from airshed.comparison.verdict import Limit
from airshed.config.evaluation import ComparisonConfig

VARIANT, REFERENCE = 0, 1


def log_ratio(means: Floats) -> Floats:
    """[..., 2, K] mean squared errors of variant and reference to [..., 1 + K] log RMSE ratios."""
    return log_rmse(means[..., VARIANT, :]) - log_rmse(means[..., REFERENCE, :])


class TwoWorlds(PairedErrors):
    """Pairs of networks in two worlds: [S, 2, T, K], a variant and its reference in each pair.

    ``variant`` holds the pairs of one world, ``reference`` those of the other. A pair counts as one
    training, whose score is its log RMSE ratio.
    """

    @classmethod
    def of(cls, one: Sequence[xr.DataArray], other: Sequence[xr.DataArray]) -> TwoWorlds:
        """From the squared errors of variant and reference in each world, seed by seed."""
        aligned = align([*one, *other])
        first, second = (np.stack(aligned.models[at : at + 2], axis=1) for at in (0, 2))
        return cls(first, second, aligned.exists, log_ratio)

    def differences(self) -> Floats:
        """[T, K]: how much more the errors differ in the one world than in the other."""
        one, other = (
            PairedErrors(pairs[:, VARIANT], pairs[:, REFERENCE], self.exists).differences()
            for pairs in (self.variant, self.reference)
        )
        return one - other

    def correlation(self) -> float:
        """Of the overall ratios of equal seeds between the worlds."""
        one, other = np.split(self.scale(self.means())[:, 0], [len(self.variant)])
        return float(np.corrcoef(one, other)[0, 1])


def compared(errors: TwoWorlds, settings: ComparisonConfig) -> dict[str, Any]:
    """The overall row: the ratio of the RMSE ratios minus 1, its interval and p-values alone."""
    block, rng = automatic_block_length(errors), np.random.default_rng(settings.seed)
    found = estimate(errors, block, settings.resamples, rng)
    limit = Limit.these_days if is_short(errors, block) else None
    columns = changes(found, settings.margin, limit)
    row = {name: np.asarray(values)[0] for name, values in columns.items()}
    return row | {
        "limit": limit.value if limit else "",
        "correlation": errors.correlation(),
        "block_length": block,
    }
