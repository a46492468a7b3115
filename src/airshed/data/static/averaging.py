"""Means and sums over the cells of the study grid, from shares of source cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from airshed.data.regrid import MIN_COVERED
from airshed.data.static.cells import Cells

Floats = npt.NDArray[np.floating[Any]]
WHOLE = 0.99  # share of a cell from which it counts as covered: outlines of grids are approximate


@dataclass(frozen=True)
class Piece:
    """The part of a source that lies in some cells of the study grid.

    Attributes:
        rows: Rows of the study grid.
        columns: Columns of the study grid.
        values: Source cells [P]; NaN is missing.
        area_km2: Their areas on the earth [P].
        shares: [cells, P], which share of each source cell lies in each study cell.
        covered: [cells], which share of each study cell lies within the source's extent.
    """

    rows: slice
    columns: slice
    values: Floats
    area_km2: Floats
    shares: csr_array
    covered: Floats


class Source(Protocol):
    """A field on its own grid."""

    @property
    def where(self) -> str:
        """File and variable, for messages."""

    @property
    def units(self) -> str | None:
        """What the file says of units."""

    def pieces(self, cells: Cells) -> Iterator[Piece]:
        """The parts that together cover all cells, each once."""


@dataclass(frozen=True)
class Gathered:
    """A source's field on the study grid, [Y, X], and the share of each cell that it covers."""

    values: Floats
    covered: Floats


def mean(source: Source, cells: Cells) -> Gathered:
    """Means weighted by area, over the known part of each cell; missing where that is too small."""
    values, covered = np.full(cells.shape, np.nan), np.zeros(cells.shape)
    for piece in source.pieces(cells):
        known = np.isfinite(piece.values)
        area = piece.shares @ piece.area_km2
        known_area = piece.shares @ (piece.area_km2 * known)
        weighted = piece.shares @ (piece.area_km2 * np.where(known, piece.values, 0.0))
        enough = (known_area > 0) & (known_area >= MIN_COVERED * area)
        means = np.divide(weighted, known_area, out=np.full(len(area), np.nan), where=enough)
        _place(piece, means, values, covered)
    return Gathered(np.where(covered >= WHOLE, values, np.nan), covered)


def total(source: Source, cells: Cells, per_km2: bool) -> Gathered:
    """Sums over the known part of each cell; missing only where nothing is known.

    So the sum over all cells is that of the source within their outline.

    Args:
        source: Counts per source cell, or per square kilometre.
        cells: The study grid.
        per_km2: Whether the source is a density.
    """
    values, covered = np.full(cells.shape, np.nan), np.zeros(cells.shape)
    for piece in source.pieces(cells):
        known = np.isfinite(piece.values)
        counts = np.where(known, piece.values, 0.0) * (piece.area_km2 if per_km2 else 1.0)
        sums = np.where(piece.shares @ known.astype(float) > 0, piece.shares @ counts, np.nan)
        _place(piece, sums, values, covered)
    return Gathered(np.where(covered >= WHOLE, values, np.nan), covered)


def _place(piece: Piece, found: Floats, values: Floats, covered: Floats) -> None:
    part = values[piece.rows, piece.columns]
    part[...] = found.reshape(part.shape)
    covered[piece.rows, piece.columns] = piece.covered.reshape(part.shape)
