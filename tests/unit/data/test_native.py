"""The part of the native grid that a study uses: by rows and columns, or by a box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raw_files as made

from airshed.config.data import DatasetConfig
from airshed.data.native import selected_window
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError


def changed(dataset: DatasetConfig, **values: Any) -> DatasetConfig:
    return DatasetConfig.model_validate(dataset.model_dump() | values)


@pytest.mark.parametrize(
    "part",
    [
        {"crop": {"rows": [1, 3], "columns": [2, 6]}},
        {"box": {"south": 30.5, "north": 32.5, "west": 101.5, "east": 105.5}},
        {"box": {"south": 31.0, "north": 32.0, "west": 102.0, "east": 105.0}},
    ],
)
def test_a_part_of_the_grid_is_what_is_stored(
    dataset: DatasetConfig, raw: Path, part: dict[str, Any]
) -> None:
    """Rows 1 and 2 (31 and 32 N), columns 2 to 5 (102 to 105 E), both ways."""
    chosen = changed(dataset, grid={"rows": 2, "columns": 4}, **part)
    store = open_hourly(made.ingest_into(raw.parent / "out", chosen, raw))
    expected = made.hour_fields(made.START)["o3"][1:3, 2:6]
    np.testing.assert_allclose(store["o3"][0], expected, rtol=1e-6)
    np.testing.assert_allclose(store["lat2d"][:, 0], [31, 32], atol=1e-9)
    np.testing.assert_allclose(store["lon2d"][0], [102, 103, 104, 105], atol=1e-9)


def test_a_part_can_be_regridded(dataset: DatasetConfig, raw: Path) -> None:
    chosen = changed(
        dataset, grid={"rows": 1, "columns": 2}, crop={"rows": [1, 3], "columns": [2, 6]}
    )
    store = open_hourly(made.ingest_into(raw.parent / "out", chosen, raw))
    part = made.hour_fields(made.START)["o3"][1:3, 2:6]
    expected = [part[:, :2].mean(), part[:, 2:].mean()]
    np.testing.assert_allclose(store["o3"].values[0, 0], expected, rtol=1e-6)


def test_a_box_across_the_date_line_and_rows_that_run_south(dataset: DatasetConfig) -> None:
    lat, lon = np.meshgrid([40.0, 30.0, 20.0], [170.0, 178.0, -174.0, -166.0], indexing="ij")
    chosen = changed(dataset, box={"south": 25, "north": 45, "west": 175, "east": 190})
    assert selected_window(chosen, lat, lon).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"crop": {"rows": [0, 5], "columns": [0, 6]}}, "dataset.crop"),
        ({"box": {"south": -10, "north": 0, "west": 100, "east": 110}}, "dataset.box"),
    ],
)
def test_parts_outside_the_grid_are_refused(
    dataset: DatasetConfig, part: dict[str, Any], said: str
) -> None:
    lat, lon = made.positions().values()
    with pytest.raises(AirshedError, match=said):
        selected_window(changed(dataset, **part), lat, lon)


def test_crop_and_box_exclude_each_other(dataset: DatasetConfig) -> None:
    with pytest.raises(ValueError, match="exclude"):
        changed(
            dataset,
            crop={"rows": [0, 2], "columns": [0, 2]},
            box={"south": 0, "north": 1, "west": 0, "east": 1},
        )
