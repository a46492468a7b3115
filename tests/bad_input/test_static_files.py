"""Elevation and population in which something is wrong, through ``airshed static-fields``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import raw_files as made
from made_study import ingest_command, write_override, write_study
from refusals import airshed, refused
from static_files import write_geotiff, write_netcdf

from airshed.data.stores import open_static

STEP = 0.5
LAT, LON = np.arange(28.25, 35, STEP), np.arange(98.25, 107, STEP)
WEST, NORTH = 98.0, 35.0
MANY = np.linspace(100, 900, LAT.size * LON.size).reshape(LAT.size, LON.size)
METRES = {"units": {"elevation": "m"}}
Write = Callable[[Path], object]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study, and the folder with its hourly store."""
    folder = tmp_path_factory.mktemp("static")
    study, raw = write_study(folder / "study"), folder / "raw"
    raw.mkdir()
    (raw / made.member(made.START)).write_bytes(made.whole_hour(made.START))
    code, said = airshed(*ingest_command(study, raw, folder))
    assert code == 0, said
    shutil.rmtree(folder / "made")  # the note of settings, of which the cases change some
    return study, folder


def command(study: Path, folder: Path, output: Path) -> tuple[object, ...]:
    paths = ("--raw", folder / "raw", "--hourly", folder / "hourly.zarr", "--output", output)
    return ("static-fields", "--config", study, *paths)


def content(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


def field(values: Any = MANY, lat: Any = LAT, lon: Any = LON, **changes: Any) -> Write:
    return lambda path: write_netcdf(path, values, lat, lon, **changes)


def tiff(values: Any = MANY, **changes: Any) -> Write:
    return lambda path: write_geotiff(path, values, WEST, NORTH, STEP, **changes)


def cut(write: Write, share: float) -> Write:
    def made_and_cut(path: Path) -> None:
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return made_and_cut


def with_attribute(name: str, **attributes: Any) -> Write:
    def change(path: Path) -> None:
        write_netcdf(path, MANY, LAT, LON)
        with netCDF4.Dataset(path, "a") as file:
            file.variables[name].setncatts(attributes)

    return change


def with_value(value: float) -> Write:
    """A value that is written as it is, where the helper would write it as missing."""

    def change(path: Path) -> None:
        write_netcdf(path, MANY, LAT, LON)
        with netCDF4.Dataset(path, "a") as file:
            file.variables["z"][5, 6] = value

    return change


def text_field(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for name, values in (("lat", LAT), ("lon", LON)):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file.createVariable("z", str, ("lat", "lon"))


def changed(values: Any, value: float, cell: tuple[int, int] = (5, 6)) -> Any:
    other = values.copy()
    other[cell] = value
    return other


ELEVATION: dict[str, tuple[Write | None, dict[str, Any], tuple[str, ...]]] = {
    "no file": (None, {}, ("the file with elevation is missing", "dataset.elevation_file")),
    "an empty file": (content(b""), {}, ("cannot be read",)),
    "a page of HTML": (content(b"<html>Not found</html>"), {}, ("cannot be read",)),
    "a start of HDF alone": (content(b"\x89HDF\r\n\x1a\n"), {}, ("cannot be read", "NetCDF")),
    "a start of TIFF alone": (content(b"II*\0"), {}, ("cannot be read",)),
    "a NetCDF cut": (cut(field(), 0.5), {}, ("cannot be read",)),
    "a GeoTIFF cut in its header": (cut(tiff(), 0.02), {}, ("cannot be read",)),
    "a GeoTIFF cut in its values": (cut(tiff(), 0.6), METRES, ("cannot be read",)),
    "text in place of numbers": (text_field, {}, ("is not clear", "no variable over latitude")),
    "nothing in the north": (field(MANY[:8], LAT[:8]), {}, ("does not cover", "33.00 N")),
    "nothing in the south": (field(MANY[6:], LAT[6:]), {}, ("does not cover", "30.00 N")),
    "nothing in the west": (
        field(MANY[:, 6:], lon=LON[6:]),
        {},
        ("does not cover", "30.00 N 101.00 E"),
    ),
    "nothing in the east": (field(MANY[:, :9], lon=LON[:9]), {}, ("does not cover", "105.00 E")),
    "another continent": (field(lon=LON - 170), {}, ("does not cover", "23 of 23 cells")),
    "another continent in GeoTIFF": (
        lambda path: write_geotiff(path, MANY, 0, 10, STEP),
        METRES,
        ("does not cover", "23 of 23"),
    ),
    "no value at all": (field(np.full_like(MANY, np.nan)), {}, ("the domain is empty",)),
    "infinity": (with_value(np.inf), {}, ("impossible", "inf")),
    "minus infinity": (with_value(-np.inf), {}, ("not declared", "-inf")),
    "a filler": (field(changed(MANY, -9999)), {}, ("not declared as such", "-9999")),
    "higher than Everest": (field(changed(MANY, 9900)), {}, ("impossible", "9900")),
    "a sea": (field(changed(MANY, -4000)), {}, ("impossible", "elevation_floor_m")),
    "centimetres called metres": (field(MANY * 100), {}, ("impossible", "-500 to 9000")),
    "a unit of something else": (field(units="Pa"), {}, ("unit cannot be converted", "Pa")),
    "an unknown unit": (field(units="spoons"), {}, ("unit cannot be converted", "spoons")),
    "a unit that is a number": (with_attribute("z", units=5), {}, ("unit", "5")),
    "no unit": (field(units=None), {}, ("dataset.units.elevation", "neither")),
    "degrees that are metres": (
        field(lat=LAT * 1e5, lon=LON * 1e5),
        {},
        ("does not cover", "23 of 23"),
    ),
    "coordinates that are missing": (
        field(lat=changed(LAT[:, None], np.nan, (3, 0))[:, 0]),
        {},
        ("does not cover",),
    ),
    "two layers": (
        field(np.stack([MANY, MANY]), dimensions=("layer", "lat", "lon")),
        {},
        ("layer", "elevation_band between 1 and 2"),
    ),
    "another name": (field(), {"elevation_variable": "height"}, ("height", "z")),
    "an unknown reference system": (tiff(crs=None), {"static_crs": "EPSG:0"}, ("EPSG:0",)),
    "another reference system": (
        tiff(),
        {"static_crs": "EPSG:32650"},
        ("contradicts", "UTM zone 50N"),
    ),
    "no reference system": (
        tiff(crs=None),
        {},
        ("coordinate reference system", "static_crs: EPSG:4326"),
    ),
    "a wrong reference system": (tiff(crs="EPSG:32650"), METRES, ("does not cover", "23 of 23")),
}


@pytest.mark.parametrize("case", ELEVATION)
def test_wrong_elevation_is_refused_and_named(
    prepared: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    write, dataset, said = ELEVATION[case]
    study, folder = prepared
    path = tmp_path / "wrong.nc"
    if write is not None:
        write(path)
    chosen = write_override(tmp_path / "study.yaml", study, elevation_file=str(path), **dataset)
    text = refused(tmp_path, command(chosen, folder, tmp_path / "static.nc"), *said)
    assert str(path) in text or "dataset.static_crs" in text or "domain is empty" in text


PEOPLE: dict[str, tuple[Write, dict[str, Any], tuple[str, ...]]] = {
    "fewer than none": (field(changed(MANY, -3.0), units="people"), {}, ("impossible", "-3")),
    "more than live on the earth": (
        field(changed(MANY, 9e9), units="people"),
        {},
        ("impossible", "1e+09"),
    ),
    "neither counts nor a density": (
        field(units=None),
        {},
        ("counts or a density", "dataset.population_kind"),
    ),
    "a density called counts": (
        field(units="people km-2"),
        {"population_kind": "count"},
        ("contradicts", "people km-2"),
    ),
    "a layer that is not there": (
        tiff(bands=2),
        {"population_band": 3, "population_kind": "count"},
        ("population_band between 1 and 2", "3"),
    ),
    "a layer of several that is not chosen": (
        tiff(bands=2),
        {"population_kind": "count"},
        ("population_band between 1 and 2",),
    ),
    "nothing in the south": (
        field(MANY[6:], LAT[6:], units="people"),
        {},
        ("population does not cover", "30.00 N"),
    ),
}


@pytest.mark.parametrize("case", PEOPLE)
def test_wrong_population_is_refused_and_named(
    prepared: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    write, dataset, said = PEOPLE[case]
    study, folder = prepared
    path = tmp_path / "wrong.nc"
    write(path)
    chosen = write_override(tmp_path / "study.yaml", study, population_file=str(path), **dataset)
    refused(tmp_path, command(chosen, folder, tmp_path / "static.nc"), path, *said)


MASKS: dict[str, tuple[Write, tuple[str, ...]]] = {
    "no file": (lambda path: None, ("cannot be read", "No such file")),
    "an empty file": (content(b""), ("cannot be read",)),
    "text": (content(b"0 1 1 0"), ("cannot be read",)),
    "objects": (
        lambda path: np.save(path, np.array([[1, {}]], dtype=object)),
        ("cannot be read", "pickle"),
    ),
    "another shape": (lambda path: np.save(path, np.ones((6, 4))), ("4 x 6 cells", "(6, 4)")),
    "twos": (lambda path: np.save(path, np.full((4, 6), 2)), ("0 (left out) or 1", "int64")),
    "missing values": (lambda path: np.save(path, np.full((4, 6), np.nan)), ("0 (left out)",)),
    "nothing kept": (lambda path: np.save(path, np.zeros((4, 6))), ("the domain is empty",)),
}


@pytest.mark.parametrize("case", MASKS)
def test_a_wrong_mask_is_refused_and_named(
    prepared: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    write, said = MASKS[case]
    study, folder = prepared
    path = tmp_path / "mask.npy"
    write(path)
    chosen = write_override(tmp_path / "study.yaml", study, mask_file=str(path))
    refused(tmp_path, command(chosen, folder, tmp_path / "static.nc"), *said)


def test_what_the_cases_change_is_right(prepared: tuple[Path, Path], tmp_path: Path) -> None:
    study, folder = prepared
    write_netcdf(tmp_path / "z.nc", MANY, LAT, LON)
    write_geotiff(tmp_path / "people.tif", MANY[::-1], WEST, NORTH, STEP)
    files = {"elevation_file": "z.nc", "population_file": "people.tif"}
    paths = {key: str(tmp_path / name) for key, name in files.items()}
    chosen = write_override(tmp_path / "study.yaml", study, population_kind="count", **paths)
    code, said = airshed(*command(chosen, folder, tmp_path / "static.nc"))
    assert code == 0, said
    # a degree holds four of the file's cells; both fields are of the same values
    static = open_static(tmp_path / "static.nc")
    inside = static["domain_mask"].values.astype(bool)
    np.testing.assert_allclose(
        static["population"].values[inside], 4 * static["elevation"].values[inside], rtol=1e-3
    )
