from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from airshed.config import Study
from airshed.data.stores import describe, write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.evaluate import evaluate_baseline, evaluate_forecasts, score_accumulator
from airshed.evaluation.scores import read_scores
from airshed.variables import HOURLY, STATIC, TARGETS, VARIABLES

ROWS, COLUMNS = 8, 16
TIMES = pd.date_range("2016-02-26", "2016-03-08 23:00", freq="h", unit="ns")
ABSENT = pd.Timestamp("2016-03-06 06:00")
SLOPE = {name: 0.25 * (number + 1) for number, name in enumerate(TARGETS)}  # units per hour


def attributes(name: str) -> dict[str, str]:
    variable = VARIABLES[name]
    return {"units": variable.units, "standard_name": variable.standard_name}


def hours_since_start(times: pd.DatetimeIndex) -> np.ndarray:
    return ((times - TIMES[0]) / pd.Timedelta("1h")).to_numpy()


@pytest.fixture
def prepared(tmp_path: Path) -> dict[str, Path]:
    """Pollutants that grow linearly in time, one absent hour, one cell outside the domain."""
    lat, lon = np.mgrid[30.0 : 30.0 + ROWS, 100.0 : 100.0 + COLUMNS]
    coords = {name: (("y", "x"), values, attributes(name)) for name, values in
              (("lat2d", lat), ("lon2d", lon))}  # fmt: skip
    present = TIMES != ABSENT
    fields = {}
    for name in HOURLY:
        base = VARIABLES[name].low + 0.3 * (min(VARIABLES[name].high, 1e3) - VARIABLES[name].low)
        values = 100 + SLOPE[name] * hours_since_start(TIMES) if name in TARGETS else base
        cube = np.broadcast_to(np.reshape(values, (-1, 1, 1)), (len(TIMES), ROWS, COLUMNS))
        cube = cube.astype(np.float32)
        cube[:, 0, 0] += np.arange(len(TIMES)) % 7
        cube[~present] = np.nan
        fields[name] = (("time", "y", "x"), cube, attributes(name))
    hourly = xr.Dataset(
        fields | {"present": ("time", present)},
        coords=coords | {"time": TIMES, "y": np.arange(ROWS), "x": np.arange(COLUMNS)},
    )
    paths = {name: tmp_path / name for name in ("hourly.zarr", "static.nc")}
    describe(hourly).to_zarr(paths["hourly.zarr"], zarr_format=3, consolidated=False)
    mask = np.ones((ROWS, COLUMNS), dtype=np.int8)
    mask[0, 0] = 0
    static = {"domain_mask": (("y", "x"), mask)}
    for name in ("elevation", "population"):
        static[name] = (("y", "x"), np.full((ROWS, COLUMNS), 7.0), attributes(name))
    for name in ("column_east", "row_north", "column_north", "row_east"):
        value = 1.0 if name in ("column_east", "row_north") else 0.0
        static[name] = (("y", "x"), np.full((ROWS, COLUMNS), value), {"units": "1"})
    positions = {name: coords[name] for name in ("lat2d", "lon2d")}
    write_netcdf(xr.Dataset(static | positions), paths["static.nc"])
    assert set(STATIC) <= set(static) | set(coords)
    return paths


def score(study: Study, name: str, prepared: dict[str, Path], output: Path) -> xr.Dataset:
    evaluate_baseline(study, name, *prepared.values(), output)
    return read_scores(output)


def test_persistence_of_linear_growth(
    tiny_study: Study, prepared: dict[str, Path], tmp_path: Path
) -> None:
    """The forecast lags by slope x horizon everywhere, in every sample."""
    scores = score(tiny_study, "persistence", prepared, tmp_path / "scores.nc")
    for horizon in (12, 24):
        found = scores.sel(horizon_h=horizon)
        lag = np.array([SLOPE[name] * horizon for name in TARGETS])
        np.testing.assert_allclose(found["rmse"], lag, rtol=1e-5)
        np.testing.assert_allclose(found["mae"], lag, rtol=1e-5)
        np.testing.assert_allclose(found["bias"], -lag, rtol=1e-5)
        np.testing.assert_allclose(found["map_bias"][:, 3, 4], -lag, rtol=1e-5)
    np.testing.assert_allclose(scores["correlation"], 1, rtol=1e-6)
    assert int(scores["map_mse"].isnull().any(["horizon_h", "pollutant"]).sum()) == 1
    assert scores.attrs["kind"] == "baseline"
    assert (scores.attrs["name"], scores.attrs["seed"]) == ("persistence", -1)
    assert scores.attrs["data_source"] == "simulated"
    assert scores.attrs["cells_skipped"] == 0


def test_samples_are_all_those_of_the_test_split_whose_hours_are_there(
    tiny_study: Study, prepared: dict[str, Path], tmp_path: Path
) -> None:
    scores = score(tiny_study, "persistence", prepared, tmp_path / "scores.nc")
    inits = pd.date_range("2016-03-05", "2016-03-08 21:00", freq="3h")
    assert scores["init_time"].to_index().equals(inits)
    exists = scores["init_mse"].notnull().all("pollutant")
    last = pd.Timestamp("2016-03-08 23:00")
    for horizon in (12, 24):
        valid = inits + pd.Timedelta(hours=horizon)
        in_split = inits + pd.Timedelta(hours=24) <= last  # the longest horizon decides
        expected = in_split & (inits != ABSENT) & (valid != ABSENT)
        np.testing.assert_array_equal(exists.sel(horizon_h=horizon), expected)
    assert scores.attrs["samples"] == int(exists.sum())


def test_climatology_of_linear_growth(
    tiny_study: Study, prepared: dict[str, Path], tmp_path: Path
) -> None:
    """Five training days average to the value of the third one at the same hour of the day."""
    scores = score(tiny_study, "climatology", prepared, tmp_path / "scores.nc")
    middle = pd.Timestamp("2016-02-28")
    for horizon in (12, 24):
        at_horizon = scores.sel(horizon_h=horizon)
        inits = at_horizon["init_time"][at_horizon["init_mse"].notnull().all("pollutant")]
        valid = inits.to_index() + pd.Timedelta(hours=horizon)
        days = (valid.normalize() - middle).days.to_numpy()
        for name in TARGETS:
            error = -SLOPE[name] * 24 * days
            found = at_horizon.sel(pollutant=name)
            np.testing.assert_allclose(found["bias"], error.mean(), rtol=1e-5)
            np.testing.assert_allclose(found["rmse"], np.sqrt((error**2).mean()), rtol=1e-5)


def test_batch_size_changes_nothing(
    tiny_study: Study, prepared: dict[str, Path], tmp_path: Path
) -> None:
    found = []
    for size in (1, 5, 1000):
        evaluation = tiny_study.evaluation.model_copy(update={"batch_size": size})
        study = tiny_study.model_copy(update={"evaluation": evaluation})
        found.append(score(study, "persistence", prepared, tmp_path / f"{size}.nc"))
    xr.testing.assert_identical(found[0], found[1])
    xr.testing.assert_identical(found[0], found[2])


def test_unknown_baseline_is_refused(
    tiny_study: Study, prepared: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(AirshedError, match="persistence, climatology"):
        score(tiny_study, "oracle", prepared, tmp_path / "scores.nc")


@pytest.mark.parametrize(
    ("init", "horizon"), [("2016-03-05 01:00", 12), ("2016-03-01", 12), ("2016-03-05", 13)]
)
def test_samples_of_another_split_or_horizon_are_refused(
    tiny_study: Study, prepared: dict[str, Path], init: str, horizon: int
) -> None:
    static = xr.load_dataset(prepared["static.nc"])
    rows = pd.DataFrame({"init_time": [pd.Timestamp(init)], "horizon_h": [horizon]})
    fields = np.zeros((1, 6, ROWS, COLUMNS))
    with pytest.raises(AirshedError, match=f"horizon {horizon} h"):
        evaluate_forecasts(score_accumulator(tiny_study, static), [(rows, fields, fields)])
