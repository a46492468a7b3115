"""Two days of hand-made raw files."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_files import COLUMNS, ROWS, write_days

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
    """Archives of the two days; elevation and population lie beside their folder."""
    return write_days(tmp_path)
