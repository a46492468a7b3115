"""Two days of hand-made raw files."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from made_once import MadeOnce
from raw_files import COLUMNS, ROWS, ingest_into, write_days

from airshed.config.data import DatasetConfig
from airshed.data.stores import open_hourly


@pytest.fixture
def dataset() -> DatasetConfig:
    """Two days on the native grid."""
    return DatasetConfig.model_validate(
        {
            "name": "made",
            "source": "caqra",
            "path": "unused",
            "elevation_file": "unused",
            "population_file": "unused",
            "period": {"start": "2016-03-01", "end": "2016-03-02"},
            "grid": {"rows": ROWS, "columns": COLUMNS},
        }
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Archives of the two days; elevation and population lie beside their folder."""
    return write_days(tmp_path)


@pytest.fixture
def ingested(dataset: DatasetConfig, made_once: MadeOnce) -> xr.Dataset:
    """The store of the two days, from an ingest that nothing has disturbed."""
    folder = made_once("ingested", lambda folder: ingest_into(folder, dataset, write_days(folder)))
    return open_hourly(folder / "hourly.zarr").load()
