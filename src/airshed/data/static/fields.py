"""Static fields on the study grid: elevation, population, domain mask, axes of the grid."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.regrid import axis_directions
from airshed.data.static.averaging import WHOLE, Gathered
from airshed.data.static.cells import Cells, cells_around
from airshed.data.static.quantities import elevation, population
from airshed.data.stores import open_hourly, write_netcdf
from airshed.errors import AirshedError
from airshed.variables import HOURLY

Floats = npt.NDArray[np.floating[Any]]
log = logging.getLogger(__name__)


def static_fields(dataset: DatasetConfig, raw: Path, hourly: Path, output: Path) -> None:
    """Write ``static.nc``.

    Args:
        dataset: Where elevation and population are, and the study grid.
        raw: Folder of the archives; the simulator's elevation and population lie in ``static/``.
        hourly: The hourly store, for positions and the domain.
        output: Where the file goes.

    Raises:
        AirshedError: A file is missing or unclear, does not cover the domain, or the domain is
            empty.
    """
    fields = open_hourly(hourly)
    lat_deg, lon_deg = fields["lat2d"].values, fields["lon2d"].values
    cells = cells_around(lat_deg, lon_deg, str(hourly))
    mask = domain_mask(fields, dataset.min_coverage)
    arrays = {"lat2d": lat_deg, "lon2d": lon_deg} | axis_directions(lat_deg, lon_deg)
    for name, bring in (("elevation", elevation), ("population", population)):
        configured = getattr(dataset, f"{name}_file")
        path = Path(configured) if configured is not None else raw / "static" / f"{name}.nc"
        found = bring(dataset, path, cells)
        _check_covered(found, mask, cells, path, name)
        arrays[name] = found.values
        missing = int((mask & np.isnan(found.values)).sum())
        log.info("%s: missing in %d of the domain's %d cells", path, missing, mask.sum())
    mask &= np.isfinite(arrays["elevation"]) & np.isfinite(arrays["population"])
    if not mask.any():
        raise AirshedError(
            "the domain is empty",
            where=hourly,
            expected=f"cells known in {dataset.min_coverage:.0%} of the hours, with elevation and"
            " population",
            hint="lower dataset.min_coverage, or look for what is missing in ingest.json",
        )
    plane = ("y", "x")
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


def _check_covered(
    found: Gathered, mask: npt.NDArray[np.bool_], cells: Cells, path: Path, name: str
) -> None:
    """The file's extent must hold every cell of the domain."""
    outside = mask & (found.covered < WHOLE)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise AirshedError(
            f"the file with {name} does not cover the domain",
            where=path,
            expected=f"{cells.lat_deg[mask].min():.2f} to {cells.lat_deg[mask].max():.2f} N,"
            f" {cells.lon_deg[mask].min():.2f} to {cells.lon_deg[mask].max():.2f} E",
            found=f"{outside.sum()} of {mask.sum()} cells not covered, the first at"
            f" {cells.lat_deg[row, column]:.2f} N {cells.lon_deg[row, column]:.2f} E",
            hint=f"set dataset.{name}_file to a file of a larger area",
        )
