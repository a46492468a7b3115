"""Fields of any hour on the study grid, checked and converted as an ingest does it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import xarray as xr

from airshed.arrays import Floats32
from airshed.config.data import DatasetConfig
from airshed.data.native import GRID_TOLERANCE_DEG, NativeGrid, check_positions, native_grid
from airshed.data.problems import STOP
from airshed.data.quality import check_hour
from airshed.data.rawhour import (
    Contents,
    RawHour,
    as_hour,
    choose_variables,
    convert_all,
    described,
    with_air,
)
from airshed.data.regrid import regrid, regrid_directions
from airshed.errors import AirshedError
from airshed.variables import POSITIONS

PLANE = ("y", "x")  # rows and columns, where that is what a dataset calls them


class Incoming:
    """Brings the fields of hours to the study grid.

    They lie on the study grid or on that of the dataset's raw files; the first hour decides which.

    Attributes:
        quantities: What the dataset knows; ``hourly`` are the wanted fields, in its order.
    """

    def __init__(self, dataset: DatasetConfig, static: xr.Dataset, wanted: Collection[str]) -> None:
        self._dataset = dataset
        known = dataset.quantities
        self.quantities = replace(known, hourly=known.in_order(wanted))
        self._positions = tuple(static[name].values for name in POSITIONS)
        self._grid: NativeGrid | None = None
        self._regridded = False

    def of_dataset(self, fields: xr.Dataset, where: str) -> Floats32:
        """The wanted fields [H, Y, X] of one hour that is in memory.

        Args:
            fields: Every wanted field and the positions of cells, with units.
            where: Which hour that is, for messages.

        Raises:
            AirshedError: As for :meth:`of_contents`; or a variable or its unit is missing or wrong.
        """
        names = choose_variables(
            map(str, fields.variables), self.quantities.read, where, self.quantities, kind="dataset"
        )
        plane = fields[names[POSITIONS[0]]].dims
        plane = PLANE if {*plane} == {*PLANE} else plane
        there = {name: described(stored, fields[stored], name) for name, stored in names.items()}
        wanted = with_air(self.quantities.read, there, self.quantities)
        read = {name: there[name] for name in wanted if name in there}
        for one in read.values():
            field = fields[one.stored_as]
            one.values = (field.transpose(*plane) if {*field.dims} == {*plane} else field).values
        converted = convert_all(read, read, self.quantities, where, STOP)
        return self.of_contents(Contents(fields=converted), where)

    def of_contents(self, contents: Contents, where: str) -> Floats32:
        """The wanted fields [H, Y, X] of an hour that was read, in canonical units; NaN if missing.

        Raises:
            AirshedError: They lie on another grid, are implausible, or a field has no value.
        """
        hour = as_hour(contents, self.quantities.hourly, where)
        if self._grid is None:
            self._grid = self._grid_of(hour, where)
        quality = self._dataset.quality
        found = check_hour(hour, self._grid, self.quantities, quality, where)
        if found.unusable is not None:
            raise AirshedError(
                "an hour cannot be forecast from",
                where=where,
                expected="fields that have values and vary from cell to cell",
                found=found.unusable,
                hint="choose another init time, or fetch the hour again",
            )
        fields = regrid(found.fields, self._shape) if self._regridded else found.fields
        return np.array(fields, dtype=np.float32)

    @property
    def _shape(self) -> tuple[int, int]:
        rows, columns = self._positions[0].shape
        return rows, columns

    def _grid_of(self, hour: RawHour, where: str) -> NativeGrid:
        """The grid of the hours: that of the study, or one that is brought to it."""
        check_positions(hour.lat_deg, hour.lon_deg, where)
        if self._is_of_study(hour.lat_deg, hour.lon_deg):
            rows, columns = self._shape
            known, window = np.isfinite(hour.fields), np.array([0, rows, 0, columns])
            return NativeGrid(hour.lat_deg, hour.lon_deg, known, window)
        grid = native_grid(hour, self._dataset, where)
        own = grid.cut(grid.lat_deg), grid.cut(grid.lon_deg)
        self._regridded = True
        if not self._is_of_study(*regrid_directions(*own, self._shape)):
            (lat_deg, lon_deg), (own_lat, own_lon) = self._positions, own
            raise AirshedError(
                "fields lie neither on the study grid nor on the one that it was made from",
                where=where,
                expected=f"{self._shape} cells, corner at {lat_deg[0, 0]:.3f} N"
                f" {lon_deg[0, 0]:.3f} E, or the grid of the study's raw files",
                found=f"{own_lat.shape}, corner at {own_lat[0, 0]:.3f} N {own_lon[0, 0]:.3f} E",
                hint="networks know the grid that they were trained on and no other",
            )
        return grid

    def _is_of_study(self, *positions: np.ndarray) -> bool:
        return all(
            found.shape == own.shape and np.allclose(found, own, rtol=0, atol=GRID_TOLERANCE_DEG)
            for found, own in zip(positions, self._positions, strict=True)
        )
