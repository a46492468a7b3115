"""Opening what earlier steps wrote; units and standard names are checked every time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from airshed.atomic import atomic_path
from airshed.errors import AirshedError
from airshed.variables import HOURLY, STATIC, VARIABLES

FORMAT_VERSION = 1
HOURS_A_BLOCK = 240  # of the hourly store, in one dask task
STATIC_VARIABLES = (
    *STATIC,
    "domain_mask",
    "column_east",
    "column_north",
    "row_east",
    "row_north",
)


def describe(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with CF attributes on every variable that has a canonical name."""
    for name in map(str, dataset.variables):
        if name in VARIABLES:
            known = VARIABLES[name]
            dataset[name].attrs |= {
                "units": known.units,
                "standard_name": known.standard_name,
                "long_name": known.long_name,
            }
    dataset.attrs["format_version"] = FORMAT_VERSION
    return dataset


def check(dataset: xr.Dataset, names: Sequence[str], path: Path) -> xr.Dataset:
    """The dataset, if it has these variables in canonical units and the known format.

    Raises:
        AirshedError: Something is missing or different.
    """
    hint = "delete it and run the workflow again"
    version = dataset.attrs.get("format_version")
    if version != FORMAT_VERSION:
        raise AirshedError(
            "a store has another format",
            where=path,
            expected=f"format_version {FORMAT_VERSION}",
            found=version,
            hint=hint,
        )
    for name in names:
        if name not in dataset.variables:
            raise AirshedError(
                "a store lacks a variable",
                where=path,
                expected=name,
                found=", ".join(map(str, dataset.variables)),
                hint=hint,
            )
        if name in VARIABLES:
            _check_attributes(dataset[name], path, hint)
    return dataset


def _check_attributes(field: xr.DataArray, path: Path, hint: str) -> None:
    known = VARIABLES[str(field.name)]
    for key, expected in (("units", known.units), ("standard_name", known.standard_name)):
        if field.attrs.get(key) != expected:
            raise AirshedError(
                f"a variable of a store has another {key.replace('_', ' ')}",
                where=f"{path}, variable {field.name}",
                expected=expected,
                found=field.attrs.get(key),
                hint=hint,
            )


def open_hourly(path: Path, hours_per_task: int | None = HOURS_A_BLOCK) -> xr.Dataset:
    """The hourly store, read lazily: by dask in blocks of hours, or directly if None is given.

    Raises:
        AirshedError: It is no hourly store, or not in canonical units.
    """
    try:
        chunks = {"time": hours_per_task} if hours_per_task else None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*snakemake_timestamp")  # no part of it
            dataset = xr.open_zarr(path, chunks=chunks, consolidated=False)
    except (OSError, ValueError, KeyError) as error:
        raise AirshedError("an hourly store cannot be opened", where=path, found=error) from error
    return check(dataset, (*HOURLY, "lat2d", "lon2d", "present"), path)


def _open_netcdf(path: Path, names: Sequence[str]) -> xr.Dataset:
    try:
        with xr.open_dataset(path) as stored:
            dataset = stored.load()
    except (OSError, ValueError) as error:
        raise AirshedError("a file cannot be opened", where=path, found=error) from error
    return check(dataset, names, path)


def open_static(path: Path) -> xr.Dataset:
    """Static fields: elevation, population, domain mask, directions of the grid's axes."""
    return _open_netcdf(path, STATIC_VARIABLES)


def open_statistics(path: Path) -> xr.Dataset:
    """Mean, standard deviation and scale of the logarithm of each input, dimension ``variable``."""
    return _open_netcdf(path, ("mean", "std", "log_scale", "percentiles", "units"))


def open_patch_elevation(path: Path) -> xr.Dataset:
    """Mean elevation of each patch, m."""
    return _open_netcdf(path, ("elevation_m",))


def open_scan_tables(path: Path, scan: str) -> xr.Dataset:
    """Tables of the wind scans, among them those of the one that is named."""
    return _open_netcdf(path, (f"{scan}_local_order", f"{scan}_region_token"))


def open_wind_roses(path: Path) -> xr.Dataset:
    """How often the wind comes from where in parts of the domain."""
    return _open_netcdf(path, ("frequency", "latitude", "longitude", "from_deg"))


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write a small dataset atomically, marked with the format's version."""
    with atomic_path(path) as temporary:
        describe(dataset).to_netcdf(temporary, engine="netcdf4")
