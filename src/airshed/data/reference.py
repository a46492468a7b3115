"""Forecasts that need no network and that a network may depart from.

Of damped persistence, with c the climatology of the training split
(:mod:`airshed.data.climatology`) and k the coefficient of a target and a horizon
(:mod:`airshed.data.damping`):

    forecast(valid time) = c(valid time) + k (latest field - c(init time))

Quantities that cannot be negative are bounded by 0. Where the latest field is missing, damped
persistence is climatology, and persistence the mean of the training split, which is also what a
network sees there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch

from airshed.arrays import Floats, Floats32, Integers
from airshed.config import Study
from airshed.data.climatology import Climatology, open_climatology
from airshed.data.damping import open_damping
from airshed.data.normalisation import Normaliser
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.variables import Variable


class Reference(Protocol):
    """A forecast from what is known at the init time."""

    def __call__(
        self, latest: Floats, init_times: pd.DatetimeIndex, horizons_h: Integers
    ) -> Floats32:
        """Forecasts [B, T, Y, X] from the fields [B, T, Y, X] at the init times, physical units."""

    def state(self) -> dict[str, Any]:
        """All that it needs, as tensors and plain values; see :func:`restored`."""


class Persistence:
    """The field at the init time.

    Args:
        fallback: [T], values where the field is missing, physical units.
    """

    def __init__(self, fallback: Floats) -> None:
        self._fallback = np.asarray(fallback, dtype=np.float32)

    def __call__(
        self, latest: Floats, init_times: pd.DatetimeIndex, horizons_h: Integers
    ) -> Floats32:
        """Forecasts [B, T, Y, X], whatever the horizons."""
        known = np.isfinite(latest)
        return np.where(known, latest, self._fallback[:, None, None]).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """All that it needs."""
        return {"kind": "persistence", "usual": torch.from_numpy(self._fallback)}


class DampedPersistence:
    """Climatology at the valid time and what is left of the latest anomaly.

    Args:
        climatology: Of the training split.
        coefficients: [horizon, T], in 0 to 1.
        horizons_h: Lead times that have coefficients, h.
        lowest: [T], lower bounds of the forecasts, physical units.
    """

    def __init__(
        self,
        climatology: Climatology,
        coefficients: Floats,
        horizons_h: Sequence[int],
        lowest: Floats,
    ) -> None:
        self._climatology, self._horizons_h = climatology, list(horizons_h)
        self._coefficients = np.asarray(coefficients, dtype=np.float32)
        self._lowest = np.asarray(lowest, dtype=np.float32)

    def __call__(
        self, latest: Floats, init_times: pd.DatetimeIndex, horizons_h: Integers
    ) -> Floats32:
        """Forecasts [B, T, Y, X]; NaN outside the domain."""
        hours = pd.to_timedelta(horizons_h, unit="h")
        anomaly = np.nan_to_num(latest - self._climatology.at(init_times), nan=0.0)
        rows = [self._horizons_h.index(each) for each in horizons_h.tolist()]
        damping = self._coefficients[rows][:, :, None, None]
        forecast = self._climatology.at(init_times + hours) + damping * anomaly
        return np.maximum(forecast, self._lowest[:, None, None], dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """All that it needs."""
        return {
            "kind": "damped_persistence",
            "climatology": torch.from_numpy(self._climatology.coefficients),
            "coefficients": torch.from_numpy(self._coefficients),
            "horizons_h": self._horizons_h,
            "lowest": torch.from_numpy(self._lowest),
        }


def lowest(targets: Sequence[Variable]) -> Floats:
    """Lower bounds of forecasts of the targets [T]."""
    return np.array([-np.inf if target.signed else 0.0 for target in targets])


def open_reference(study: Study, prepared: Prepared) -> Reference | None:
    """The forecast from which a study's networks predict the departure; None if there is none.

    Raises:
        AirshedError: Damped persistence is wanted without its files, or they are given without it.
    """
    kind, targets = study.model.departs_from, study.target_variables
    given = prepared.climatology, prepared.damping
    if (kind == "damped_persistence") != all(given):
        raise AirshedError(
            "climatology and damping do not fit what the networks depart from",
            where=f"model.departs_from: {kind}",
            expected="both" if kind == "damped_persistence" else "neither of them",
            found=", ".join(str(path) for path in given if path) or "neither of them",
            hint="give --climatology and --damping if networks depart from damped persistence,"
            " and else not",
        )
    if prepared.climatology and prepared.damping:
        return DampedPersistence(
            open_climatology(prepared.climatology, targets),
            open_damping(prepared.damping, targets, study.horizons_h),
            study.horizons_h,
            lowest(targets),
        )
    if kind == "persistence":
        normaliser = Normaliser.read(prepared.statistics, study.targets)
        return Persistence(normaliser.inverse(np.zeros((len(targets), 1, 1)))[:, 0, 0])
    return None


def restored(state: Mapping[str, Any]) -> Reference:
    """The reference forecast whose :meth:`Reference.state` this is."""
    arrays = {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in state.items()
    }
    if arrays["kind"] == "persistence":
        return Persistence(arrays["usual"])
    return DampedPersistence(
        Climatology(arrays["climatology"]),
        arrays["coefficients"],
        list(arrays["horizons_h"]),
        arrays["lowest"],
    )
