"""Pooling of elevation over patches, for the attention bias."""

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
