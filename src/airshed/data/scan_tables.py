"""Tables of the wind scan, made once and shared by all trainings."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from airshed.data.stores import write_netcdf


def scan_tables(
    patch_grid: tuple[int, int], regions: tuple[int, int], sectors: int, output: Path
) -> None:
    """Write the order of a region's patches for each wind sector, and the patches of each region.

    Args:
        patch_grid: Rows and columns of patches.
        regions: Rows and columns of regions.
        sectors: Wind directions told apart.
        output: Where the NetCDF file goes.
    """
    from airshed.model.scan import local_orders, region_tokens  # torch: needed by this step alone

    region_shape = (patch_grid[0] // regions[0], patch_grid[1] // regions[1])
    tables = {
        "local_order": (("sector", "position"), local_orders(region_shape, sectors).numpy()),
        "region_token": (("region", "position"), region_tokens(patch_grid, regions).numpy()),
    }
    write_netcdf(
        xr.Dataset(tables, attrs={"patch_grid": patch_grid, "regions": regions}).astype("int32"),
        output,
    )
