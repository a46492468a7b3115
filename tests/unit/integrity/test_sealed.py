"""NetCDF files with a checksum: ordinary to others, and no changed bit goes unnoticed."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from airshed.errors import AirshedError
from airshed.integrity.formats import SCORES, STORE, VERSION
from airshed.integrity.sealed import read_netcdf, write_netcdf


@pytest.fixture
def dataset() -> xr.Dataset:
    return xr.Dataset(
        {"rmse": (("x", "y"), np.arange(600.0).reshape(20, 30)), "name": ("x", ["a", "b"] * 10)},
        attrs={VERSION: SCORES.version, "seed": 3},
    )


def test_a_sealed_file_is_an_ordinary_one_to_other_programs(
    dataset: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "scores.nc"
    write_netcdf(dataset, path)
    xr.testing.assert_identical(read_netcdf(path, SCORES), dataset)
    with xr.open_dataset(path, engine="netcdf4") as plain:
        xr.testing.assert_identical(plain.load(), dataset)


def test_no_changed_bit_goes_unnoticed(dataset: xr.Dataset, tmp_path: Path) -> None:
    path, chance = tmp_path / "scores.nc", random.Random(0)
    write_netcdf(dataset, path)
    content = path.read_bytes()
    places = [0, len(content) - 1, *chance.sample(range(len(content)), 200)]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(AirshedError, match=r"damaged|cannot be read"):
            read_netcdf(path, SCORES)


def test_no_cut_goes_unnoticed(dataset: xr.Dataset, tmp_path: Path) -> None:
    path, chance = tmp_path / "scores.nc", random.Random(0)
    write_netcdf(dataset, path)
    content = path.read_bytes()
    for size in [0, 1, len(content) - 1, *chance.sample(range(len(content)), 50)]:
        path.write_bytes(content[:size])
        with pytest.raises(AirshedError, match=r"damaged|cannot be read"):
            read_netcdf(path, SCORES)


def test_files_from_before_checksums_are_read_and_later_ones_without_are_not(
    dataset: xr.Dataset, tmp_path: Path
) -> None:
    older = dataset.assign_attrs({VERSION: 1})
    older.to_netcdf(tmp_path / "older.nc")
    xr.testing.assert_identical(read_netcdf(tmp_path / "older.nc", STORE), older)
    dataset.to_netcdf(tmp_path / "rewritten.nc")
    with pytest.raises(AirshedError, match="no checksum at its end"):
        read_netcdf(tmp_path / "rewritten.nc", SCORES)
