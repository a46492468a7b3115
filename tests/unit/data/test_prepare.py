"""Static fields, pooling, statistics, regridding and units against plain numpy and hand numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import raw_files as made
import xarray as xr
from made_once import MadeOnce

from airshed.config.data import DatasetConfig, Split
from airshed.data.patch_grid import patch_elevation, scan_tables
from airshed.data.regrid import regrid, regrid_counts, regrid_directions
from airshed.data.sphere import axis_directions
from airshed.data.static import static_fields
from airshed.data.stores import (
    open_hourly,
    open_patch_elevation,
    open_scan_tables,
    open_static,
    open_statistics,
)
from airshed.data.units import linear_conversion
from airshed.errors import AirshedError
from airshed.integrity import sealed
from airshed.variables import HOURLY, INPUTS


@pytest.mark.parametrize(
    ("units", "canonical", "expected"),
    [
        ("ug m-3", "mg m-3", (1e-3, 0)),
        ("mg/m3", "ug m-3", (1e3, 0)),
        ("hPa", "Pa", (100, 0)),
        ("degC", "K", (1, 273.15)),
        ("km h-1", "m s-1", (1 / 3.6, 0)),
        ("1", "%", (100, 0)),
        ("%", "%", (1, 0)),
        ("degrees_north", "degrees_north", (1, 0)),
        ("m s**-1", "m s-1", (1, 0)),
    ],
)
def test_units(units: str, canonical: str, expected: tuple[float, float]) -> None:
    assert linear_conversion(units, canonical) == pytest.approx(expected)


@pytest.mark.parametrize("units", ["K", "spoons", "m-3 ug ug", "kg kg-1", "((", "-"])
def test_units_of_something_else_are_refused(units: str) -> None:
    with pytest.raises(ValueError):
        linear_conversion(units, "ug m-3")


@pytest.mark.parametrize("shape", [(4, 6), (3, 4), (2, 3), (3, 6)])
def test_regridding_keeps_the_domain_mean_and_constants(shape: tuple[int, int]) -> None:
    fields = np.random.default_rng(0).random((3, 4, 6))
    found = regrid(fields, shape)
    np.testing.assert_allclose(found.mean((1, 2)), fields.mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(regrid(np.full((4, 6), 7.0), shape), 7.0, rtol=1e-12)
    np.testing.assert_allclose(regrid_counts(fields[0], shape).sum(), fields[0].sum(), rtol=1e-12)


def test_regridding_weighs_by_shared_area() -> None:
    """Three columns to two: each new one holds a whole old one and half of the middle one."""
    field = np.array([[3.0, 6.0, 9.0]] * 2)
    np.testing.assert_allclose(regrid(field, (2, 2)), [[4.0, 8.0]] * 2)


def test_a_finer_grid_is_refused() -> None:
    with pytest.raises(AirshedError, match="finer"):
        regrid(np.ones((4, 6)), (4, 7))


def test_missing_cells_stay_missing() -> None:
    field = np.ones((4, 4))
    field[:2, :2] = np.nan
    field[3, 3] = np.nan
    found = regrid(field, (2, 2))
    assert np.isnan(found[0, 0])
    np.testing.assert_allclose(found.ravel()[1:], 1.0)  # one missing of four: the rest counts


def test_longitudes_are_averaged_across_the_date_line() -> None:
    lat, lon = np.zeros((4, 4)), np.array([[179.0, -179.0, 179.0, -179.0]] * 4)
    _, found = regrid_directions(lat, lon, (2, 2))
    np.testing.assert_allclose(np.abs(found), 180, atol=1e-6)


@pytest.mark.parametrize("step", [1, -1])
def test_axes_of_a_regular_grid_point_east_and_north_or_south(step: int) -> None:
    lat, lon = np.meshgrid(np.arange(30, 34.0)[::step], np.arange(100, 105.0), indexing="ij")
    axes = axis_directions(lat, lon)
    np.testing.assert_allclose(axes["column_east"], 1, atol=1e-3)
    np.testing.assert_allclose(axes["column_north"], 0, atol=2e-2)
    np.testing.assert_allclose(axes["row_north"], step, atol=1e-9)
    np.testing.assert_allclose(axes["row_east"], 0, atol=1e-9)


@pytest.fixture
def prepared(dataset: DatasetConfig, made_once: MadeOnce, tmp_path: Path) -> Path:
    """A folder with hourly.zarr and static.nc on a grid of half the native resolution."""
    grid = dataset.grid.model_copy(update={"rows": 2, "columns": 3})

    def make(folder: Path) -> None:
        raw, chosen = made.write_days(folder), made.with_files(dataset, folder, grid=grid)
        made.ingest_into(folder, chosen, raw)
        static_fields(chosen, raw, folder / "hourly.zarr", folder / "static.nc")

    return shutil.copytree(made_once("prepared_coarsely", make), tmp_path, dirs_exist_ok=True)


def pool(field: np.ndarray) -> np.ndarray:
    return field.reshape(2, 2, 3, 2).mean((1, 3))


def test_static_fields(prepared: Path, dataset: DatasetConfig) -> None:
    static = open_static(prepared / "static.nc")
    with xr.open_dataset(prepared / "elevation.nc") as elevation:
        np.testing.assert_allclose(static["elevation"], pool(elevation["elevation"].values))
    with xr.open_dataset(prepared / "population.nc") as population:
        total = population["population"].sum()
        np.testing.assert_allclose(static["population"].sum(), total)
    # one native cell of four is missing: the others stand for the study cell
    assert static["domain_mask"].values.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_domain_leaves_out_cells_that_are_missing_too_often(
    dataset: DatasetConfig, raw: Path, tmp_path: Path
) -> None:
    chosen = made.with_files(dataset, tmp_path)
    made.ingest_into(tmp_path, chosen, raw)
    static_fields(chosen, raw, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    mask = open_static(tmp_path / "static.nc")["domain_mask"].values
    assert mask.sum() == mask.size - 1
    assert mask[made.MISSING_CELL] == 0


def test_a_static_file_of_another_area_is_refused(prepared: Path, dataset: DatasetConfig) -> None:
    moved = made.positions() | {"lat2d": made.positions()["lat2d"] + 1}
    content = made.netcdf({"elevation": np.ones((made.ROWS, made.COLUMNS))} | moved)
    (prepared / "elevation.nc").write_bytes(content)
    with pytest.raises(AirshedError, match=r"(?s)does not cover.*elevation\.nc"):
        static_fields(
            made.with_files(dataset, prepared),
            prepared / "raw",
            prepared / "hourly.zarr",
            prepared / "again.nc",
        )
    (prepared / "elevation.nc").unlink()
    with pytest.raises(AirshedError, match=r"dataset\.elevation_file"):
        static_fields(
            made.with_files(dataset, prepared),
            prepared / "raw",
            prepared / "hourly.zarr",
            prepared / "again.nc",
        )
    assert not (prepared / "again.nc").exists()


def test_patch_elevation_is_the_mean_of_its_cells(
    dataset: DatasetConfig, raw: Path, tmp_path: Path
) -> None:
    chosen = made.with_files(dataset, tmp_path)
    made.ingest_into(tmp_path, chosen, raw)
    static_fields(chosen, raw, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    patch_elevation(tmp_path / "static.nc", 2, tmp_path / "patches.nc")
    found = open_patch_elevation(tmp_path / "patches.nc")["elevation_m"]
    assert found.attrs["units"] == "m"
    cells = open_static(tmp_path / "static.nc")["elevation"].values
    assert found[0, 0] == pytest.approx((cells[0, 0] + cells[0, 1] + cells[1, 0] + cells[1, 1]) / 4)
    assert found.shape == (2, 3)


def test_statistics_are_those_of_the_training_days_and_the_domain(prepared: Path) -> None:
    train = Split.model_validate({"start": "2016-03-01", "end": "2016-03-01"})
    hourly, static = prepared / "hourly.zarr", prepared / "static.nc"
    made.statistics_into(prepared / "statistics.nc", hourly, static, train)
    found = open_statistics(prepared / "statistics.nc")
    hourly, static = open_hourly(prepared / "hourly.zarr"), open_static(prepared / "static.nc")
    assert found["variable"].values.tolist() == list(INPUTS)
    for name in INPUTS:
        field = hourly[name][:24].values if name in HOURLY else static[name].values
        values = field.astype(np.float64)
        assert found["mean"].sel(variable=name) == pytest.approx(values.mean(), rel=1e-9)
        assert found["std"].sel(variable=name) == pytest.approx(values.std(), rel=1e-9)


def test_statistics_of_days_without_data_are_refused(prepared: Path) -> None:
    empty = Split.model_validate({"start": "2017-01-01", "end": "2017-01-02"})
    with pytest.raises(AirshedError, match="no usable hour"):
        made.statistics_into(
            prepared / "s.nc", prepared / "hourly.zarr", prepared / "static.nc", empty
        )


def test_scan_tables_round_trip(tmp_path: Path) -> None:
    scan_tables((4, 8), (2, 2), 16, 2, tmp_path / "tables.nc")
    for scan in ("wind", "wind_as_published"):
        tables = open_scan_tables(tmp_path / "tables.nc", scan)
        assert tables[f"{scan}_local_order"].shape == (16, 8)
        assert sorted(tables[f"{scan}_region_token"].values.ravel()) == list(range(32))
        assert tables.attrs["region_cells"].tolist() == [4, 8]


def test_stores_in_other_units_are_refused(prepared: Path) -> None:
    with xr.open_dataset(prepared / "static.nc") as stored:
        changed = stored.load()
    changed["elevation"].attrs["units"] = "km"
    sealed.write_netcdf(changed, prepared / "changed.nc")
    sealed.write_netcdf(changed.drop_vars("elevation"), prepared / "less.nc")
    with pytest.raises(AirshedError, match=r"(?s)units.*elevation.*km"):
        open_static(prepared / "changed.nc")
    with pytest.raises(AirshedError, match=r"(?s)lacks.*elevation"):
        open_static(prepared / "less.nc")
    with pytest.raises(AirshedError, match="nowhere"):
        open_hourly(prepared / "nowhere.zarr")
