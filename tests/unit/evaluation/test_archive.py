"""The forecast archive, read back by plain xarray."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scores.continuous import rmse
from scoring import HORIZONS, INITS, PERIOD, Case

from airshed.errors import AirshedError
from airshed.evaluation import forecast_file as module
from airshed.evaluation.archive import ForecastArchive
from airshed.evaluation.scores import Subject
from airshed.variables import TARGETS, VARIABLES


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two init times in a chunk."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 2 * 4 * len(HORIZONS) * 4 * 5)


def archive(case: Case, subject: Subject, path: Path, truth: bool = True) -> ForecastArchive:
    return ForecastArchive(path, PERIOD, case.domain, subject, truth)


def written(case: Case, subject: Subject, path: Path, truth: bool = True) -> xr.Dataset:
    made = archive(case, subject, path, truth)
    for batch in case.batches():
        made.add(batch)
    assert not path.exists()
    made.publish()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return (
            xr.load_dataset(path) if path.suffix == ".nc" else xr.load_dataset(path, engine="zarr")
        )


@pytest.mark.parametrize("name", ["forecasts.zarr", "forecasts.nc"])
def test_plain_xarray_reads_every_forecast_back(
    case: Case, subject: Subject, tmp_path: Path, name: str
) -> None:
    found = written(case, subject, tmp_path / name)
    assert found["pm25"].dims == ("init_time", "horizon", "y", "x")
    outside = ~case.domain.mask
    for row, sample in case.samples.iterrows():
        one = found.sel(init_time=sample["init_time"], horizon=sample["horizon_h"])
        assert one["valid_time"].item() == sample["init_time"].value + sample["horizon_h"] * (
            3600 * 10**9
        )
        for p, name in enumerate(TARGETS):
            expected = np.where(outside, np.nan, case.forecast[row, p])
            np.testing.assert_array_equal(one[name], expected)
            expected = np.where(outside, np.nan, case.truth[row, p])
            np.testing.assert_array_equal(one[f"{name}_truth"], expected)
    missing = found["co"].isnull().all(("y", "x"))
    assert int(missing.sum()) == 1  # the sample that there is none of


@pytest.mark.parametrize("name", ["forecasts.zarr", "forecasts.nc"])
def test_attributes_follow_the_conventions(
    case: Case, subject: Subject, tmp_path: Path, name: str
) -> None:
    found = written(case, subject, tmp_path / name, truth=False)
    assert found.attrs["Conventions"].startswith("CF-")
    assert found.attrs["data_source"] == "simulated"
    assert found["init_time"].attrs["standard_name"] == "forecast_reference_time"
    assert found["horizon"].attrs["standard_name"] == "forecast_period"
    assert found["valid_time"].attrs["standard_name"] == "time"
    assert found["valid_time"].dims == ("init_time", "horizon")
    for name in TARGETS:
        for key in ("units", "standard_name"):
            assert found[name].attrs[key] == getattr(VARIABLES[name], key)
        assert {"lat2d", "lon2d", "valid_time"} <= set(found[name].coords)
    assert not [name for name in found if str(name).endswith("_truth")]
    assert found["horizon"].dtype == np.int64
    assert found["init_time"].to_index().equals(INITS)


def test_scores_of_the_archive_are_the_scores(case: Case, subject: Subject, tmp_path: Path) -> None:
    """With a verification package, as docs/forecast-archive.md does it."""
    found = written(case, subject, tmp_path / "forecasts.zarr")
    scores = case.scored().dataset(subject)
    for name in TARGETS:
        expected = scores["rmse"].sel(pollutant=name)
        one = rmse(found[name], found[f"{name}_truth"], preserve_dims="horizon")
        np.testing.assert_allclose(one, expected, rtol=1e-5)


def test_an_interrupted_archive_goes_on_to_the_same_bytes(
    case: Case, subject: Subject, tmp_path: Path
) -> None:
    batches = case.batches(2)
    for stop in range(1, len(batches)):
        path = tmp_path / f"{stop}.zarr"
        first = archive(case, subject, path)
        for batch in batches[: stop + 1]:  # the last of them comes again
            first.add(batch)
            if batch is batches[stop - 1]:
                state = {name: array.copy() for name, array in first.state().items()}
        second = archive(case, subject, path)
        second.restore(state)
        for batch in batches[stop:]:
            second.add(batch)
        second.publish()
    whole = tmp_path / "whole.zarr"
    written(case, subject, whole)
    for file in whole.rglob("*"):
        if file.is_file():
            for stop in range(1, len(batches)):
                same = tmp_path / f"{stop}.zarr" / file.relative_to(whole)
                assert same.read_bytes() == file.read_bytes()


def test_a_lost_unfinished_archive_is_not_continued(
    case: Case, subject: Subject, tmp_path: Path
) -> None:
    made = archive(case, subject, tmp_path / "forecasts.zarr")
    with pytest.raises(AirshedError, match="is gone"):
        made.restore(made.state())
