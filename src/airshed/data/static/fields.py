"""Static fields on the study grid: elevation, population, domain mask, axes of the grid."""

from __future__ import annotations

import logging
from pathlib import Path

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data.sphere import axis_directions
from airshed.data.static.cells import Cells, cells_around
from airshed.data.static.mask import oriented, read_mask
from airshed.data.static.quantities import elevation, population
from airshed.data.static.sums import WHOLE, Gathered
from airshed.data.stores import hourly_fields, open_hourly, reading_hours, write_netcdf
from airshed.data.yearly import find_stores
from airshed.errors import AirshedError

log = logging.getLogger(__name__)


def static_fields(dataset: DatasetConfig, raw: Path, hourly: Path, output: Path) -> None:
    """Write ``static.nc``.

    Args:
        dataset: Where elevation and population are, and the study grid.
        raw: Folder of the archives or yearly stores. The simulator's elevation and population lie
            in its ``static/``; yearly stores hold their own.
        hourly: The hourly store, for positions and the domain.
        output: Where the file goes.

    Raises:
        AirshedError: A file is missing or unclear, does not cover the domain, or the domain is
            empty.
    """
    fields = open_hourly(hourly)
    lat_deg, lon_deg = fields["lat2d"].values, fields["lon2d"].values
    cells = cells_around(lat_deg, lon_deg, str(hourly))
    paths = {name: _path(dataset, raw, name) for name in ("elevation", "population")}
    found = {
        "elevation": elevation(dataset, paths["elevation"], cells),
        "population": population(dataset, paths["population"], cells),
    }
    arrays = {"lat2d": lat_deg, "lon2d": lon_deg} | axis_directions(lat_deg, lon_deg)
    arrays |= {name: field.values for name, field in found.items()}
    mask_file = None if dataset.mask_file is None else Path(dataset.mask_file)
    given = None if mask_file is None else read_mask(mask_file, lat_deg.shape)
    known = domain_mask(fields, dataset.min_coverage)  # reads all hours, so after all files
    usable = known & np.isfinite(arrays["elevation"]) & np.isfinite(arrays["population"])
    domain = known
    if mask_file is not None and given is not None:
        likely = usable, arrays["elevation"] > 0
        domain = known & oriented(given, lat_deg, likely, dataset.mask_rows, mask_file)
    for name, field in found.items():
        check_covered(field, domain, cells, paths[name], name)
        missing = int((domain & np.isnan(field.values)).sum())
        log.info("%s: missing in %d of the domain's %d cells", paths[name], missing, domain.sum())
    mask = usable & domain
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
    names = list(hourly_fields(hourly))
    usable = hourly[names].isel(time=np.flatnonzero(hourly["present"].values))
    with reading_hours(hourly.encoding.get("source")):
        counts = dask.compute(*(usable[name].notnull().sum("time") for name in names))
    fewest = np.min([count.values for count in counts], axis=0)
    mask: npt.NDArray[np.bool_] = (fewest > 0) & (fewest >= min_coverage * usable.sizes["time"])
    return mask


def _path(dataset: DatasetConfig, raw: Path, name: str) -> Path:
    """The configured file; else that of the simulator, or the first yearly store."""
    configured = getattr(dataset, f"{name}_file")
    if configured is not None:
        return Path(configured)
    if dataset.source == "yearly_zarr":
        stores = find_stores(raw)
        return stores[min(stores)]
    return raw / "static" / f"{name}.nc"


def check_covered(
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
