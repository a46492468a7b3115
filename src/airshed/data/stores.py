"""Opening what earlier steps wrote; units and standard names are checked every time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from airshed.arrays import Integers
from airshed.errors import AirshedError, refusing
from airshed.integrity import sealed
from airshed.integrity.formats import STORE, VERSION, Format
from airshed.variables import HOURLY, STATIC, VARIABLES, Variable

HOURLY_FIELDS = "hourly_fields"
"""Attribute of the hourly store with the names of its fields."""
HOURS_A_BLOCK = 240  # of the hourly store, in one dask task
STATIC_VARIABLES = (
    *STATIC,
    "domain_mask",
    "column_east",
    "column_north",
    "row_east",
    "row_north",
)


def attributes(known: Variable) -> dict[str, str]:
    """CF attributes of a variable."""
    return {
        "units": known.units,
        "standard_name": known.standard_name,
        "long_name": known.long_name,
    }


def describe(dataset: xr.Dataset, kind: Format = STORE) -> xr.Dataset:
    """The dataset with its version, and CF attributes on every variable of the dictionary."""
    for name in map(str, dataset.variables):
        if name in VARIABLES:
            dataset[name].attrs |= attributes(VARIABLES[name])
    dataset.attrs[VERSION] = kind.version
    return dataset


def check(
    dataset: xr.Dataset, names: Sequence[str], path: Path, kind: Format = STORE
) -> xr.Dataset:
    """The dataset, if it has these variables in canonical units and the known format.

    Raises:
        AirshedError: Something is missing or different.
    """
    hint = "delete it and run the workflow again"
    kind.check(dataset.attrs.get(VERSION), path)
    for name in names:
        if name not in dataset.variables:
            raise AirshedError(
                "a store lacks a variable",
                where=path,
                expected=name,
                found=", ".join(map(str, dataset.variables)),
                hint=hint,
            )
        _check_attributes(dataset[name], path, hint)
    return dataset


def _check_attributes(field: xr.DataArray, path: Path, hint: str) -> None:
    known = VARIABLES.get(str(field.name))
    for key in ("units", "standard_name") if known else ():
        expected = getattr(known, key)
        if field.attrs.get(key) != expected:
            raise AirshedError(
                f"a variable of a store has another {key.replace('_', ' ')}",
                where=f"{path}, variable {field.name}",
                expected=expected,
                found=field.attrs.get(key),
                hint=hint,
            )


def hourly_fields(dataset: xr.Dataset) -> tuple[str, ...]:
    """Names of the hourly fields of a store; those of a study by default for older stores."""
    return tuple(dataset.attrs.get(HOURLY_FIELDS, HOURLY))


def open_hourly(
    path: Path, hours_per_task: int | None = HOURS_A_BLOCK, needed: Sequence[str] = ()
) -> xr.Dataset:
    """The hourly store, read lazily: by dask in blocks of hours, or directly if None is given.

    Args:
        path: The store.
        hours_per_task: Hours in a block.
        needed: Names of fields that it must hold.

    Raises:
        AirshedError: It is no hourly store, lacks a field, is damaged, or not in canonical units.
    """
    chunks = {"time": hours_per_task} if hours_per_task else None
    what = "an hourly store cannot be opened"
    with (
        refusing(OSError, ValueError, KeyError, what=what, where=path, found=str),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=".*snakemake_timestamp")  # no part of it
        dataset = xr.open_zarr(path, chunks=chunks, consolidated=False)
    small = ("lat2d", "lon2d", "present")
    names = hourly_fields(dataset)
    check(dataset, (*names, *small, *needed), path)
    with reading_hours(path):
        dataset = dataset.assign({name: dataset[name].load() for name in small})
    _check_shards(path, names, dataset["present"].values)
    return dataset


def hours_of_day(hourly: xr.Dataset) -> Integers:
    """The hours of the day that the hourly store has: all 24, or every third one."""
    hours: Integers = np.unique(hourly["time"].dt.hour.values)
    return hours


@contextmanager
def reading_hours(path: object) -> Iterator[None]:
    """A block that reads the hourly store: missing or damaged parts become a problem of the store.

    Raises:
        AirshedError: A part of it is damaged.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise damaged_hours(path, path, error) from error


def damaged_hours(store: object, where: object, found: object) -> AirshedError:
    """The problem of a damaged hourly store, which is made anew as a whole."""
    hint = f"delete the whole store {store} and run the workflow again"
    return AirshedError("the hourly store is damaged", where=where, found=found, hint=hint)


def _check_shards(path: Path, names: Sequence[str], present: npt.NDArray[np.bool_]) -> None:
    """Check that shards with usable hours exist: Zarr reads a lost or empty one as no data."""
    group = zarr.open_group(path, mode="r")
    for name in names:
        array: Any = group[name]
        hours = (array.shards or array.chunks)[0]
        for number in np.unique(np.flatnonzero(present) // hours).tolist():
            shard = path / name / array.metadata.encode_chunk_key((number, 0, 0))
            if not shard.is_file():
                raise damaged_hours(path, shard, "no such file")
            if not shard.stat().st_size:
                raise damaged_hours(path, shard, "an empty file")


def open_netcdf(path: Path, names: Sequence[str], kind: Format = STORE) -> xr.Dataset:
    """A small file that :func:`write_netcdf` wrote, in memory, if it has these variables.

    Raises:
        AirshedError: It cannot be read, is damaged, or is another file.
    """
    return check(sealed.read_netcdf(path, kind), names, path, kind)


def open_static(path: Path) -> xr.Dataset:
    """Static fields: elevation, population, domain mask, directions of the grid's axes."""
    return open_netcdf(path, STATIC_VARIABLES)


def open_statistics(path: Path) -> xr.Dataset:
    """Mean, standard deviation and scale of the logarithm of each input, dimension ``variable``."""
    return open_netcdf(path, ("mean", "std", "log_scale", "units"))


def open_patch_elevation(path: Path) -> xr.Dataset:
    """Mean elevation of each patch, m."""
    return open_netcdf(path, ("elevation_m",))


def open_scan_tables(path: Path, tables: str) -> xr.Dataset:
    """Tables of the scans, among them those that are named."""
    return open_netcdf(path, (f"{tables}_local_order", f"{tables}_region_token"))


def check_targets(dataset: xr.Dataset, targets: Sequence[Variable], path: Path) -> None:
    """Check that data by ``pollutant`` are of these targets, in their order and units.

    Raises:
        AirshedError: It is of others.
    """
    stored = zip(dataset["pollutant"].values, dataset["units"].values, strict=True)
    found = [f"{name} in {units}" for name, units in stored]
    expected = [f"{target.name} in {target.units}" for target in targets]
    if found != expected:
        raise AirshedError(
            "a file has other pollutants or units than the study forecasts",
            where=path,
            expected=", ".join(expected),
            found=", ".join(found),
            hint="delete it and run the workflow again",
        )


def open_wind_roses(path: Path) -> xr.Dataset:
    """Frequencies of wind directions in parts of the domain."""
    return open_netcdf(path, ("frequency", "latitude", "longitude", "from_deg"))


def write_netcdf(dataset: xr.Dataset, path: Path, kind: Format = STORE) -> None:
    """Write a small dataset atomically, with the format's version and a checksum."""
    sealed.write_netcdf(describe(dataset, kind), path)
