"""Prepared data of the tiny study, with values missing here and there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from made_once import MadeOnce
from prepared_data import prepared_in

from airshed.data.prepared import CACHED_HOURS, Prepared


@pytest.fixture(scope="session")
def prepared(prepared: Prepared, made_once: MadeOnce) -> Prepared:
    """As ingested, but pm25 is not known in the western half of every seventh hour.

    Samples then count different numbers of cells, as they do in real data.
    """

    def make(folder: Path) -> None:
        fresh = shutil.ignore_patterns(CACHED_HOURS)  # normalised hours of the store as it was
        shutil.copytree(prepared.hourly.parent, folder, dirs_exist_ok=True, ignore=fresh)
        pm25 = zarr.open_group(prepared_in(folder).hourly, mode="r+")["pm25"]
        fields = pm25[:]
        fields[::7, :, : fields.shape[2] // 2] = np.nan
        pm25[:] = fields

    return prepared_in(made_once("prepared_with_gaps", make))
