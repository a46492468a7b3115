"""The inputs of a network: normalised fields of an hour and static ones, in the study's order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from airshed.arrays import Flags, Floats32
from airshed.data.normalisation import Normaliser
from airshed.data.stores import open_static
from airshed.variables import STATIC

Copies = list[tuple[slice, slice]]


class Inputs:
    """Puts together what networks see and what they forecast, from the fields of an hour.

    Args:
        static: ``static.nc``.
        statistics: Normalisation of the training split.
        stored: The hourly fields of the store, in its order.
        inputs: What a network sees, in its order.
        targets: What it forecasts, in its order.

    Attributes:
        hourly: Those of the stored fields that are inputs or targets, in the stored order.
        inside: bool [Y, X], True inside the domain.
        normaliser: Of the hourly fields.

    Raises:
        AirshedError: A file is missing, damaged, or lacks a field.
    """

    def __init__(
        self,
        static: Path,
        statistics: Path,
        stored: Sequence[str],
        inputs: Sequence[str],
        targets: Sequence[str],
    ) -> None:
        self.hourly = tuple(name for name in stored if name in (*inputs, *targets))
        self.normaliser = Normaliser.read(statistics, self.hourly)
        grid, constant = open_static(static), tuple(name for name in STATIC if name in inputs)
        self.inside: Flags = grid["domain_mask"].values.astype(bool)
        values = [grid[name].values for name in constant]
        normalised = Normaliser.read(statistics, constant).forward(
            np.reshape(values, (len(constant), *self.inside.shape))
        )
        self._static = torch.from_numpy(np.where(self.inside, normalised, np.float32(0)))
        self._count = len(inputs), len(targets)
        self._from_hourly, self._from_static = (
            _copies(inputs, there) for there in (self.hourly, constant)
        )
        self._to_targets = _copies(targets, self.hourly)

    def normalise_(self, fields: Floats32) -> Floats32:
        """Normalise physical fields [H, Y, X] in place; NaN outside the domain."""
        self.normaliser.forward_(fields)
        fields[:, ~self.inside] = np.nan
        return fields

    def seen(self, hours: Sequence[Tensor]) -> Tensor:
        """Inputs [B, V, Y, X] from the normalised fields [H, Y, X] of B hours; 0 where missing."""
        x = torch.empty(len(hours), self._count[0], *self.inside.shape)
        for here, there in self._from_static:
            x[:, here] = self._static[there]
        for fields, one in zip(hours, x, strict=True):
            for here, there in self._from_hourly:
                torch.nan_to_num(fields[there], nan=0.0, out=one[here])
        return x

    def of_targets(self, hours: Sequence[Tensor]) -> Tensor:
        """The fields of the targets [B, T, Y, X] among those [H, Y, X] of B hours."""
        y = torch.empty(len(hours), self._count[1], *self.inside.shape)
        for fields, one in zip(hours, y, strict=True):
            for here, there in self._to_targets:
                one[here] = fields[there]
        return y


def _copies(wanted: Sequence[str], there: Sequence[str]) -> Copies:
    """Slices that copy stored fields to their places among the wanted ones."""
    targets = [place for place, name in enumerate(wanted) if name in there]
    return _runs(targets, [there.index(wanted[place]) for place in targets])


def _runs(targets: Sequence[int], sources: Sequence[int]) -> Copies:
    """Slices that copy sources to targets, as few as possible."""
    runs: Copies = []
    for target, source in sorted(zip(targets, sources, strict=True)):
        if runs and (target, source) == (runs[-1][0].stop, runs[-1][1].stop):
            runs[-1] = (slice(runs[-1][0].start, target + 1), slice(runs[-1][1].start, source + 1))
        else:
            runs.append((slice(target, target + 1), slice(source, source + 1)))
    return runs
