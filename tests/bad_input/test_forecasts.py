"""Other people's forecasts in which something is wrong, through ``airshed external``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from finished_study import Finished
from made_study import DAYS
from refusals import airshed, refused

from airshed.config import read_yaml
from airshed.variables import TARGETS, VARIABLES

Change = Callable[[xr.Dataset], xr.Dataset]


def right() -> xr.Dataset:
    """Forecasts of the test day that cover the study's cells."""
    coords = {
        "init_time": np.datetime64(DAYS[-1], "ns") + np.arange(0, 24, 6) * np.timedelta64(1, "h"),
        "lead_time": ("lead_time", [0, 12, 24], {"units": "hours"}),
        "lat": np.arange(28.0, 36),
        "lon": np.arange(98.0, 108),
    }
    sizes = [len(coords[name]) if name != "lead_time" else 3 for name in coords]
    fields = {name: (tuple(coords), np.full(sizes, 5.0)) for name in TARGETS}
    forecast = xr.Dataset(fields, coords=coords)
    for name in TARGETS:
        forecast[name].attrs["units"] = VARIABLES[name].units
    return forecast


def with_units(name: str, units: Any) -> Change:
    return lambda d: d.assign({name: d[name].assign_attrs(units=units)})


def command(finished: Finished, folder: Path, path: Path, **settings: Any) -> tuple[object, ...]:
    values = read_yaml(finished.study) | {"external": {"other": {"path": str(path), **settings}}}
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(values), encoding="utf-8")
    data = finished.options("hourly", "static", "climatology")
    return ("external", "other", "--config", study, *data, "--output", folder / "scores.nc")


CASES: dict[str, tuple[Change | bytes | None, dict[str, Any], tuple[str, ...]]] = {
    "no file": (None, {}, ("an external forecast is missing", "external.other.path")),
    "an empty file": (b"", {}, ("cannot be opened",)),
    "a page of HTML": (b"<html></html>", {}, ("cannot be opened",)),
    "a start of HDF alone": (b"\x89HDF\r\n\x1a\n", {}, ("cannot be opened",)),
    "no init time": (
        lambda d: d.isel(init_time=0, drop=True),
        {},
        ("no init time", "forecast_reference_time"),
    ),
    "no latitude": (lambda d: d.isel(lat=0, drop=True), {}, ("no latitude", "nav_lat")),
    "no longitude": (lambda d: d.rename(lon="across"), {}, ("no longitude", "across")),
    "lead times in bananas": (
        lambda d: d.assign_coords(lead_time=("lead_time", [0, 12, 24], {"units": "bananas"})),
        {},
        ("unit of a lead time", "bananas"),
    ),
    "lead times that are missing": (
        lambda d: d.assign_coords(lead_time=("lead_time", [0, np.nan, 24], {"units": "hours"})),
        {},
        ("lead time", "nan"),
    ),
    "the same lead time twice": (
        lambda d: d.assign_coords(lead_time=("lead_time", [0, 12, 12], {"units": "hours"})),
        {},
        ("the same lead time twice",),
    ),
    "words in place of times": (
        lambda d: d.assign_coords(init_time=["a", "b", "c", "d"]),
        {},
        ("init time", "init_time"),
    ),
    "a variable that is not there": (
        lambda d: d,
        {"variables": {"o3": "ozone"}},
        ("ozone (external.other.variables.o3)",),
    ),
    "a pollutant too few": (lambda d: d.drop_vars("co"), {}, ("no co", "common_subset")),
    "no pollutant": (
        lambda d: d.drop_vars(TARGETS),
        {},
        ("no pollutant", "external.other.variables"),
    ),
    "an unknown unit": (with_units("o3", "spoons"), {}, ("cannot be converted", "o3")),
    "a mixing ratio by volume": (with_units("no2", "ppb"), {}, ("density of the air", "no2")),
    "a mixing ratio of particles": (with_units("pm25", "ppb"), {}, ("cannot be converted", "ppb")),
    "a mixing ratio by mass": (with_units("so2", "kg kg-1"), {}, ("density of the air", "so2")),
    "a unit that contradicts": (
        lambda d: d,
        {"units": {"co": "ug m-3"}},
        ("contradicts", "dataset.units.co", "mg m-3"),
    ),
    "an area too small": (lambda d: d.isel(lat=slice(4)), {}, ("cells lie beyond its grid",)),
    "another horizon": (lambda d: d.isel(lead_time=[0, 2]), {}, ("samples", "+ 12 h")),
    "another year": (
        lambda d: d.assign_coords(init_time=d["init_time"] - np.timedelta64(365, "D")),
        {},
        ("samples", f"the first at {DAYS[-1]}"),
    ),
    "values that are missing": (
        lambda d: d.where(d["lat"] > 31),
        {},
        ("lacks values in the domain", "pm25"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_forecast_is_refused_and_named(
    finished: Finished, tmp_path: Path, case: str
) -> None:
    change, settings, said = CASES[case]
    path = tmp_path / "forecast.nc"
    if isinstance(change, bytes):
        path.write_bytes(change)
    elif change is not None:
        change(right()).to_netcdf(path)
    refused(tmp_path, command(finished, tmp_path, path, **settings), path, *said)


def test_what_the_cases_change_is_right(finished: Finished, tmp_path: Path) -> None:
    path = tmp_path / "forecast.nc"
    right().to_netcdf(path)
    code, said = airshed(*command(finished, tmp_path, path))
    assert code == 0, said
    assert (tmp_path / "scores.nc").exists()
