"""Elevation and population from the files people have, on the study grid.

- ``files``: opens NetCDF, GeoTIFF and yearly stores, whatever their rows, longitudes and names;
- ``raster``, ``curvilinear``: which share of each source cell lies in each cell of the study grid;
- ``averaging``: area-weighted means and conserved sums from these shares;
- ``fields``: the file ``static.nc``.
"""

from airshed.data.static.fields import static_fields

__all__ = ["static_fields"]
