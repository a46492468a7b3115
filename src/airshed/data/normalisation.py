"""Between physical fields and what a network sees: optional logarithm, mean, standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.arrays import Floats
from airshed.data.stores import open_statistics


@dataclass(frozen=True)
class Normaliser:
    """z = (t(x) - mean) / std, with t(x) = log(1 + x / s) where a variable has a scale s, else x.

    Attributes:
        names: Variables.
        mean: [V] of t(x).
        std: [V] of t(x).
        log_scale: [V] in canonical units; 0 where there is no logarithm.
    """

    names: tuple[str, ...]
    mean: Floats
    std: Floats
    log_scale: Floats

    @classmethod
    def read(cls, path: Path, names: Sequence[str]) -> Normaliser:
        """The normalisation of some variables, from the file that the statistics step wrote."""
        stored = open_statistics(path).sel(variable=list(names))
        parts = (stored[key].values.astype(np.float64) for key in ("mean", "std", "log_scale"))
        return cls(tuple(names), *parts)

    def forward(self, fields: Floats) -> npt.NDArray[np.float32]:
        """Normalised copy of physical fields [..., V, Y, X]; NaN stays NaN."""
        normalised = np.array(fields, dtype=np.float32)
        for index in np.ndindex(normalised.shape[:-3]):
            self.forward_(normalised[index])
        return normalised

    def forward_(self, fields: npt.NDArray[np.float32]) -> None:
        """Normalise fields [V, Y, X] in place, one variable after the other."""
        for index, field in enumerate(fields):
            if self.log_scale[index]:
                field /= np.float32(self.log_scale[index])
                np.log1p(field, out=field)
            field -= np.float32(self.mean[index])
            field *= np.float32(1 / self.std[index])

    def inverse(self, fields: Floats) -> npt.NDArray[np.float64]:
        """Physical fields [..., V, Y, X] of normalised ones, canonical units."""
        shape = (-1, 1, 1)
        transformed = fields * self.std.reshape(shape) + self.mean.reshape(shape)
        logged = self.log_scale > 0
        if logged.any():
            chosen = transformed[..., logged, :, :]
            scale = self.log_scale[logged].reshape(shape)
            transformed[..., logged, :, :] = scale * np.expm1(chosen)
        physical: npt.NDArray[np.float64] = transformed
        return physical

    def departed(self, reference: Floats, departure: Floats) -> npt.NDArray[np.float64]:
        """Physical fields [..., V, Y, X] that lie a normalised departure away from others.

        These are ``inverse(forward(reference) + departure)`` without the way there and back, so
        that a departure of 0 leads nowhere.
        """
        step = departure * self.std.reshape(-1, 1, 1)
        physical: npt.NDArray[np.float64] = reference + step
        logged = self.log_scale > 0
        if logged.any():
            chosen, scale = reference[..., logged, :, :], self.log_scale[logged].reshape(-1, 1, 1)
            grown = (chosen + scale) * np.expm1(step[..., logged, :, :])
            physical[..., logged, :, :] = chosen + grown
        return physical

    def parameters(self) -> list[list[Any]]:
        """Everything that the result depends on, as plain values."""
        return [
            list(self.names),
            *(part.tolist() for part in (self.mean, self.std, self.log_scale)),
        ]
