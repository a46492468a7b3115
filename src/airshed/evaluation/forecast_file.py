"""Forecasts as a file with CF attributes, Zarr or NetCDF: its form, and its one writer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
import zarr

from airshed.arrays import Floats
from airshed.evaluation.batch import Domain
from airshed.evaluation.scores import Subject
from airshed.integrity.atomic import publish, remove
from airshed.variables import VARIABLES, Variable

CHUNK_BYTES = 2**23  # of one variable; what is buffered until it is full, for each variable
DIMENSIONS = ("init_time", "horizon", "y", "x")
MEMBER = "member"
CONVENTIONS = "CF-1.11"
NETCDF = ".nc"  # the suffix that makes a file NetCDF; every other one is a Zarr store


class ForecastFile:
    """A file of forecasts that is written some init times at a time.

    It has the dimensions (init_time, horizon, y, x), with ``member`` after ``init_time`` where
    there are several forecasts. It appears under its name when it is complete.

    Args:
        path: Where it goes: NetCDF if the name ends in ``.nc``, else a Zarr store.
        frame: Everything but the fields, see :func:`coordinates`.
        fields: Attributes of each field, by its name.

    Attributes:
        partial: Where it lies until it is complete.
        shape: Of a field.
        inits_a_chunk: Init times that are written at once.
    """

    def __init__(
        self, path: Path, frame: xr.Dataset, fields: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.path, self._frame, self._fields = path, frame, fields
        self.partial = path.with_name(f".{path.name}.partial")
        self._dims = dimensions(frame)
        self.shape = tuple(frame.sizes[name] for name in self._dims)
        fitting = max(1, CHUNK_BYTES // (4 * int(np.prod(self.shape[1:]))))
        self.inits_a_chunk = min(fitting, self.shape[0])

    def create(self) -> None:
        """Begin the file, with everything but the fields' values."""
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        remove(self.partial)
        chunks = self.inits_a_chunk, *self.shape[1:]
        if self._is_netcdf:
            self._create_netcdf(chunks)
        else:
            self._create_zarr(chunks)

    def write(self, start: int, fields: Floats) -> None:
        """Write all fields [T, I, ..., Y, X] of the I init times from position ``start`` on."""
        with self._opened() as arrays:
            for name, values in zip(self._fields, fields, strict=True):
                arrays[name][start : start + len(values)] = values

    def publish(self) -> None:
        """Give the complete file its name."""
        if not self._is_netcdf:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Consolidated metadata")  # xarray's wish
                zarr.consolidate_metadata(self.partial)
        publish(self.partial, self.path)

    @property
    def _is_netcdf(self) -> bool:
        return self.path.suffix == NETCDF

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file, to be changed."""
        if self._is_netcdf:
            with netCDF4.Dataset(self.partial, "a") as file:
                yield file.variables
        else:
            yield zarr.open_group(self.partial, mode="r+")

    def _create_zarr(self, chunks: tuple[int, ...]) -> None:
        self._frame.to_zarr(self.partial, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(self.partial, mode="r+")
        for name, attributes in self._fields.items():
            array = group.create_array(
                name,
                shape=self.shape,
                chunks=chunks,
                dtype="float32",
                fill_value=np.nan,
                dimension_names=self._dims,
            )
            array.attrs.update(attributes)

    def _create_netcdf(self, chunks: tuple[int, ...]) -> None:
        self._frame.to_netcdf(self.partial, engine="netcdf4")
        with netCDF4.Dataset(self.partial, "a") as file:
            for name, attributes in self._fields.items():
                field = file.createVariable(
                    name,
                    "f4",
                    self._dims,
                    compression="zlib",
                    complevel=1,
                    chunksizes=chunks,
                    fill_value=np.nan,
                )
                field.setncatts(attributes)


def dimensions(frame: xr.Dataset) -> tuple[str, ...]:
    """The dimensions of a field."""
    init_time, *others = DIMENSIONS
    return (init_time, MEMBER, *others) if MEMBER in frame.dims else DIMENSIONS


def coordinates(
    init_times: pd.DatetimeIndex,
    horizons_h: Sequence[int],
    domain: Domain,
    subject: Subject,
    seeds: Sequence[int] | None = None,
) -> xr.Dataset:
    """Everything but the fields, with CF attributes.

    Args:
        init_times: UTC.
        horizons_h: Lead times, h.
        domain: The grid.
        subject: Whose forecasts these are.
        seeds: Those of the trainings, where each is a member.
    """
    horizons: npt.NDArray[np.int64] = np.asarray(horizons_h, dtype=np.int64)
    valid = init_times.to_numpy()[:, None] + horizons.astype("timedelta64[h]")
    plane = ("y", "x")
    frame = xr.Dataset(
        coords={
            "init_time": ("init_time", init_times, {"standard_name": "forecast_reference_time"}),
            "horizon": (
                "horizon",
                horizons,
                {"standard_name": "forecast_period", "units": "hours"},
            ),
            "valid_time": (("init_time", "horizon"), valid, {"standard_name": "time"}),
            "y": ("y", np.arange(domain.mask.shape[0]), {"long_name": "row"}),
            "x": ("x", np.arange(domain.mask.shape[1]), {"long_name": "column"}),
            "lat2d": (plane, domain.lat2d, _attributes(VARIABLES["lat2d"])),
            "lon2d": (plane, domain.lon2d, _attributes(VARIABLES["lon2d"])),
            "domain_mask": (
                plane,
                domain.mask.astype(np.int8),
                {"long_name": "1 inside the domain", "units": "1"},
            ),
        },
        attrs={
            "Conventions": CONVENTIONS,
            "title": f"forecasts of {subject.name} ({subject.data_source} data)",
            **vars(subject),
        },
    )
    if seeds is not None:
        attributes = {"standard_name": "realization", "long_name": "seed of the training"}
        frame = frame.assign_coords({MEMBER: (MEMBER, np.asarray(seeds, np.int64), attributes)})
    for name in ("init_time", "valid_time"):
        frame[name].encoding = {"units": "hours since 1970-01-01", "dtype": "int64"}
    return frame


def field_attributes(known: Variable, what: str = "forecast") -> dict[str, str]:
    """CF attributes of the forecast or the observed field of a target."""
    return _attributes(known) | {
        "long_name": f"{known.long_name}, {what}",
        "coordinates": "valid_time lat2d lon2d domain_mask",
    }


def _attributes(known: Variable) -> dict[str, str]:
    return {"standard_name": known.standard_name, "units": known.units}
