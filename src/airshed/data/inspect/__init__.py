"""What raw archives hold and what an ingest would refuse, before a day is spent on it.

- ``sources``: which files there are, by their names;
- ``hours``: which hours there are, and the files of some of them;
- ``rawfiles``, ``yearly``: what one hourly file, or a yearly Zarr store, holds;
- ``tally``, ``grid``, ``clock``: ranges of variables, kind of grid, hints at a time zone;
- ``findings``: problems, in the reader's own words;
- ``text``: the page that is printed.
"""

from airshed.data.inspect.inspection import Inspection, inspect_path
from airshed.data.inspect.text import as_text

__all__ = ["Inspection", "as_text", "inspect_path"]
