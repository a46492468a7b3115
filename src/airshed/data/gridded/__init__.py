"""Gridded series: CF NetCDF or Zarr of any grid with a time coordinate, and forms close to it.

- ``listing``: which files a path stands for;
- ``opening``: one of them, opened without decoding its times;
- ``times``: when its fields are;
- ``positions``: where its cells are, and the part that is read;
- ``blocks``: fields of one variable, several times at once;
- ``humidity``: formulas, with their source;
- ``recipes``: how the quantities of a study come from the variables that are there;
- ``series``: days and hours, as ``airshed ingest`` and ``airshed inspect`` walk them.
"""
