"""Fields of one variable of a file, several times read at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from airshed.arrays import Floats
from airshed.data.gridded.opening import Place, opened, reading
from airshed.data.gridded.positions import Positions
from airshed.data.netcdf_library import within_limit
from airshed.data.rawhour import Stored, described
from airshed.errors import AirshedError

BLOCK_BYTES = 2**20  # buffered of one variable
CHUNK_BYTES = 2**23  # of one whose chunks hold several times
STEPS = 24  # read at once where the file's chunks are smaller
STAGGERED = "_stag"  # ends the names of WRF's dimensions of cell edges
FILLER = 9e36  # of NetCDF, by default, 9.969e36; of IOAPI -9.999e36


@dataclass
class Variable:
    """A variable of a file, ready to be read.

    Attributes:
        place: The file.
        name: Of the variable there.
        time: Dimension of time, None if it has none.
        positions: Which cells are read.
        levels: Position that is read along each further dimension.
        stored: Its description in the file.
        precision: Of its values in memory.
        packed_step: Smallest difference of its values, if they are packed; else 0.
        fillers: Whether the default fillers are missing values, as no attribute names one.
        start: Position of the buffered block on the time axis.
        block: The buffered block [T, Y, X].
    """

    place: Place
    name: str
    time: str | None
    positions: Positions
    levels: dict[str, int]
    stored: Stored
    precision: type[np.floating[Any]]
    packed_step: float
    fillers: bool
    start: int = 0
    block: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))

    def field(self, number: int) -> Floats:
        """Values [Y, X] at a position on the time axis, as stored, NaN where missing.

        Raises:
            AirshedError: They cannot be read.
        """
        if self.start <= number < self.start + len(self.block):
            return self.block[number - self.start]
        with reading(self.place):
            stored = opened(self.place)[self.name]
            read = within_limit(lambda: self._read(stored, number), self.place, "fetch it again")
        start, block = read
        if len(block) > 1:
            self.start, self.block = start, block
        return block[number - start]

    def _read(self, stored: xr.DataArray, number: int) -> tuple[int, Floats]:
        """The first time of the block in which one lies, and its fields."""
        steps = self._steps(stored)
        start = number // steps * steps
        times = {self.time: slice(start, start + steps)} if self.time else {}
        part = stored.isel(times | self.levels)
        if self.time is None:
            part = part.expand_dims("times")
        return start, self._cells(part, self.time or "times")

    def _steps(self, stored: xr.DataArray) -> int:
        """How many times are read at once: a chunk of the file, or a few, in bounded memory."""
        if self.time is None:
            return 1
        chunks = stored.encoding.get("chunksizes") or stored.encoding.get("chunks")
        along = dict(zip(stored.dims, chunks, strict=True)).get(self.time, 1) if chunks else 1
        most = CHUNK_BYTES if along > 1 else BLOCK_BYTES
        return int(max(1, min(max(along, STEPS), most // (self.positions.lat_deg.size * 8))))

    def _cells(self, part: xr.DataArray, time: str) -> Floats:
        """Values [T, Y, X] of the wanted cells; means of both edges where edges are stored."""
        where = self.positions
        row, rows, half_rows = _edges(part, where.row, where.rows)
        stretches = []
        for run in where.runs:
            column, columns, half_columns = _edges(part, where.column, run.columns)
            cells = part.isel({row: rows, column: columns}).transpose(time, row, column)
            values = np.asarray(cells.values)
            values = values.astype(self.precision, copy=False)
            values = (values[:, 1:] + values[:, :-1]) / 2 if half_rows else values
            values = (values[..., 1:] + values[..., :-1]) / 2 if half_columns else values
            stretches.append(values[..., ::-1] if run.backwards else values)
        joined = stretches[0] if len(stretches) == 1 else np.concatenate(stretches, axis=-1)
        joined = joined[:, ::-1] if where.turned else joined
        return _without_fillers(joined) if self.fillers else joined


def _without_fillers(values: Floats) -> Floats:
    beyond = np.abs(values) > FILLER
    return np.where(beyond, np.nan, values) if beyond.any() else values


def _edges(part: xr.DataArray, dimension: str, cells: slice) -> tuple[str, slice, bool]:
    """The dimension of cells or of their edges, the slice to read, and whether it is of edges."""
    if dimension in part.dims:
        return dimension, cells, False
    return dimension + STAGGERED, slice(cells.start, cells.stop + 1), True


def variable_of(
    place: Place,
    name: str,
    time: str | None,
    positions: Positions,
    level: Mapping[str, float],
) -> Variable:
    """A variable, with a position along each dimension but time, rows and columns.

    Args:
        place: The file.
        name: Of the variable there.
        time: The file's dimension of time.
        positions: Which cells are read.
        level: Value of each coordinate of levels that is chosen, by its name.

    Raises:
        AirshedError: It has a dimension along which no position is chosen.
    """
    dataset = opened(place)
    stored = dataset[name]
    plane = {
        each for axis in (positions.row, positions.column) for each in (axis, axis + STAGGERED)
    }
    rows = {positions.row, positions.row + STAGGERED} & set(stored.dims)
    columns = {positions.column, positions.column + STAGGERED} & set(stored.dims)
    if len(rows) != 1 or len(columns) != 1:
        raise AirshedError(
            "a variable of a series does not lie on the grid",
            where=f"{place}, variable {name}",
            expected=f"dimensions {positions.row} and {positions.column}",
            found=f"{stored.dims} of sizes {stored.shape}",
            hint="choose another variable in dataset.gridded.names",
        )
    levels = {}
    for dimension, size in stored.sizes.items():
        if dimension == time or dimension in plane:
            continue
        axis = str(dimension)
        levels[axis] = _level(dataset, axis, size, level, f"{place}, variable {name}")
    kind = np.dtype(stored.encoding.get("dtype", stored.dtype))
    short = kind.itemsize <= (4 if kind.kind == "f" else 2)  # packed in 16 bits, or single
    return Variable(
        place,
        name,
        time if time in stored.dims else None,
        positions,
        levels,
        described(name, stored.variable),
        np.float32 if short else np.float64,
        abs(float(stored.encoding.get("scale_factor", 0.0))),
        not {"_FillValue", "missing_value"} & stored.encoding.keys(),
    )


def _level(
    dataset: xr.Dataset, axis: str, size: int, level: Mapping[str, float], where: str
) -> int:
    """The position of the chosen level; those of a dimension without values count from 1."""
    known = axis in dataset.variables
    values: Any = dataset[axis].values.ravel() if known else np.arange(1, size + 1)
    if axis not in level:
        if size == 1:
            return 0
        raise AirshedError(
            "a variable of a series has several levels",
            where=where,
            expected="one of them to be chosen",
            found=f"{size} along {axis}: {_first_values(values)}",
            hint=f"set dataset.gridded.level, such as {{{axis}: {values[-1]}}}",
        )
    if values.dtype.kind not in "iuf":
        found = np.array([], dtype=int)
    else:
        found = np.flatnonzero(np.isclose(values.astype(float), level[axis], rtol=1e-6, atol=0))
    if len(found) != 1:
        raise AirshedError(
            "a level is missing",
            where=where,
            expected=f"{axis} {level[axis]:g} (dataset.gridded.level)",
            found=f"{axis}: {_first_values(values)}"
            + ("" if known else " (counted, as it has no values)"),
            hint="choose one that is there, or request it from where the data come from",
        )
    return int(found[0])


def _first_values(values: Any) -> str:
    return ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
