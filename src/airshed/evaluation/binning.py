"""Binnings: which pairs of forecast and observation are summed together.

- ``domain``: all of them.
- ``wind_speed`` of the cell at the init time. That is the wind which a model sees and which shapes
  a wind-aware bias; it does not depend on the horizon, so that all horizons of an init time fall
  into the same class. Data without wind are in no class.
- ``elevation`` of the cell.
- ``ruggedness`` of the cell: standard deviation of elevation in the 3 x 3 cells around it
  (population form, fewer at the rim of the grid). It grows with the size of cells, so
  classes of different grids do not compare.
- ``ruggedness_by_wind``: a class of ruggedness and one of wind together, cell by cell. A bias made
  of terrain and wind must show there. RMSE alone is kept of it.
- ``episode``: a region, while the valid time lies in a period.
- ``season`` of the valid time: DJF, MAM, JJA, SON. It needs no bin of its own while sums are
  gathered: a sample lies in one season, so seasons are sums over samples
  (:mod:`airshed.evaluation.rescoring`).

Classes are half open, [lower, upper), and cover everything from minus to plus infinity; their
edges are settings of the study (``evaluation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product, starmap
from typing import Protocol

import numpy as np
import pandas as pd

from airshed.arrays import Flags, Floats, Integers
from airshed.evaluation.batch import Batch

SEASONS = ("DJF", "MAM", "JJA", "SON")
DOMAIN = "domain"
ALL_STATIONS = "stations"


class Binning(Protocol):
    """Named bins of the places P (cells or stations) of a sample; a place may be in none."""

    kind: str
    names: tuple[str, ...]

    def members(self, batch: Batch, row: int) -> Flags:
        """Whether each place of the batch's sample ``row`` is in each bin, [bin, P]."""


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

    def members(self, values: Floats) -> Flags:
        """Whether each value [P] is in each class, [class, P]; NaN is in none."""
        members: Flags = self.of(values) == np.arange(len(self.names))[:, None]
        return members


class FixedBins:
    """Bins whose places are always the same.

    Args:
        kind: What the bins distinguish.
        names: Of the bins.
        members: [bin, P].

    Attributes:
        fixed: The members.
    """

    def __init__(self, kind: str, names: Sequence[str], members: Flags) -> None:
        self.kind, self.names, self.fixed = kind, tuple(names), members

    @classmethod
    def everywhere(cls, places: int) -> FixedBins:
        """One bin that holds every place."""
        return cls(DOMAIN, ["all"], np.ones((1, places), dtype=bool))

    @classmethod
    def by_class(cls, classes: Classes, values: Floats) -> FixedBins:
        """Classes of a quantity that each place [P] has for good."""
        return cls(classes.kind, classes.names, classes.members(values))

    def members(self, batch: Batch, row: int) -> Flags:
        """[bin, P], the same for every sample."""
        return self.fixed


class WindSpeedBins:
    """Classes of the wind at the init time.

    Args:
        edges_ms: Inner edges, rising, m s-1.
        cells: Flat positions [P] on the grid of the places.
    """

    def __init__(self, edges_ms: tuple[float, ...], cells: Integers) -> None:
        self._classes, self._cells = Classes("wind_speed", edges_ms, "m s-1"), cells
        self.kind, self.names = self._classes.kind, self._classes.names

    def members(self, batch: Batch, row: int) -> Flags:
        """[class, P]."""
        return self._classes.members(batch.wind_speed_ms[row].ravel()[self._cells])


class RuggednessByWind:
    """Classes of the ruggedness of a cell and of its wind at the init time together.

    Args:
        ruggedness: R classes.
        wind_speed: W classes.

    Attributes:
        parts: Both.
    """

    kind = "ruggedness_by_wind"
    dims = ("ruggedness", "wind_speed")

    def __init__(self, ruggedness: FixedBins, wind_speed: WindSpeedBins) -> None:
        self._ruggedness, self._wind_speed = self.parts = ruggedness, wind_speed
        self.names = tuple(starmap(joint_name, product(ruggedness.names, wind_speed.names)))

    def members(self, batch: Batch, row: int) -> Flags:
        """[R x W, P]; the wind changes first."""
        both = self._ruggedness.fixed[:, None] & self._wind_speed.members(batch, row)
        return both.reshape(len(self.names), -1)


def joint_name(ruggedness: str, wind_speed: str) -> str:
    """Of a class of both, such as ``from 200 m, below 2 m s-1``."""
    return f"{ruggedness}, {wind_speed}"


class EpisodeBin:
    """A region, while the valid time lies in a period.

    Args:
        name: Of the episode.
        start: First valid time.
        stop: End of the period, exclusive.
        inside: Whether each place [P] lies in the region.
    """

    kind = "episode"

    def __init__(self, name: str, start: pd.Timestamp, stop: pd.Timestamp, inside: Flags) -> None:
        self.names: tuple[str, ...] = (name,)
        self._start, self._stop = start, stop
        self._inside, self._nowhere = inside[None], np.zeros((1, len(inside)), dtype=bool)

    def members(self, batch: Batch, row: int) -> Flags:
        """[1, P]."""
        during = self._start <= batch.samples.valid_times[row] < self._stop
        return self._inside if during else self._nowhere


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
