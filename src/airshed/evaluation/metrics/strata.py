"""Strata: parts of the pairs of forecast and truth that get scores of their own.

- ``season`` of the valid time: DJF, MAM, JJA, SON.
- ``wind_speed`` of the cell at the init time. That is the wind which a model sees and which shapes
  a wind-aware bias; it does not depend on the horizon, so that all horizons of an init time fall
  into the same class. Truth without wind is in no class.
- ``elevation`` of the cell.
- ``ruggedness`` of the cell: standard deviation of elevation in the 3 x 3 cells around it
  (population form, fewer at the rim of the grid). It grows with the size of cells, so
  classes of different grids do not compare.

Classes are half open, [lower, upper), and cover everything from minus to plus infinity; their
edges are settings of the study (``evaluation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from airshed.evaluation.batch import Floats, Integers

SEASONS = ("DJF", "MAM", "JJA", "SON")


@dataclass(frozen=True)
class Classes:
    """Half-open classes of a quantity.

    Attributes:
        kind: ``elevation``, ``ruggedness`` or ``wind_speed``.
        edges: Inner edges, rising.
        units: Of the edges.
    """

    kind: str
    edges: tuple[float, ...]
    units: str

    @property
    def names(self) -> tuple[str, ...]:
        """Such as ``below 500 m``, ``500 to 1500 m``, ``from 1500 m``."""
        edges = [f"{edge:g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in pairwise(edges)]
        names = [f"below {edges[0]}", *inner, f"from {edges[-1]}"]
        return tuple(f"{name} {self.units}" for name in names)

    def of(self, values: Floats) -> Integers:
        """The number of each value's class; that after the last one for NaN."""
        number = np.searchsorted(np.asarray(self.edges, values.dtype), values, side="right")
        return np.where(np.isnan(values), len(self.edges) + 1, number)


def season_of(times: pd.DatetimeIndex) -> Integers:
    """Position in SEASONS of each time."""
    return times.month.to_numpy() % 12 // 3


def ruggedness_m(elevation_m: Floats) -> Floats:
    """Standard deviation of elevation in the 3 x 3 cells around each cell, m.

    Args:
        elevation_m: [Y, X]; unknown cells (NaN) are left out of their neighbours' windows.

    Returns:
        [Y, X]; NaN where nothing is known.
    """
    padded = np.pad(elevation_m.astype(np.float64), 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(
        *elevation_m.shape, 9
    )
    known = np.isfinite(windows)
    count = np.maximum(known.sum(axis=-1), 1)
    mean = np.where(known, windows, 0).sum(axis=-1) / count
    square = np.where(known, windows - mean[..., None], 0) ** 2
    spread: Floats = np.sqrt(square.sum(axis=-1) / count)
    return np.where(known.any(axis=-1), spread, np.nan)


@dataclass(frozen=True)
class CellStrata:
    """Strata that a cell belongs to for good: elevation and ruggedness.

    Attributes:
        kinds: Kind of each stratum.
        names: Name of each stratum.
        members: bool [stratum, C].
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    members: npt.NDArray[np.bool_]


def cell_strata(classes: Sequence[tuple[Classes, Floats]]) -> CellStrata:
    """The strata of cells [C] for each pair of classes and the cells' values."""
    kinds, names, members = [], [], []
    for made, values in classes:
        number = made.of(values)
        for index, name in enumerate(made.names):
            kinds.append(made.kind)
            names.append(name)
            members.append(number == index)
    return CellStrata(tuple(kinds), tuple(names), np.array(members))
