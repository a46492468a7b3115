"""The grid of the raw fields, and the part of it that a study uses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from airshed.arrays import Floats
from airshed.config.data import DatasetConfig
from airshed.config.grids import Box
from airshed.data.problems import STOP, Problems
from airshed.data.rawhour import RawHour
from airshed.data.sphere import in_box
from airshed.errors import AirshedError
from airshed.variables import VARIABLES

GRID_TOLERANCE_DEG = 1e-4


@dataclass(frozen=True)
class NativeGrid:
    """Positions of the raw fields' cells, and the window of them that the study uses.

    Attributes:
        lat_deg: [Y, X], degrees north.
        lon_deg: [Y, X], degrees east.
        known: bool [V, Y, X], where the first hour has values.
        kept: The window: first row, row after the last, first column, column after the last [4].
    """

    lat_deg: Floats
    lon_deg: Floats
    known: npt.NDArray[np.bool_]
    kept: npt.NDArray[np.int64]

    def cut(self, fields: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The window of fields [..., Y, X]."""
        row, row_stop, column, column_stop = self.kept
        return fields[..., row:row_stop, column:column_stop]

    def check(self, hour: RawHour, where: str) -> None:
        """Compare the grid of an hour with this one.

        Raises:
            AirshedError: It is another.
        """
        lat_deg, lon_deg = self.lat_deg, self.lon_deg
        same = hour.lat_deg.shape == lat_deg.shape and all(
            np.allclose(found, expected, rtol=0, atol=GRID_TOLERANCE_DEG, equal_nan=True)
            for found, expected in ((hour.lat_deg, lat_deg), (hour.lon_deg, lon_deg))
        )
        if not same:
            raise AirshedError(
                "a raw file lies on another grid than the first one",
                where=where,
                expected=f"{lat_deg.shape}, corner at {lat_deg[0, 0]:.3f} N {lon_deg[0, 0]:.3f} E",
                found=f"{hour.lat_deg.shape}, corner at"
                f" {hour.lat_deg[0, 0]:.3f} N {hour.lon_deg[0, 0]:.3f} E",
                hint="a dataset has one grid; move files of another grid to a dataset of their own",
            )

    def digest(self) -> bytes:
        """A hash of all values."""
        parts = hashlib.sha256()
        for name, array in vars(self).items():
            parts.update(f"{name} {array.dtype} {array.shape}".encode())
            parts.update(array.tobytes())
        return parts.digest()

    def write(self, path: Path) -> None:
        """Write everything to an ``.npz`` file."""
        np.savez(path, **vars(self))

    @classmethod
    def read(cls, path: Path) -> NativeGrid:
        """Read what :meth:`write` wrote."""
        with np.load(path) as stored:
            return cls(**{name: stored[name] for name in stored.files})


def check_positions(lat_deg: Floats, lon_deg: Floats, where: str) -> None:
    """Every cell has a position on the earth, and not all have the same.

    Raises:
        AirshedError: One has none.
    """
    for name, values in (("lat2d", lat_deg), ("lon2d", lon_deg)):
        known = VARIABLES[name]
        wrong = ~((values >= known.low) & (values <= known.high))
        if wrong.any() or np.ptp(values) == 0:
            row, column = np.argwhere(wrong)[0] if wrong.any() else (0, 0)
            raise AirshedError(
                "a raw file lacks positions of cells",
                where=f"{where}, variable {name}, row {row}, column {column}",
                expected=f"{known.low:g} to {known.high:g} {known.units} in every cell, not the"
                " same in all",
                found=f"{values[row, column]:g}, {wrong.sum()} cells without a position",
                hint="are latitude and longitude exchanged, or in another unit?",
            )


def native_grid(
    first: RawHour, dataset: DatasetConfig | None, where: str, problems: Problems = STOP
) -> NativeGrid:
    """The native grid of the first hour, with the window of the dataset, if there is one.

    Raises:
        AirshedError: A position is missing; or the crop or box lies outside the grid, unless
            problems are noted: then the window is the whole grid.
    """
    check_positions(first.lat_deg, first.lon_deg, where)
    kept = _whole(first.lat_deg)
    if dataset is not None:
        with problems:
            kept = selected_window(dataset, first.lat_deg, first.lon_deg)
    return NativeGrid(first.lat_deg, first.lon_deg, np.isfinite(first.fields), kept)


def _whole(fields: Floats) -> npt.NDArray[np.int64]:
    return np.array([0, fields.shape[0], 0, fields.shape[1]])


def selected_window(
    dataset: DatasetConfig, lat_deg: Floats, lon_deg: Floats
) -> npt.NDArray[np.int64]:
    """The window that ``crop`` or ``box`` select: start and stop of rows, then of columns.

    Raises:
        AirshedError: They lie outside the grid.
    """
    if dataset.box is not None:
        return block_of(dataset.box, lat_deg, lon_deg)
    crop, (rows, columns) = dataset.crop, lat_deg.shape
    if crop is None:
        return _whole(lat_deg)
    if crop.rows[1] > rows or crop.columns[1] > columns:
        raise AirshedError(
            "the crop lies outside the archives' grid",
            where="dataset.crop",
            expected=f"at most {rows} rows and {columns} columns",
            found=f"rows to {crop.rows[1]}, columns to {crop.columns[1]}",
        )
    return np.array([*crop.rows, *crop.columns])


def block_of(box: Box, lat_deg: Floats, lon_deg: Floats) -> npt.NDArray[np.int64]:
    """The smallest block of cells that holds every cell centre in the box."""
    inside = in_box(lat_deg, lon_deg, box)
    if not inside.any():
        raise AirshedError(
            "the box holds no cell of the archives' grid",
            where="dataset.box",
            expected=f"{lat_deg.min():.1f} to {lat_deg.max():.1f} N,"
            f" {lon_deg.min():.1f} to {lon_deg.max():.1f} E",
            found=f"{box.south} to {box.north} N, {box.west} to {box.east} E",
        )
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1])
