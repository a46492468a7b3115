"""Prepared data of the tiny study, with values missing here and there."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from prepared_data import prepare
from tiny_runs import tiny_study

from airshed.data.prepared import Prepared


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """As ingested, but pm25 is not known in the western half of every seventh hour.

    Samples then count different numbers of cells, as they do in real data.
    """
    paths = prepare(tiny_study(), tmp_path_factory.mktemp("data"))
    pm25 = zarr.open_group(paths.hourly, mode="r+")["pm25"]
    fields = pm25[:]
    fields[::7, :, : fields.shape[2] // 2] = np.nan
    pm25[:] = fields
    return paths
