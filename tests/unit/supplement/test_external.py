"""Forecasts of other origin: read in any spelling, converted, and scored like the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from airshed.config import Study
from airshed.config.supplement import ExternalConfig
from airshed.data.prepared import Prepared
from airshed.data.stores import open_hourly, open_static
from airshed.errors import AirshedError
from airshed.evaluation.batch import Samples
from airshed.evaluation.evaluate import Evaluation, evaluate_baseline, test_samples
from airshed.evaluation.external.forecaster import (
    ExternalForecaster,
    evaluate_external,
    places_in_cells,
)
from airshed.evaluation.external.reading import open_external
from airshed.evaluation.external.units import concentration
from airshed.evaluation.scores import read_scores
from airshed.variables import TARGETS, VARIABLES

NO2 = VARIABLES["no2"]

test_samples.__test__ = False  # type: ignore[attr-defined]  # no test, whatever its name
INITS = pd.date_range("2016-03-05", "2016-03-08 21:00", freq="3h", unit="ns")
LEADS = [0, 12, 24]
LAT, LON = np.arange(0.0, 66.0, 2.0), np.arange(60.0, 152.0, 2.0)


def plane(lat: Any, lon: Any) -> Any:
    """What bilinear interpolation keeps."""
    return 10 + 2 * lat - 0.3 * lon


def values(init: int, lead: int, number: int) -> np.ndarray:
    """A field of one init time, lead time and pollutant, ug m-3."""
    return 200 + init + 0.1 * lead + 3 * number + plane(LAT[:, None], LON[None])


def cams_like() -> xr.Dataset:
    """Names, units, order and longitudes as CAMS has them: north first, kg m-3."""
    fields = np.array(
        [[[values(i, h, p) for p in range(6)] for i in range(len(INITS))] for h in LEADS]
    )
    names = ("pm2p5", "pm10", "so2", "no2", "co", "go3")
    return xr.Dataset(
        {
            name: (
                ("forecast_period", "forecast_reference_time", "latitude", "longitude"),
                1e-9 * fields[:, :, number, ::-1].astype(np.float64),
                {"units": "kg m**-3"},
            )
            for number, name in enumerate(names)
        },
        coords={
            "forecast_period": ("forecast_period", LEADS, {"units": "hours"}),
            "forecast_reference_time": INITS,
            "latitude": LAT[::-1],
            "longitude": (LON + 360) % 360,
        },
    )


def forecaster_of(study: Study, chosen: ExternalConfig, grid: xr.Dataset) -> ExternalForecaster:
    asking = with_external(study, chosen)
    return ExternalForecaster(asking, open_external(asking, "x"), grid)


def with_external(study: Study, chosen: ExternalConfig) -> Study:
    return study.model_copy(update={"external": {"x": chosen}})


def settings(path: Path, **changes: Any) -> ExternalConfig:
    given = {"path": str(path), "variables": {"o3": "go3"}, **changes}
    return ExternalConfig.model_validate(given)


def respelt(spelling: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The same forecast in other spellings: its path, and what the configuration must say."""
    cams = cams_like()
    path = folder / "forecast.nc"
    if spelling == "cams":
        cams.to_netcdf(path)
    elif spelling == "time and step as differences, 2-D positions":
        lat, lon = np.meshgrid(LAT[::-1], LON, indexing="ij")
        data = cams.rename(forecast_reference_time="time", forecast_period="step")
        data = data.rename_dims(latitude="y", longitude="x").drop_vars(["latitude", "longitude"])
        data = data.assign_coords(
            step=pd.to_timedelta(LEADS, unit="h"), lat=(("y", "x"), lat), lon=(("y", "x"), lon)
        )
        data.to_netcdf(path)
    elif spelling == "standard names only, Zarr":
        data = cams.rename(forecast_reference_time="a", forecast_period="b", latitude="c")
        data = data.rename(longitude="d").transpose("a", "d", "b", "c")
        for axis, name in zip("abcd", ("forecast_reference_time", "forecast_period", "latitude",
                                       "longitude"), strict=True):  # fmt: skip
            data[axis].attrs["standard_name"] = name
        path = folder / "forecast.zarr"
        data.to_zarr(path)
    elif spelling == "a file for each init time, with valid times":
        for number, init in enumerate(INITS):
            data = cams.isel(forecast_reference_time=number).rename(
                forecast_reference_time="reference_time", forecast_period="time"
            )
            data.assign_coords(time=init + pd.to_timedelta(LEADS, unit="h")).to_netcdf(
                folder / f"part{number:02}.nc"
            )
        path = folder / "part*.nc"
    elif spelling == "no units in the file, western longitudes":
        data = cams.assign_coords(longitude=LON - 360)
        for name in data.data_vars:
            data[name].attrs.clear()
        data.to_netcdf(path)
        return path, {"units": dict.fromkeys(TARGETS, "kg m-3")}
    return path, {}


@pytest.mark.parametrize(
    "spelling",
    [
        "cams",
        "time and step as differences, 2-D positions",
        "standard names only, Zarr",
        "a file for each init time, with valid times",
        "no units in the file, western longitudes",
    ],
)
def test_every_spelling_gives_the_same_fields(
    spelling: str, study: Study, prepared: Prepared, tmp_path: Path
) -> None:
    path, changes = respelt(spelling, tmp_path)
    chosen = settings(path, **changes)
    grid = open_static(prepared.static)
    forecaster = forecaster_of(study, chosen, grid)
    samples = test_samples(study, open_hourly(prepared.hourly, None), (12, 24))
    assert forecaster.lacking(Samples.of(samples)) == []
    (found,) = forecaster([Samples.of(samples)])
    assert found.shape == (len(samples), 6, 8, 16)
    smooth = plane(grid["lat2d"].values, grid["lon2d"].values)
    for row in (0, len(samples) // 2, len(samples) - 1):
        init = INITS.get_loc(samples["init_time"].iloc[row])
        for number, name in enumerate(TARGETS):
            expected = 200 + init + 0.1 * samples["horizon_h"].iloc[row] + 3 * number + smooth
            expected = expected / 1000 if name == "co" else expected
            np.testing.assert_allclose(found[row, number], expected, rtol=2e-3)
    # bilinear in latitude and longitude: exact where the source is regular
    if "2-D" not in spelling:
        np.testing.assert_allclose(
            found[0, 0] - found[0, 0, 3, 3], smooth - smooth[3, 3], atol=1e-3
        )


def older_cams(folder: Path, name: str = "cams_%Y%m%d%H_sfc.nc") -> Path:
    """A file for each init time, in its name alone, with times in place of lead times; a level."""
    for number, init in enumerate(INITS[:4]):
        data = cams_like().isel(forecast_reference_time=number, drop=True)
        data = data.rename(forecast_period="time").expand_dims(model_level=[60])
        data = data.assign_coords(time=init + pd.to_timedelta(LEADS, unit="h"))
        data.to_netcdf(folder / init.strftime(name))
    return folder / "cams_*.nc"


def test_the_older_form_of_cams_takes_init_times_from_names(study: Study, tmp_path: Path) -> None:
    path = older_cams(tmp_path)
    with pytest.raises(AirshedError, match=r"no lead time(.|\n)*external\.x\.init_time_pattern"):
        open_external(with_external(study, settings(path)), "x")
    chosen = settings(path, init_time_pattern="cams_%Y%m%d%H_*.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        found = open_external(with_external(study, chosen), "x")
    assert list(found.init_times) == list(INITS[:4])
    assert found.lead_hours.tolist() == LEADS
    for number in (0, 3):
        field = found.fields["so2"].isel(init_time=number, lead_h=1).values
        np.testing.assert_allclose(field, 1e-9 * values(number, 12, 2)[::-1])
    one = settings(tmp_path / INITS[1].strftime("cams_%Y%m%d%H_sfc.nc"))
    chosen = one.model_copy(update={"init_time_pattern": "cams_%Y%m%d%H_sfc.nc"})
    assert list(open_external(with_external(study, chosen), "x").init_times) == [INITS[1]]
    with pytest.raises(AirshedError, match=r"holds no init time(.|\n)*x_%Y"):
        open_external(
            with_external(study, one.model_copy(update={"init_time_pattern": "x_%Y%m%d.nc"})), "x"
        )


def test_a_name_that_contradicts_its_file_is_refused(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "cams_20160306.nc"
    cams_like().isel(forecast_reference_time=[0]).to_netcdf(path)
    with pytest.raises(AirshedError, match=r"contradicts the name(.|\n)*2016-03-06T00"):
        open_external(with_external(study, settings(path, init_time_pattern="cams_%Y%m%d.nc")), "x")
    path = path.rename(tmp_path / "cams_20160305.nc")
    found = open_external(
        with_external(study, settings(path, init_time_pattern="cams_%Y%m%d.nc")), "x"
    )
    assert list(found.init_times) == [INITS[0]]


@pytest.mark.parametrize("pattern", ["cams.nc", "%Y%m.nc", "%Y%m%d%d.nc", "%Y%m%d%M.nc"])
def test_a_pattern_tells_a_day_once(pattern: str) -> None:
    with pytest.raises(ValueError, match="%Y, %m and %d once each"):
        settings(Path("x"), init_time_pattern=pattern)


def test_several_levels_are_refused_by_name(study: Study, tmp_path: Path) -> None:
    """Also of a variable that the configuration does not name, and that others stand beside."""
    data = cams_like()
    data["no2"] = data["no2"].expand_dims(model_level=[59, 60])
    data.to_netcdf(tmp_path / "levels.nc")
    with pytest.raises(AirshedError, match=r"other dimensions(.|\n)*no2(.|\n)*model_level"):
        open_external(with_external(study, settings(tmp_path / "levels.nc")), "x")


@pytest.mark.parametrize("missing", ["refuse", "common_subset"])
def test_a_forecast_of_another_region_or_year_is_refused_and_not_scored(
    missing: str, study: Study, evaluation: Callable[[str], Evaluation], tmp_path: Path
) -> None:
    data = cams_like()
    elsewhere = data.assign_coords(latitude=data["latitude"] - 70)
    inits = data["forecast_reference_time"] + np.timedelta64(365, "D")
    later = data.assign_coords(forecast_reference_time=inits)
    for number, (changed, words) in enumerate(
        ((elsewhere, "109 of 109 cells"), (later, "the first at"))
    ):
        path = tmp_path / f"{number}.nc"
        changed.to_netcdf(path)
        with pytest.raises(AirshedError, match=rf"has nothing of what(.|\n)*{words}"):
            evaluate_external(external_study(study, path, missing=missing), "cams", evaluation("a"))
        assert not evaluation("a").output.exists()


def external_study(study: Study, path: Path, **changes: Any) -> Study:
    return study.model_copy(update={"external": {"cams": settings(path, **changes)}})


@pytest.fixture
def evaluation(
    prepared: Prepared, climatology: Path, tmp_path: Path
) -> Callable[[str], Evaluation]:
    def make(name: str) -> Evaluation:
        output = tmp_path / name / "scores.nc"
        return Evaluation(prepared.hourly, prepared.static, climatology, output)

    return make


def test_an_archive_of_forecasts_scores_as_it_did_when_it_was_made(
    study: Study, evaluation: Callable[[str], Evaluation], tmp_path: Path
) -> None:
    """On the study grid's own positions interpolation changes nothing, so all scores agree."""
    kept = replace(evaluation("baseline"), forecasts=tmp_path / "forecasts.zarr")
    evaluate_baseline(study, "persistence", kept)
    chosen = external_study(study, tmp_path / "forecasts.zarr", variables={})
    evaluate_external(chosen, "cams", evaluation("external"))
    ours, theirs = (read_scores(evaluation(name).output) for name in ("external", "baseline"))
    assert (ours.attrs["kind"], ours.attrs["name"], ours.attrs["seed"]) == ("external", "cams", -1)
    assert ours.attrs["cells_skipped"] == 0
    for name in ("rmse", "mae", "bias", "sums", "map_mse"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-5)


def lacking_init(data: xr.Dataset) -> xr.Dataset:
    return data.isel(forecast_reference_time=slice(1, None))


def lacking_lead(data: xr.Dataset) -> xr.Dataset:
    return data.sel(forecast_period=[0, 12])


def lacking_pollutant(data: xr.Dataset) -> xr.Dataset:
    return data.drop_vars("so2")


def lacking_cells(data: xr.Dataset) -> xr.Dataset:
    return data.sel(latitude=slice(30, None))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lacking_init, "1 of|2 of"),
        (lacking_lead, r"samples, the first at 2016-03-05 00:00:00 \+ 24 h"),
        (lacking_pollutant, "no so2"),
        (lacking_cells, "cells lie beyond its grid"),
    ],
)
def test_an_incomplete_forecast_is_refused_unless_a_subset_is_asked_for(
    change: Callable[[xr.Dataset], xr.Dataset],
    words: str,
    study: Study,
    evaluation: Callable[[str], Evaluation],
    tmp_path: Path,
) -> None:
    change(cams_like()).to_netcdf(tmp_path / "part.nc")
    with pytest.raises(AirshedError, match=words):
        evaluate_external(external_study(study, tmp_path / "part.nc"), "cams", evaluation("a"))
    assert not evaluation("a").output.exists()
    asked = external_study(study, tmp_path / "part.nc", missing="common_subset")
    evaluate_external(asked, "cams", evaluation("a"))
    found = read_scores(evaluation("a").output)
    assert found.attrs["cells_skipped"] > 0
    assert np.isfinite(found["rmse"].sel(pollutant="o3", horizon_h=12))


def test_mixing_ratios_need_the_density_of_the_air() -> None:
    ratio = np.full((2, 3), 5e-8)
    density = np.full((2, 3), 1.2)
    found = concentration(ratio, NO2, "kg kg**-1", None, lambda: density, "x")
    np.testing.assert_allclose(found, 60)  # 5e-8 kg/kg x 1.2 kg/m3 = 6e-8 kg/m3
    found = concentration(ratio, VARIABLES["co"], "ug kg-1", None, lambda: density, "x")
    np.testing.assert_allclose(found, 6e-11)  # mg m-3
    with pytest.raises(AirshedError, match="density of the air"):
        concentration(ratio, NO2, "kg kg**-1", None, lambda: None, "x")
    # 40 ppb of NO2 at 1.2 kg m-3: 4e-8 x 46.0055 / 28.9647 x 1.2e9 ug m-3
    found = concentration(np.full((2, 3), 40.0), NO2, "ppb", None, lambda: density, "x")
    np.testing.assert_allclose(found, 76.24, rtol=1e-4)
    with pytest.raises(AirshedError, match="cannot be converted"):
        concentration(ratio, VARIABLES["pm25"], "ppb", None, lambda: density, "x")
    with pytest.raises(AirshedError, match="contradicts"):
        concentration(ratio, NO2, "kg m-3", "ug m-3", lambda: density, "x")
    with pytest.raises(AirshedError, match="unknown"):
        concentration(ratio, NO2, None, None, lambda: density, "x")


def test_density_comes_from_pressure_and_temperature_of_the_same_files(
    study: Study, prepared: Prepared, tmp_path: Path
) -> None:
    """At 1000 hPa and 290 K dry air weighs 1.2012 kg m-3."""
    data = cams_like()
    for name in ("so2", "no2", "co", "go3"):
        data[name] = (data[name].dims, np.full(data[name].shape, 1e-8), {"units": "kg kg**-1"})
    data["sp"] = (data["so2"].dims, np.full(data["so2"].shape, 1e5), {"units": "Pa"})
    data["t2m"] = (data["so2"].dims, np.full(data["so2"].shape, 290.0), {"units": "K"})
    data.to_netcdf(tmp_path / "ratio.nc")
    chosen = settings(tmp_path / "ratio.nc")
    forecaster = forecaster_of(study, chosen, open_static(prepared.static))
    samples = test_samples(study, open_hourly(prepared.hourly, None), (12,)).head(1)
    (found,) = forecaster([Samples.of(samples)])
    np.testing.assert_allclose(found[0, TARGETS.index("so2")], 12.012, rtol=1e-3)


def test_means_of_cells_keep_means(study: Study, prepared: Prepared, tmp_path: Path) -> None:
    """Stripes finer than a study cell average out; bilinear values do not."""
    grid = open_static(prepared.static)
    lat, lon = np.arange(5.0, 60.0, 0.1), np.arange(70.0, 145.0, 0.1)
    stripes = np.where(np.arange(len(lon)) % 8 < 4, 0.0, 100.0) * np.ones((len(lat), 1))
    path = tmp_path / "stripes.nc"
    xr.Dataset(
        {"pm25": (("init_time", "lead_hours", "lat", "lon"), stripes[None, None],
                  {"units": "ug m-3"})},
        coords={"init_time": INITS[:1], "lead_hours": [12], "lat": lat, "lon": lon},
    ).to_netcdf(path)  # fmt: skip
    only = np.array([0])
    rows = Samples(only, INITS[:1], np.array([12]), only, only + 12)
    found = {}
    for method in ("bilinear", "cell_mean"):
        chosen = settings(path, variables={}, interpolation=method)
        forecaster = forecaster_of(study, chosen, grid)
        found[method] = next(forecaster([rows]))[0, 0]
    assert np.abs(found["cell_mean"] - 50).mean() < np.abs(found["bilinear"] - 50).mean() / 2
    assert found["cell_mean"].mean() == pytest.approx(50, abs=5)


def test_places_in_a_cell_surround_its_centre(prepared: Prepared) -> None:
    grid = open_static(prepared.static)
    lat, lon = places_in_cells(grid["lat2d"].values, grid["lon2d"].values, 4)
    centres = lat.reshape(8, 16, 16).mean(-1), lon.reshape(8, 16, 16).mean(-1)
    np.testing.assert_allclose(centres[0], grid["lat2d"], atol=0.1)
    np.testing.assert_allclose(centres[1], grid["lon2d"], atol=0.1)


BROKEN: dict[str, tuple[Callable[[xr.Dataset], xr.Dataset], str]] = {
    "no lead time": (lambda d: d.isel(forecast_period=0, drop=True), "no lead time"),
    "lead time without a unit": (
        lambda d: d.assign_coords(forecast_period=[0, 12, 24]).rename(forecast_period="step"),
        "unit of a lead time",
    ),
    "half hours": (
        lambda d: d.assign_coords(
            forecast_period=("forecast_period", [0, 12.5, 24], {"units": "hours"})
        ),
        "whole number of hours",
    ),
    "another dimension": (lambda d: d.assign(go3=d["go3"].expand_dims(level=2)), "dimensions"),
    "no pollutant": (lambda d: d[["go3"]].rename(go3="q"), "names|no pollutant"),
    "twice the same init time": (
        lambda d: xr.concat([d, d], "forecast_reference_time"),
        "init time twice",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_understood_is_refused(case: str, study: Study, tmp_path: Path) -> None:
    change, words = BROKEN[case]
    change(cams_like()).to_netcdf(tmp_path / "broken.nc")
    with pytest.raises(AirshedError, match=words):
        open_external(with_external(study, settings(tmp_path / "broken.nc")), "x")


def test_a_missing_forecast_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(AirshedError, match=r"external\.x\.path"):
        open_external(with_external(study, settings(tmp_path / "nowhere*.nc")), "x")
