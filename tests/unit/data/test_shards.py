"""Hours read straight from shards against what xarray reads of it, and damage that is noticed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from airshed.config.data import DatasetConfig
from airshed.data import hourly
from airshed.data.shards import HourReader
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError
from airshed.variables import HOURLY, VARIABLES

DAYS = 3


def store(path: Path, dataset: DatasetConfig, shape: tuple[int, int], precision: str) -> np.ndarray:
    """A store of random fields whose second day was never written; the fields."""
    grid = {"rows": shape[0], "columns": shape[1]}
    period = {"start": "2016-03-01", "end": "2016-03-03"}
    changes = {"grid": grid, "period": period, "precision": precision}
    chosen = DatasetConfig.model_validate(dataset.model_dump() | changes)
    hourly.create(path, chosen, np.zeros(shape), np.zeros(shape))
    rng = np.random.default_rng(0)
    low, high = (np.array([getattr(VARIABLES[n], key) for n in HOURLY]) for key in ("low", "high"))
    share = 0.2 + 0.3 * rng.random((DAYS, 24, len(HOURLY), *shape))
    fields = low[:, None, None] + (high - low)[:, None, None] * share
    fields[:, :, :, 0, 0] = np.nan
    fields[1] = np.nan
    for day in (0, 2):
        hourly.write_day(path, day, fields[day], HOURLY)
    return fields.reshape(-1, len(HOURLY), *shape)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(4, 6), (128, 160), (200, 200)])
def test_hours_are_those_that_zarr_reads(
    dataset: DatasetConfig, tmp_path: Path, shape: tuple[int, int], precision: str
) -> None:
    store(tmp_path / "h.zarr", dataset, shape, precision)
    reader: HourReader = pickle.loads(  # noqa: S301 (as it travels to other processes)
        pickle.dumps(HourReader(tmp_path / "h.zarr", HOURLY))
    )
    hours = [0, 13, 24, 47, 71]
    with xr.open_zarr(tmp_path / "h.zarr", chunks=None, consolidated=False) as plain:
        for hour in hours:
            found = reader.read(hour)
            for index, name in enumerate(HOURLY):
                np.testing.assert_allclose(found[index], plain[name].values[hour], rtol=1e-6)


def test_half_precision_keeps_to_its_bound(dataset: DatasetConfig, tmp_path: Path) -> None:
    """|error| <= 2**-11 |value - offset|, and never more than float32 rounding beyond that."""
    fields = store(tmp_path / "h.zarr", dataset, (16, 16), "float16")
    with xr.open_zarr(tmp_path / "h.zarr", consolidated=False) as plain:
        for index, name in enumerate(HOURLY):
            exact, known = fields[:24, index], VARIABLES[name]
            error = np.abs(plain[name].values[:24] - exact)
            bound = 2.0**-11 * np.abs(exact - known.add_offset) + 2e-7 * np.abs(exact)
            assert (error[np.isfinite(exact)] <= bound[np.isfinite(exact)]).all(), name
            assert plain[name].dtype.kind == "f"
            assert plain[name].dtype.itemsize >= 4
            assert plain[name].attrs["units"] == known.units


def test_single_precision_is_exact(dataset: DatasetConfig, tmp_path: Path) -> None:
    fields = store(tmp_path / "h.zarr", dataset, (8, 8), "float32")
    with xr.open_zarr(tmp_path / "h.zarr", consolidated=False) as plain:
        for index, name in enumerate(HOURLY):
            np.testing.assert_array_equal(plain[name], fields[:, index].astype(np.float32))
            assert plain[name].attrs["standard_name"] == VARIABLES[name].standard_name


def read_day(path: Path) -> None:
    reader = HourReader(path, ["no2"])
    for hour in range(24):
        reader.read(hour)


def test_every_flipped_bit_is_noticed(dataset: DatasetConfig, tmp_path: Path) -> None:
    store(tmp_path / "h.zarr", dataset, (8, 8), "float32")
    shard = tmp_path / "h.zarr/no2/c/0/0/0"
    whole = shard.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 40)):
        broken = bytearray(whole)
        broken[position] ^= 1
        shard.write_bytes(bytes(broken))
        with pytest.raises(AirshedError, match=r"(?s)damaged.*no2/c/0/0/0"):
            read_day(tmp_path / "h.zarr")


@pytest.mark.parametrize("keep", [0, 3, 100])
def test_a_truncated_shard_is_noticed(dataset: DatasetConfig, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "h.zarr"
    store(path, dataset, (8, 8), "float32")
    hourly.write_present(path, np.arange(24 * DAYS) == 0)
    shard = path / "no2/c/0/0/0"
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(AirshedError, match=r"(?s)no2.*delete the whole store .*/h\.zarr and"):  # noqa: PT012 (who notices it)
        open_hourly(path)
        HourReader(path, ["no2"]).read(0)


def test_another_packing_is_refused(dataset: DatasetConfig, tmp_path: Path) -> None:
    store(tmp_path / "h.zarr", dataset, (8, 8), "float16")
    group = zarr.open_group(tmp_path / "h.zarr", mode="r+")
    group["no2"].attrs["scale_factor"] = 3.0
    with pytest.raises(AirshedError, match=r"(?s)damaged.*no2.*packed"):
        HourReader(tmp_path / "h.zarr", ["no2"])


@pytest.mark.parametrize("layout", [{"shards": None}, {"compressors": None}])
def test_another_layout_is_refused(tmp_path: Path, layout: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"shards": (24, 4, 4), "compressors": hourly.COMPRESSION}
    group = zarr.open_group(tmp_path / "h.zarr", mode="w")
    array = {"shape": (24, 4, 4), "chunks": (1, 4, 4), "dtype": "f4"}
    group.create_array("no2", **array, **(settings | layout))
    with pytest.raises(AirshedError, match="has another layout"):
        HourReader(tmp_path / "h.zarr", ["no2"])
