"""Data of the patch grid: pooled elevation and tables of wind scans, made once for all variants."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from airshed.data.stores import open_static, write_netcdf


def patch_elevation(static: Path, patch: int, output: Path) -> None:
    """Write the mean elevation (m) of the ``patch`` x ``patch`` cells of each patch.

    Args:
        static: ``static.nc``.
        patch: Cells per side; it divides rows and columns.
        output: Where the NetCDF file goes: ``elevation_m`` (patch_row, patch_column).
    """
    elevation = open_static(static)["elevation"]
    pooled = elevation.coarsen(y=patch, x=patch, boundary="exact").mean()
    pooled = pooled.rename(y="patch_row", x="patch_column").rename("elevation_m")
    pooled.attrs |= {"units": "m", "long_name": "mean elevation of the patch's cells"}
    write_netcdf(xr.Dataset({"elevation_m": pooled}, attrs={"patch": patch}), output)


def scan_tables(
    patch_grid: tuple[int, int],
    regions: tuple[int, int],
    sectors: int,
    patch_size: int,
    output: Path,
) -> None:
    """Write, for each of TABLES, the order within a region by wind sector and the regions' patches.

    Args:
        patch_grid: Rows and columns of patches.
        regions: Rows and columns of regions.
        sectors: Number of wind sectors.
        patch_size: Cells per side of a patch.
        output: Where the NetCDF file goes.
    """
    from airshed.model.scan import TABLES  # torch: needed by this step alone

    content = {}
    for name, make_tables in TABLES.items():
        tables = make_tables(patch_grid, regions, sectors, patch_size)
        content[f"{name}_local_order"] = (("sector", "position"), tables.local_order.numpy())
        content[f"{name}_region_token"] = (("region", "position"), tables.region_token.numpy())
    rows, columns = tables.region_cells
    attrs = {"region_cells": [rows, columns]}
    write_netcdf(xr.Dataset(content, attrs=attrs).astype("int32"), output)
