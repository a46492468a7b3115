"""Two days of hand-made raw files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from raw_files import COLUMNS, ROWS, START, day_members, netcdf, positions, write_archive

from airshed.config.data import DatasetConfig


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
    """Archives of the two days, and elevation and population."""
    folder = tmp_path / "raw"
    for number in range(2):
        day = START + timedelta(days=number)
        name = f"CN-Reanalysis{day:%Y%m%d}.tar.gz"
        write_archive(folder / f"{day:%Y%m}" / name, day_members(day))
    rng = np.random.default_rng(0)
    static = {"elevation": 4000, "population": 1e5}
    for name, scale in static.items():
        path = tmp_path / f"{name}.nc"
        path.write_bytes(netcdf({name: scale * rng.random((ROWS, COLUMNS))} | positions()))
    return folder
