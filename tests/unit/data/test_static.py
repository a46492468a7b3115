"""Elevation and population on the study grid: against closed forms, shapely and brute force."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pyproj
import pytest
import raw_files as made
import shapely
from static_files import write_geotiff, write_netcdf

from airshed.config.data import DatasetConfig
from airshed.data.static import fields, raster, static_fields
from airshed.data.static.cells import Cells, cells_around
from airshed.data.static.files import open_field
from airshed.data.static.mask import oriented
from airshed.data.static.quantities import elevation, population
from airshed.data.static.sums import mean
from airshed.data.static.wanted import Wanted
from airshed.data.stores import open_static
from airshed.errors import AirshedError
from airshed.simulate.projection import cell_positions

STEP = 0.25
LAT = np.arange(24.125, 46, STEP)  # centres, northwards
LON = np.arange(90.125, 120, STEP)
WEST, NORTH = 90.0, 46.0
CELL_M = 150e3
SHARES = 1e-7  # exactextract holds coverage fractions in single precision
GRID = "+proj=lcc +lat_1=25 +lat_2=47 +lat_0=35 +lon_0=105 +R=6371000 +units=m"


@pytest.fixture
def cells() -> Cells:
    """A Lambert grid like CAQRA's, of coarser cells, rows northwards."""
    return cells_around(*cell_positions(6, 8, CELL_M), "study")


@pytest.fixture
def settings(dataset: DatasetConfig) -> DatasetConfig:
    return DatasetConfig.model_validate(dataset.model_dump() | {"units": {"elevation": "m"}})


def terrain() -> np.ndarray:
    """[rows northwards, columns], m: relief on every scale, in whole metres."""
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    rough = np.random.default_rng(1).normal(0, 300, lat.shape)
    return np.round(2000 + 1500 * np.sin(lat / 3) * np.cos(lon / 5) + rough)


def regular(lat: tuple[float, float, int], lon: tuple[float, float, int]) -> Cells:
    """Cells of a longitude-latitude grid, with exact corners: (first centre, step, count)."""
    centres = [start + step * np.arange(count) for start, step, count in (lat, lon)]
    edges = [start + step * (np.arange(count + 1) - 0.5) for start, step, count in (lat, lon)]
    return Cells(
        *np.meshgrid(*centres, indexing="ij"),
        *np.meshgrid(*edges, indexing="ij"),
    )


FORMS: dict[str, Callable[[Path], Path]] = {
    "rows southwards": lambda p: write_netcdf(p, terrain()[::-1], LAT[::-1], LON),
    "longitudes from 180 W": lambda p: write_netcdf(p, terrain(), LAT, LON - 360, name="topo"),
    "columns first": lambda p: write_netcdf(p, terrain().T, LAT, LON, dimensions=("lon", "lat")),
    "columns westwards": lambda p: write_netcdf(p, terrain()[:, ::-1], LAT, LON[::-1]),
    "one layer": lambda p: write_netcdf(
        p, terrain()[None], LAT, LON, dimensions=("n", "lat", "lon")
    ),
    "int16, only variable": lambda p: write_netcdf(p, terrain(), LAT, LON, name="it", dtype="i2"),
    "kilometres": lambda p: write_netcdf(p, terrain() / 1000, LAT, LON, units="km"),
    "packed": lambda p: write_netcdf(
        p, terrain(), LAT, LON, name="Band1", dtype="i4", scale_factor=0.5, add_offset=100.0
    ),
    "geotiff": lambda p: write_geotiff(p, terrain()[::-1], WEST, NORTH, STEP),
    "geotiff, int16, south up": lambda p: write_geotiff(
        p, terrain()[::-1], WEST, NORTH, STEP, dtype="int16", south_up=True
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_a_file_give_the_same(
    settings: DatasetConfig, cells: Cells, tmp_path: Path, form: str
) -> None:
    plain = write_netcdf(tmp_path / "plain.nc", terrain(), LAT, LON, name="elevation")
    expected = elevation(settings, plain, cells)
    chosen = settings.model_copy(update={"units": {}}) if form == "kilometres" else settings
    found = elevation(chosen, FORMS[form](tmp_path / "other"), cells)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-9)
    np.testing.assert_allclose(found.covered, 1, rtol=SHARES)


def brute_force(values: np.ndarray, fine: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sum in each Lambert cell over fine x fine points of each source cell."""
    offsets = ((np.arange(fine) + 0.5) / fine - 0.5) * STEP
    lat, lon = np.meshgrid(
        (LAT[:, None] + offsets).ravel(), (LON[:, None] + offsets).ravel(), indexing="ij"
    )
    x, y = pyproj.Proj(GRID)(lon, lat)
    row, column = np.floor(y / CELL_M + 3).astype(int), np.floor(x / CELL_M + 4).astype(int)
    inside = (row >= 0) & (row < 6) & (column >= 0) & (column < 8)
    number = (row * 8 + column)[inside]
    each = np.repeat(np.repeat(values, fine, 0), fine, 1)[inside]
    weight = np.cos(np.radians(lat))[inside]
    means = np.bincount(number, weight * each, 48) / np.bincount(number, weight, 48)
    return means.reshape(6, 8), np.bincount(number, each / fine**2, 48).reshape(6, 8)


def test_means_and_sums_equal_brute_force(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    means, sums = brute_force(terrain(), 16)
    path = write_netcdf(tmp_path / "a.nc", terrain(), LAT, LON, name="z")
    np.testing.assert_allclose(elevation(settings, path, cells).values, means, atol=3)
    path = write_netcdf(tmp_path / "b.nc", terrain() + 1000, LAT, LON, name="pop", units="persons")
    _, sums = brute_force(terrain() + 1000, 16)
    np.testing.assert_allclose(population(settings, path, cells).values, sums, rtol=3e-3)


def test_two_dimensional_coordinates_equal_one_dimensional_ones(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    flat = write_netcdf(tmp_path / "flat.nc", terrain(), LAT, LON)
    curved = write_netcdf(tmp_path / "curved.nc", terrain()[::-1], lat[::-1], lon[::-1])
    expected = elevation(settings, flat, cells).values
    found = elevation(settings, curved, cells)
    # edges of cells are straight in degrees in one case, in an equal-area plane in the other
    np.testing.assert_allclose(found.values, expected, atol=2)
    np.testing.assert_allclose(found.covered, 1, rtol=SHARES)


def test_rows_of_uneven_height_are_taken_as_they_are(
    settings: DatasetConfig, tmp_path: Path
) -> None:
    """Rows at 30, 31, 33, 35 N: the cell from 31.5 to 34.5 N holds half a row and a whole one."""
    lat, lon = np.array([29.0, 30, 31, 33, 35, 36]), np.arange(100.0, 106)
    values = np.repeat([[0.0], [0], [100], [200], [300], [0]], 6, axis=1)
    path = write_netcdf(tmp_path / "a.nc", values, lat, lon)
    found = elevation(settings, path, regular((33.0, 2.0, 2), (102.0, 1.0, 2)))
    np.testing.assert_allclose(found.values[0], 200, atol=0.5)


@pytest.mark.parametrize("south", [-60.0, 0.0, 55.0])
def test_cells_are_weighted_by_their_area_on_the_earth(
    settings: DatasetConfig, tmp_path: Path, south: float
) -> None:
    """The mean of sin(lat) between two parallels of a sphere is the mean of their sines."""
    lat = south + np.arange(0.005, 20, 0.01)
    lon = np.arange(10.05, 12, 0.1)
    values = 5000 * np.repeat(np.sin(np.radians(lat))[:, None], len(lon), axis=1)
    path = write_netcdf(tmp_path / "a.nc", values, lat, lon)
    chosen = settings.model_copy(update={"elevation_floor_m": -10_000.0})
    found = elevation(chosen, path, regular((south + 2.5, 5.0, 4), (10.5, 1.0, 2)))
    edges = np.sin(np.radians(south + 5.0 * np.arange(5)))
    expected = 5000 * (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(
        found.values, np.repeat(expected[:, None], 2, 1), rtol=2e-5, atol=0.1
    )


def test_people_are_conserved_with_missing_cells_too(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    people = np.random.default_rng(2).gamma(0.3, 1e4, (len(LAT), len(LON)))
    people[np.random.default_rng(3).random(people.shape) < 0.3] = np.nan
    path = write_netcdf(tmp_path / "a.nc", people, LAT, LON, name="pop", units="persons")
    found = population(settings, path, cells).values
    lat, lon = cells.corner_lat_deg, cells.corner_lon_deg
    ring = [
        *zip(lon[0], lat[0], strict=True),
        *zip(lon[1:, -1], lat[1:, -1], strict=True),
        *zip(lon[-1, -2::-1], lat[-1, -2::-1], strict=True),
        *zip(lon[-2::-1, 0], lat[-2::-1, 0], strict=True),
    ]
    west, south = np.meshgrid(LON - STEP / 2, LAT - STEP / 2)
    pixels = shapely.box(west, south, west + STEP, south + STEP)
    inside = shapely.area(shapely.intersection(pixels, shapely.Polygon(ring))) / STEP**2
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(), np.nansum(people * inside), rtol=SHARES)


@pytest.mark.parametrize(
    "units", ["persons km-2", "people per square kilometre", "1/km2", "/sq km"]
)
def test_a_density_gives_people_by_area(
    settings: DatasetConfig, cells: Cells, tmp_path: Path, units: str
) -> None:
    path = write_netcdf(
        tmp_path / "a.nc", np.full((len(LAT), len(LON)), 100.0), LAT, LON, name="p", units=units
    )
    found = population(settings, path, cells).values
    geod = pyproj.Geod(ellps="WGS84")
    lon, lat = cells.corner_lon_deg, cells.corner_lat_deg
    for row, column in ((0, 0), (5, 7), (3, 4)):
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        area, _ = geod.polygon_area_perimeter(
            [lon[corner] for corner in corners], [lat[corner] for corner in corners]
        )
        assert found[row, column] == pytest.approx(100 * abs(area) / 1e6, rel=3e-3)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:8857", GRID])
def test_projected_rasters(settings: DatasetConfig, cells: Cells, tmp_path: Path, crs: str) -> None:
    """A field that is linear in latitude has nearly the centre's value as its mean."""
    to_plane = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_plane.transform(cells.corner_lon_deg, cells.corner_lat_deg)
    step = 10e3
    west, north = x.min() - step, y.max() + step
    shape = [int(np.ptp(edge) / step) + 4 for edge in (y, x)]
    centres = [
        north - step * (np.arange(shape[0]) + 0.5),
        west + step * (np.arange(shape[1]) + 0.5),
    ]
    plane_y, plane_x = np.meshgrid(*centres, indexing="ij")
    _, lat = to_plane.transform(plane_x, plane_y, direction="INVERSE")
    path = write_geotiff(tmp_path / "a.tif", 100 * lat, west, north, step, crs=crs)
    found = elevation(settings, path, cells)
    np.testing.assert_allclose(found.covered, 1, rtol=SHARES)
    np.testing.assert_allclose(found.values, 100 * cells.lat_deg, atol=4)
    dense = write_geotiff(tmp_path / "b.tif", np.full(shape, 50.0), west, north, step, crs=crs)
    chosen = settings.model_copy(update={"population_kind": "density"})
    people = population(chosen, dense, cells).values
    flat = write_netcdf(
        tmp_path / "c.nc", np.full((len(LAT), len(LON)), 50.0), LAT, LON, name="p", units="km-2"
    )
    np.testing.assert_allclose(people, population(settings, flat, cells).values, rtol=4e-3)


@pytest.mark.parametrize("first", [-180.0, 0.0])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("middle", [0.0, 180.0, -180.0, 105.0])
def test_a_field_around_the_earth_has_no_seam(
    settings: DatasetConfig, tmp_path: Path, first: float, repeated: bool, middle: float
) -> None:
    """The mean of cos(lon) over an arc is a difference of sines; grid-registered files repeat 0."""
    lon = first + np.arange(361 if repeated else 360) + (0.0 if repeated else 0.5)
    lat = np.arange(-89.5, 90)
    values = 1000 * np.cos(np.radians(lon))[None] + np.zeros((180, 1))
    path = write_netcdf(tmp_path / "a.nc", values, lat, lon)
    study = regular((20.5, 1.0, 3), (middle - 15, 10.0, 4))
    chosen = settings.model_copy(update={"elevation_floor_m": -10_000.0})
    found = elevation(chosen, path, study)
    edges = np.sin(np.radians(middle - 20 + 10.0 * np.arange(5)))
    expected = 1000 * np.diff(edges) / np.radians(10)
    np.testing.assert_allclose(found.values, np.repeat(expected[None], 3, 0), atol=0.5)


def test_a_study_grid_around_the_earth(settings: DatasetConfig, tmp_path: Path) -> None:
    lat, lon = np.arange(-89.5, 90), np.arange(0.5, 360)
    people = np.random.default_rng(0).random((180, 360))
    path = write_netcdf(tmp_path / "a.nc", people, lat, lon, name="pop", units="persons")
    study = regular((-79.0, 2.0, 80), (-179.0, 2.0, 180))
    found = population(settings, path, study).values
    expected = np.roll(people[10:170], 180, axis=1).reshape(80, 2, 180, 2).sum((1, 3))
    np.testing.assert_allclose(found, expected, rtol=SHARES)


def test_a_constant_stays_constant_and_missing_stays_missing(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    values = np.full((len(LAT), len(LON)), 1234.5)
    values[:40, 20:50] = np.nan
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    for name, axes in (("flat.nc", (LAT, LON)), ("curved.nc", (lat, lon))):
        found = elevation(settings, write_netcdf(tmp_path / name, values, *axes), cells).values
        assert 0 < np.isnan(found).sum() < found.size
        np.testing.assert_allclose(found[np.isfinite(found)], 1234.5, rtol=1e-12)
        counted = write_netcdf(tmp_path / f"p{name}", values, *axes, name="pop", units="persons")
        people = population(settings, counted, cells).values
        assert np.isnan(people[np.isnan(found)]).sum() > 0
        assert not np.isnan(people[np.isfinite(found)]).any()


def test_memory_is_bounded_by_windows(
    settings: DatasetConfig, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_netcdf(tmp_path / "a.nc", terrain(), LAT, LON)
    whole = elevation(settings, path, cells).values
    monkeypatch.setattr(raster, "CELLS_AT_ONCE", 200)
    field = open_field(Wanted("elevation", path))
    assert isinstance(field, raster.Raster)
    read = []

    def noted(rows: slice, columns: slice) -> np.ndarray:
        read.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return field.read(rows, columns)

    found = mean(dataclasses.replace(field, read=noted).sums(cells, lambda values: values))
    assert len(read) > 10
    assert max(read) <= 200
    np.testing.assert_allclose(found.values, whole, rtol=SHARES)


def test_sea_depths_are_refused_until_a_floor_is_given(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    values = terrain()
    values[:, 60:] = -4000
    path = write_netcdf(tmp_path / "a.nc", values, LAT, LON)
    with pytest.raises(AirshedError, match=r"(?s)impossible.*elevation_floor_m"):
        elevation(settings, path, cells)
    chosen = settings.model_copy(update={"elevation_floor_m": 0.0})
    raised = write_netcdf(tmp_path / "b.nc", np.maximum(values, 0), LAT, LON)
    found, expected = elevation(chosen, path, cells), elevation(settings, raised, cells)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
    assert found.values.min() == 0


def field(**changes: Any) -> Callable[[Path], Path]:
    arguments = {"values": terrain(), "lat": LAT, "lon": LON} | changes
    return lambda path: write_netcdf(path, **arguments)


def two_variables(path: Path) -> Path:
    write_netcdf(path, terrain(), LAT, LON, name="first")
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("second", "f8", ("lat", "lon"))[:] = terrain()
    return path


def no_coordinates(path: Path) -> Path:
    write_netcdf(path, terrain(), LAT, LON)
    with netCDF4.Dataset(path, "a") as file:
        for name, other in (("lat", "y"), ("lon", "x")):
            file.variables[name].delncattr("units")
            file.renameVariable(name, other)
    return path


def text(path: Path) -> Path:
    path.write_text("no raster")
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(write_netcdf(path, terrain(), LAT, LON).read_bytes()[:2000])
    return path


def twisted(path: Path) -> Path:
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    lat[10, 10] += 3
    return write_netcdf(path, terrain(), lat, lon)


def tiff(**changes: Any) -> Callable[[Path], Path]:
    return lambda path: write_geotiff(path, terrain()[::-1], WEST, NORTH, STEP, **changes)


REFUSED: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "missing": (lambda path: path, {}, r"missing(?s:.)*elevation_file"),
    "text": (text, {}, "cannot be read"),
    "truncated": (truncated, {}, "cannot be read"),
    "unit unknown": (field(units=None), {"units": {}}, r"dataset\.units\.elevation"),
    "unit contradicts": (field(units="feet"), {}, "contradicts"),
    "two variables": (two_variables, {}, r"first, second(?s:.)*elevation_variable"),
    "other variable": (field(), {"elevation_variable": "height"}, r"height(?s:.)*found: +z"),
    "no coordinates": (no_coordinates, {}, "static_crs"),
    "no reference system": (tiff(crs=None), {}, r"dataset\.static_crs: EPSG:4326"),
    "unknown reference system": (tiff(crs=None), {"static_crs": "EPSG:1"}, "unknown"),
    "other reference system": (tiff(), {"static_crs": "EPSG:3857"}, "contradicts"),
    "several bands": (tiff(bands=3), {}, "elevation_band"),
    "undeclared missing value": (field(values=np.full((88, 120), -9999.0)), {}, "not declared"),
    "twisted coordinates": (twisted, {}, "twisted"),
    "too high above a floor": (
        field(values=np.full((88, 120), 90_000.0)),
        {"elevation_floor_m": 0.0},
        "impossible",
    ),
    "mountains too high": (field(values=np.full((88, 120), 90_000.0)), {}, "impossible"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unclear_elevation_is_refused(
    settings: DatasetConfig, cells: Cells, tmp_path: Path, case: str
) -> None:
    make, changes, expected = REFUSED[case]
    path = make(tmp_path / "file")
    with pytest.raises(AirshedError, match=expected) as caught:
        elevation(settings.model_copy(update=changes), path, cells)
    assert case == "unknown reference system" or str(path) in str(caught.value)


def test_degrees_without_a_reference_system_are_read_when_the_configuration_says_so(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    chosen = settings.model_copy(update={"static_crs": "EPSG:4326"})
    expected = elevation(settings, field()(tmp_path / "plain"), cells).values
    for make in (tiff(crs=None), no_coordinates):
        found = elevation(chosen, make(tmp_path / "file"), cells).values
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_counts_and_densities_are_told_apart(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    people = np.full((len(LAT), len(LON)), 100.0)
    counts = write_netcdf(tmp_path / "a.nc", people, LAT, LON, name="p", units="Persons")
    silent = write_netcdf(tmp_path / "b.nc", people, LAT, LON, name="p", units=None)
    with pytest.raises(AirshedError, match=r"(?s)counts or a density.*population_kind"):
        population(settings, silent, cells)
    with pytest.raises(AirshedError, match="contradicts"):
        population(settings.model_copy(update={"population_kind": "density"}), counts, cells)
    stated = settings.model_copy(update={"population_kind": "count"})
    np.testing.assert_allclose(
        population(stated, silent, cells).values, population(settings, counts, cells).values
    )
    negative = write_netcdf(tmp_path / "c.nc", -people, LAT, LON, name="p", units="Persons")
    with pytest.raises(AirshedError, match="impossible"):
        population(settings, negative, cells)


def test_a_band_of_several_is_chosen_by_number(
    settings: DatasetConfig, cells: Cells, tmp_path: Path
) -> None:
    people = terrain() + 1000
    layers = np.stack([people, 2 * people, 3 * people])
    stacked = write_netcdf(
        tmp_path / "a.nc", layers, LAT, LON, name="p", dimensions=("year", "lat", "lon"), units="1"
    )
    bands = write_geotiff(tmp_path / "b.tif", people[::-1], WEST, NORTH, STEP, bands=3)
    chosen = settings.model_copy(update={"population_kind": "count", "population_band": 2})
    single = write_netcdf(tmp_path / "c.nc", people, LAT, LON, name="p", units="persons per cell")
    expected = 2 * population(settings, single, cells).values
    for path in (stacked, bands):
        np.testing.assert_allclose(population(chosen, path, cells).values, expected, rtol=1e-9)
        with pytest.raises(AirshedError, match="population_band"):
            population(chosen.model_copy(update={"population_band": 4}), path, cells)


def test_cells_without_people_leave_the_domain(
    dataset: DatasetConfig, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole step, with a raster for elevation and one for people, missing in one cell."""
    values = np.full((60, 80), 700.0)
    people = np.full((60, 80), 2.0)
    rows, columns = slice(34, 46), slice(29, 41)  # 30.4 to 31.6 N, 102.4 to 103.6 E
    people[rows, columns] = np.nan
    north, west = 35.0, 99.5
    files = {
        "elevation_file": str(write_geotiff(tmp_path / "e.tif", values, west, north, 0.1)),
        "population_file": str(write_geotiff(tmp_path / "p.tif", people, west, north, 0.1)),
        "population_kind": "count",
        "units": {"elevation": "m"},
    }
    chosen = DatasetConfig.model_validate(dataset.model_dump() | files)
    made.ingest_into(tmp_path, chosen, raw)
    static_fields(chosen, raw, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    static = open_static(tmp_path / "static.nc")
    np.testing.assert_allclose(static["elevation"], 700, rtol=1e-12)
    gone = np.isnan(static["population"].values)
    mask = static["domain_mask"].values
    assert np.argwhere(mask == 0).tolist() == [[0, 0], [1, 3]]
    assert np.argwhere(gone).tolist() == [[1, 3]]
    np.testing.assert_allclose(static["population"].values[2, 1], 200, rtol=1e-3)
    small = write_geotiff(tmp_path / "small.tif", values[:, :40], west, north, 0.1)
    short = chosen.model_copy(update={"elevation_file": str(small)})
    with pytest.raises(AirshedError, match=r"(?s)does not cover.*small\.tif.*8 of 23"):
        static_fields(short, raw, tmp_path / "hourly.zarr", tmp_path / "again.nc")
    monkeypatch.setattr(fields, "domain_mask", lambda *_: pytest.fail("all hours were read first"))
    for file in ("elevation_file", "population_file", "mask_file"):
        wrong = chosen.model_copy(update={file: str(tmp_path / f"no_{file}.nc")})
        with pytest.raises(AirshedError, match=rf"no_{file}\.nc"):
            static_fields(wrong, raw, tmp_path / "hourly.zarr", tmp_path / "again.nc")
    assert not (tmp_path / "again.nc").exists()


def test_yearly_stores_bring_their_own_fields_and_a_mask_is_kept(
    dataset: DatasetConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "stores"
    made.write_yearly(folder / "data_2016_china_masked.zarr")
    own = {"source": "yearly_zarr", "path": str(folder), "elevation_file": None}
    own |= {"population_file": None, "mask_file": str(tmp_path / "mask.npy")}
    own["mask_rows"] = "south_first"
    own["grid"] = {"rows": 2, "columns": 3}
    chosen = DatasetConfig.model_validate(dataset.model_dump() | own)
    mask = np.array([[1, 0, 1], [1, 1, 0]])
    np.save(tmp_path / "mask.npy", mask)
    made.ingest_into(tmp_path, chosen, folder)
    static_fields(chosen, folder, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    static = open_static(tmp_path / "static.nc")
    np.testing.assert_allclose(static["elevation"], 100, rtol=1e-12)
    np.testing.assert_allclose(static["population"], 40_000, rtol=1e-12)
    assert static["domain_mask"].values.tolist() == mask.tolist()
    turned = chosen.model_copy(update={"mask_rows": "north_first"})
    static_fields(turned, folder, tmp_path / "hourly.zarr", tmp_path / "static.nc")
    static = open_static(tmp_path / "static.nc")
    assert static["domain_mask"].values.tolist() == mask[::-1].tolist()
    unsaid = chosen.model_copy(update={"mask_rows": None})  # every cell has data and is land
    with pytest.raises(AirshedError, match=r"rows of the mask(.|\n)*dataset\.mask_rows"):
        static_fields(unsaid, folder, tmp_path / "hourly.zarr", tmp_path / "again.nc")
    for wrong in (mask.T, 2 * mask):
        np.save(tmp_path / "mask.npy", wrong)
        with pytest.raises(AirshedError, match=r"(?s)does not fit.*2 x 3"):
            static_fields(chosen, folder, tmp_path / "hourly.zarr", tmp_path / "again.nc")
    (tmp_path / "mask.npy").write_text("0 1")
    with pytest.raises(AirshedError, match="cannot be read"):
        static_fields(chosen, folder, tmp_path / "hourly.zarr", tmp_path / "again.nc")


def test_bare_arrays_lie_on_the_grid_as_the_study_says(
    dataset: DatasetConfig, tmp_path: Path
) -> None:
    """Rows of the grid run from south to north; people per km2 times areas are people."""
    lat, lon = np.meshgrid(30.0 + np.arange(4), 100.0 + np.arange(6), indexing="ij")
    cells = cells_around(lat, lon, "study")
    values, path = np.arange(24.0).reshape(4, 6), tmp_path / "field.npy"
    np.save(path, values)
    own = {"grid": {"rows": 4, "columns": 6}, "units": {"elevation": "m"}}
    own |= {"static_rows": "south_first", "population_kind": "density"}
    said = DatasetConfig.model_validate(dataset.model_dump() | own)
    np.testing.assert_allclose(elevation(said, path, cells).values, values, atol=1e-9)
    turned = said.model_copy(update={"static_rows": "north_first"})
    np.testing.assert_allclose(elevation(turned, path, cells).values, values[::-1], atol=1e-9)
    people = population(said, path, cells).values
    strip_km2 = 6371.0**2 * np.radians(1) ** 2 * np.cos(np.radians(lat))
    np.testing.assert_allclose(people, values * strip_km2, rtol=0.01)
    counted = said.model_copy(update={"population_kind": "count"})
    np.testing.assert_allclose(population(counted, path, cells).values, values, atol=1e-9)
    for change, message in (
        ({"static_rows": None}, r"rows of the array with elevation(.|\n)*static_rows"),
        ({"units": {}}, r"unit of a variable is unknown(.|\n)*dataset\.units"),
    ):
        with pytest.raises(AirshedError, match=message):
            elevation(said.model_copy(update=change), path, cells)
    for wrong in (values.T, values.astype(complex)):
        np.save(path, wrong)
        with pytest.raises(AirshedError, match="does not fit the study grid"):
            elevation(said, path, cells)


@pytest.mark.parametrize("north_first", [True, False])
def test_a_mask_that_lies_upside_down_does_not_pass(north_first: bool, tmp_path: Path) -> None:
    """A triangle of data, a mask that keeps most of it, land where the data tell nothing."""
    rows, columns = np.mgrid[:20, :30]
    lat = np.where(north_first, -1.0, 1.0) * rows
    data = columns > 30 - rows
    mask = data & (columns % 7 > 0)
    everywhere, path = np.ones_like(data), tmp_path / "mask.npy"
    for evidence in ((data, everywhere), (everywhere, data)):
        assert np.array_equal(oriented(mask, lat, evidence, None, path), mask)
        with pytest.raises(AirshedError, match=r"upside down(.|\n)*rows reversed"):
            oriented(mask[::-1], lat, evidence, None, path)
    with pytest.raises(AirshedError, match="how the rows of the mask run is not known"):
        oriented(mask, lat, (everywhere, everywhere), None, path)
    with pytest.raises(AirshedError, match="how the rows of the mask run is not known"):
        oriented(rows == 9, lat, (rows < 40, columns > 7), None, path)
    own, other = ("north_first", "south_first")[:: 1 if north_first else -1]
    assert np.array_equal(oriented(mask, lat, (data,), own, path), mask)
    assert np.array_equal(oriented(mask, lat, (data,), other, path), mask[::-1])
    box = (rows > 4) & (rows < 15)  # the same both ways
    assert np.array_equal(oriented(box, lat, (everywhere,), None, path), box)
