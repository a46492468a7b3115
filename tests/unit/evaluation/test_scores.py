from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import pearsonr

from airshed.errors import AirshedError
from airshed.evaluation.scores import ScoreAccumulator, read_scores, write_scores
from airshed.variables import TARGETS

HORIZONS = (12, 48)
INITS = pd.date_range("2018-01-01", periods=5, freq="6h", unit="ns")
ROWS, COLUMNS = 4, 5
LAT, LON = np.mgrid[30.0 : 30.0 + ROWS, 100.0 : 100.0 + COLUMNS]
MASK = np.ones((ROWS, COLUMNS), dtype=bool)
MASK[0, :2] = False
PROVENANCE = {
    "name": "wind_baseline",
    "seed": 3,
    "study": "tiny",
    "dataset_name": "simulated_china",
    "data_source": "simulated",
    "commit": "abc",
}


def fields(offset: float = 50.0) -> tuple[np.ndarray, np.ndarray]:
    """Forecast and truth [init, horizon, 6, Y, X], truth with holes."""
    rng = np.random.default_rng(1)
    truth = offset + 10 * rng.normal(size=(len(INITS), len(HORIZONS), 6, ROWS, COLUMNS))
    forecast = truth + 4 * rng.normal(size=truth.shape) + 1
    truth[rng.random(truth.shape) < 0.1] = np.nan
    return forecast, truth


def accumulator() -> ScoreAccumulator:
    return ScoreAccumulator(HORIZONS, INITS, MASK, LAT, LON)


def filled(forecast: np.ndarray, truth: np.ndarray) -> ScoreAccumulator:
    scores = accumulator()
    for init in range(len(INITS)):
        for horizon in range(len(HORIZONS)):
            scores.add(init, horizon, forecast[init, horizon], truth[init, horizon])
    return scores


def as_dataset(scores: ScoreAccumulator, **changes: Any) -> xr.Dataset:
    return scores.dataset(**({"kind": "variant"} | PROVENANCE | changes))


def test_metrics_equal_plain_numpy_and_scipy() -> None:
    forecast, truth = fields()
    scores = as_dataset(filled(forecast, truth))
    for h, horizon in enumerate(HORIZONS):
        for p, pollutant in enumerate(TARGETS):
            valid = MASK & np.isfinite(truth[:, h, p])
            one, other = forecast[:, h, p][valid], truth[:, h, p][valid]
            found = scores.sel(horizon_h=horizon, pollutant=pollutant)
            np.testing.assert_allclose(found["rmse"], np.sqrt(np.mean((one - other) ** 2)))
            np.testing.assert_allclose(found["mae"], np.mean(np.abs(one - other)))
            np.testing.assert_allclose(found["bias"], np.mean(one - other))
            np.testing.assert_allclose(found["correlation"], pearsonr(one, other).statistic)


def test_per_init_and_per_cell_errors_equal_plain_numpy() -> None:
    forecast, truth = fields()
    scores = as_dataset(filled(forecast, truth))
    error = np.where(MASK, forecast - truth, np.nan)
    per_init = np.nanmean(error**2, axis=(-1, -2))
    np.testing.assert_allclose(scores["init_mse"], per_init)
    for name, values in (("map_mse", error**2), ("map_bias", error)):
        expected = np.full((len(HORIZONS), 6, ROWS, COLUMNS), np.nan)
        expected[..., MASK] = np.nanmean(values[..., MASK], axis=0)
        np.testing.assert_allclose(scores[name], expected, rtol=1e-6, atol=1e-6)
        assert scores[name].dtype == np.float32


def test_a_hand_made_case() -> None:
    scores = ScoreAccumulator(
        (12,), INITS[:2], np.array([[True, True, False]]), *[np.zeros((1, 3))] * 2
    )
    truth = np.zeros((6, 1, 3))
    scores.add(0, 0, truth + np.array([3.0, 4.0, 99.0]), truth)
    scores.add(1, 0, truth + np.array([0.0, -1.0, 99.0]), truth)
    found = as_dataset(scores).isel(horizon_h=0, pollutant=0)
    assert found["rmse"] == pytest.approx(np.sqrt((9 + 16 + 0 + 1) / 4))
    assert found["mae"] == 2.0
    assert found["bias"] == 1.5
    assert found["init_mse"].values.tolist() == [12.5, 0.5]
    np.testing.assert_array_equal(found["map_bias"], [[1.5, 1.5, np.nan]])
    assert np.isnan(found["correlation"])
    assert found.attrs["samples"] == 2


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 10])
def test_any_split_into_batches_gives_the_same(batch: int) -> None:
    forecast, truth = fields()
    pairs = [(i, h) for i in range(len(INITS)) for h in range(len(HORIZONS))]
    scores = accumulator()
    for start in range(0, len(pairs), batch):
        inits, horizons = np.array(pairs[start : start + batch]).T
        scores.add(inits, horizons, forecast[inits, horizons], truth[inits, horizons])
    xr.testing.assert_identical(as_dataset(scores), as_dataset(filled(forecast, truth)))


def test_correlation_survives_a_large_offset() -> None:
    """Sums of raw squares would lose all digits at a mean of 1e9 and a spread of 10."""
    near, far = fields(offset=0.0), fields(offset=1e9)
    found, expected = (as_dataset(filled(*pair))["correlation"] for pair in (far, near))
    assert (expected > 0.8).all()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_float32_fields_are_accumulated_in_float64() -> None:
    forecast, truth = (values.astype(np.float32) for values in fields(offset=1e5))
    found = as_dataset(filled(forecast, truth))
    expected = as_dataset(filled(forecast.astype(np.float64), truth.astype(np.float64)))
    xr.testing.assert_identical(found, expected)


def test_missing_samples_stay_nan_and_count_nowhere() -> None:
    forecast, truth = fields()
    scores = accumulator()
    scores.add(2, 1, forecast[2, 1], truth[2, 1])
    found = as_dataset(scores)
    assert int(found["init_mse"].notnull().any("pollutant").sum()) == 1
    assert found["rmse"].sel(horizon_h=12).isnull().all()
    np.testing.assert_allclose(
        found["rmse"].sel(horizon_h=48) ** 2, found["init_mse"][2].sel(horizon_h=48)
    )


def test_cells_without_forecast_are_skipped_and_counted_for_a_baseline() -> None:
    forecast, truth = fields()
    forecast[0, 0, 0, 1, 1], truth[0, 0, 0, 1, 1] = np.nan, 50.0
    forecast[0, 0, 0, 1, 2], truth[0, 0, 0, 1, 2] = np.nan, np.nan
    forecast[0, 0, 0, 0, 0] = np.nan
    scores = filled(forecast, truth)
    assert as_dataset(scores, kind="baseline").attrs["cells_skipped"] == 1
    with pytest.raises(AirshedError, match="not finite"):
        as_dataset(scores)


def test_samples_are_added_once_and_in_shape() -> None:
    forecast, truth = fields()
    scores = filled(forecast, truth)
    with pytest.raises(ValueError, match="came twice"):
        scores.add(0, 0, forecast[0, 0], truth[0, 0])
    with pytest.raises(ValueError, match="shape"):
        accumulator().add(0, 0, forecast[0, 0].swapaxes(1, 2), truth[0, 0])


def test_written_scores_are_read_back_the_same_and_have_the_agreed_form(tmp_path: Path) -> None:
    path = tmp_path / "run" / "scores.nc"
    scores = as_dataset(filled(*fields()))
    write_scores(scores, path)
    found = read_scores(path)
    xr.testing.assert_identical(found, scores)
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.nc"]
    assert dict(found.sizes) == {
        "horizon_h": 2, "pollutant": 6, "init_time": 5, "y": ROWS, "x": COLUMNS
    }  # fmt: skip
    assert found["init_time"].dtype == "datetime64[ns]"
    assert found["units"].sel(pollutant="co").item() == "mg m-3"
    assert found.attrs["seed"] == 3
    assert found.attrs["data_source"] == "simulated"


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        write_scores(as_dataset(filled(*fields())), tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda scores: scores.assign_attrs(format_version=0), "format version"),
        (lambda scores: scores.drop_vars("init_mse"), "init_mse"),
        (lambda scores: scores.rename(y="row"), "map_mse"),
        (lambda scores: scores.drop_attrs(), "format version"),
        (lambda scores: scores.isel(pollutant=slice(None, None, -1)), "pollutants pm25, pm10"),
        (lambda scores: scores.isel(pollutant=0), "rmse"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, change: Any, expected: str) -> None:
    path = tmp_path / "scores.nc"
    write_scores(change(as_dataset(filled(*fields()))), path)
    with pytest.raises(AirshedError, match=expected) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_netcdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.nc"
    path.write_text("no")
    with pytest.raises(AirshedError, match="cannot be read"):
        read_scores(path)
    with pytest.raises(AirshedError, match="cannot be read"):
        read_scores(tmp_path / "absent.nc")
