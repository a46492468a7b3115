"""Tables of the wind scans, made once and shared by all trainings."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from airshed.data.stores import write_netcdf


def scan_tables(
    patch_grid: tuple[int, int],
    regions: tuple[int, int],
    sectors: int,
    patch_size: int,
    output: Path,
) -> None:
    """Write, for each scan, the order within a region by wind sector and the regions' patches.

    Args:
        patch_grid: Rows and columns of patches.
        regions: Rows and columns of regions.
        sectors: Wind directions told apart.
        patch_size: Cells per side of a patch.
        output: Where the NetCDF file goes.
    """
    from airshed.model.scan import SCANS  # torch: needed by this step alone

    content = {}
    for name, (_, make_tables) in SCANS.items():
        tables = make_tables(patch_grid, regions, sectors, patch_size)
        content[f"{name}_local_order"] = (("sector", "position"), tables.local_order.numpy())
        content[f"{name}_region_token"] = (("region", "position"), tables.region_token.numpy())
    rows, columns = tables.region_cells
    attrs = {"region_cells": [rows, columns]}
    write_netcdf(xr.Dataset(content, attrs=attrs).astype("int32"), output)
