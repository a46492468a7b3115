"""What raw archives hold and what an ingest would refuse, before a day is spent on it.

Files are read and checked by the ingest's own readers, which hand problems over to be noted.

- ``listing``: which files there are, by their names;
- ``hours``: which hours there are, and which of them are looked at;
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
