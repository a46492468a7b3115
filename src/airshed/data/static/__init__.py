"""Elevation and population from the files people have, on the study grid.

- ``wanted``: what is asked of a file; ``files``: opens it by ``netcdf``, ``geotiff`` or as a store;
- ``raster``, ``curvilinear``: what the file's cells hold within each cell of the study grid;
- ``sums``: area-weighted means and conserved totals of that;
- ``quantities``: units, kinds and plausible values of elevation and population;
- ``fields``: the file ``static.nc``.
"""

from airshed.data.static.fields import static_fields

__all__ = ["static_fields"]
