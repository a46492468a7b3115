"""Inspection of raw archives: their content, and what an ingest would refuse, before it is run.

Files are read and checked by the ingest's own readers; their problems are noted.

- ``listing``: the files, by their names;
- ``hours``: the hours that there are, and the sample of them that is read;
- ``tally``: names, units and ranges of variables, the grid, hints at a time zone;
- ``gridded``: the same of a gridded series;
- ``study``: what the steps of a study would refuse: files for elevation and population, splits;
- ``geography``: kind of grid, and the clock by which the sun warms it;
- ``text``: the page that is printed.
"""

from airshed.data.inspect.inspection import Inspection, inspect_path
from airshed.data.inspect.study import check_splits
from airshed.data.inspect.text import as_text

__all__ = ["Inspection", "as_text", "check_splits", "inspect_path"]
