"""Static fields on the study grid: elevation, population, domain mask, axes of the grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.rawfile import read_fields
from airshed.data.regrid import axis_directions, regrid, regrid_counts, regrid_directions
from airshed.data.stores import open_hourly, write_netcdf
from airshed.errors import AirshedError
from airshed.variables import HOURLY

Floats = npt.NDArray[np.floating[Any]]
EXTENT_TOLERANCE_DEG = 0.1


def static_fields(dataset: DatasetConfig, raw: Path, hourly: Path, output: Path) -> None:
    """Write ``static.nc``.

    Args:
        dataset: Where elevation and population are, and the study grid.
        raw: Folder of the archives; the simulator's elevation and population lie in ``static/``.
        hourly: The hourly store, for positions and the domain.
        output: Where the file goes.

    Raises:
        AirshedError: A file is missing, has another extent or unit, or the domain is empty.
    """
    fields = open_hourly(hourly)
    lat_deg, lon_deg = fields["lat2d"].values, fields["lon2d"].values
    elevation = regrid(
        _read(dataset.elevation_file, raw, "elevation", lat_deg, lon_deg), lat_deg.shape
    )
    people = _read(dataset.population_file, raw, "population", lat_deg, lon_deg)
    population = regrid_counts(people, lat_deg.shape)
    known = np.isfinite(elevation) & np.isfinite(population)
    mask = domain_mask(fields, dataset.min_coverage) & known
    if not mask.any():
        raise AirshedError(
            "the domain is empty",
            where=hourly,
            expected=f"cells known in {dataset.min_coverage:.0%} of the hours, with elevation and"
            " population",
            hint="lower dataset.min_coverage, or look for what is missing in ingest.json",
        )
    plane = ("y", "x")
    arrays = {"lat2d": lat_deg, "lon2d": lon_deg, "elevation": elevation, "population": population}
    arrays |= axis_directions(lat_deg, lon_deg)
    static = xr.Dataset({name: (plane, values) for name, values in arrays.items()})
    static["domain_mask"] = (plane, mask.astype(np.int8))
    static.attrs["source"] = dataset.data_source
    write_netcdf(static, output)


def domain_mask(hourly: xr.Dataset, min_coverage: float) -> npt.NDArray[np.bool_]:
    """Cells [Y, X] known in at least ``min_coverage`` of the usable hours, in every variable."""
    usable = hourly[list(HOURLY)].isel(time=np.flatnonzero(hourly["present"].values))
    counts = dask.compute(*(usable[name].notnull().sum("time") for name in HOURLY))
    fewest = np.min([count.values for count in counts], axis=0)
    mask: npt.NDArray[np.bool_] = (fewest > 0) & (fewest >= min_coverage * usable.sizes["time"])
    return mask


def _read(configured: str | None, raw: Path, name: str, lat_deg: Floats, lon_deg: Floats) -> Floats:
    """One field on the archives' grid."""
    path = Path(configured) if configured is not None else raw / "static" / f"{name}.nc"
    if not path.is_file():
        raise AirshedError(
            f"the file with {name} is missing",
            where=path,
            hint=f"set dataset.{name}_file to a NetCDF file on the archives' grid",
        )
    names = (name, "lat2d", "lon2d")
    found = read_fields(path.read_bytes(), str(path), names, {})
    _check_extent(found["lat2d"], found["lon2d"], lat_deg, lon_deg, path)
    return found[name]


def _check_extent(
    lat_deg: Floats, lon_deg: Floats, study_lat_deg: Floats, study_lon_deg: Floats, path: Path
) -> None:
    """The file's grid, brought to the study's, must lie where the study's cells lie."""
    lat, lon = regrid_directions(lat_deg, lon_deg, study_lat_deg.shape)
    turn = (lon - study_lon_deg + 180) % 360 - 180
    apart = np.nanmax(np.hypot(lat - study_lat_deg, turn))
    if apart > EXTENT_TOLERANCE_DEG:
        raise AirshedError(
            "a static field covers another area than the archives",
            where=path,
            expected=f"{study_lat_deg.min():.2f} to {study_lat_deg.max():.2f} N,"
            f" {study_lon_deg.min():.2f} to {study_lon_deg.max():.2f} E, rows in the same order",
            found=f"{lat.min():.2f} to {lat.max():.2f} N, {lon.min():.2f} to {lon.max():.2f} E"
            f" (cells up to {apart:.1f} degrees apart)",
            hint="bring the field to the archives' grid first",
        )
