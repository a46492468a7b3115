"""``airshed forecast``: files that others open, from archives and stores, after the study's end."""

from __future__ import annotations

import io
import tarfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from laid_out import Laid
from made_once import MadeOnce
from refusals import airshed as command
from refusals import refused

import airshed
from airshed.config import Study
from airshed.config.supplement import ExternalConfig
from airshed.data.stores import open_hourly
from airshed.evaluation.external.reading import open_external
from airshed.forecasting.times import written
from airshed.simulate import simulate
from airshed.variables import TARGETS

LATER = "2016-03-09"  # the day after the study's last


@pytest.fixture(scope="module")
def later(study: Study, made_once: MadeOnce) -> Path:
    """Raw archives of a day after the study's end."""
    day = date.fromisoformat(LATER)
    period = study.dataset.period.model_copy(update={"start": day, "end": day})
    dataset = study.dataset.model_copy(update={"period": period})
    return made_once("later", lambda folder: simulate(dataset, folder / "raw")) / "raw"


def _options(**given: object) -> list[object]:
    return [part for name, value in given.items() for part in (f"--{name}", value)]


def test_hours_after_the_study_are_forecast_from_archives(
    plain: Laid, later: Path, tmp_path: Path
) -> None:
    """As in Python from the same raw hours; the file says the same as the dataset there."""
    output = tmp_path / "new/forecast.nc"
    given = _options(data=later, init=f"{LATER}T18", output=output)
    code, said = command("forecast", plain.runs[0], *given, "--init", f"{LATER}/{LATER}T06/6h")
    assert code == 0, said
    assert "forecasts to forecast.nc: 3/3" in said
    assert [path.name for path in output.parent.iterdir()] == ["forecast.nc"]
    forecaster = airshed.load(plain.runs[0])
    with xr.open_dataset(output) as found:
        assert found["init_time"].dt.hour.values.tolist() == [0, 6, 18]
        for time in found["init_time"].values:
            raw = _raw_hour(later, pd.Timestamp(time))
            expected = forecaster.forecast(raw, time)
            xr.testing.assert_allclose(found.sel(init_time=[time]), expected, rtol=1e-6)
        assert found.attrs == expected.attrs
        for name in TARGETS:
            assert found[name].attrs == expected[name].attrs
        expected.to_netcdf(tmp_path / "again.nc")  # what somebody keeps has the same form
        with xr.open_dataset(tmp_path / "again.nc") as again:
            one = found.isel(init_time=[-1])
            xr.testing.assert_allclose(again, one, rtol=1e-6)
            assert again["co"].encoding["coordinates"] == found["co"].encoding["coordinates"]


def _raw_hour(raw: Path, time: pd.Timestamp) -> xr.Dataset:
    path = raw / f"{time:%Y%m}/CN-Reanalysis{time:%Y%m%d}.tar.gz"
    with tarfile.open(path) as archive:
        member = archive.extractfile(f"CN-Reanalysis{time:%Y%m%d%H}.nc")
        assert member is not None
        return xr.open_dataset(io.BytesIO(member.read()), engine="scipy").load()


def test_an_hourly_store_gives_what_its_archives_give(plain: Laid, tmp_path: Path) -> None:
    """To Zarr and to NetCDF; all seeds are members; the reader of other forecasts opens both."""
    given = _options(init="2016-03-07T03/2016-03-07T06/3h", horizon=24)
    paths = tmp_path / "store.zarr", tmp_path / "raw.nc"
    for data, output in zip((plain.prepared.hourly, plain.raw), paths, strict=True):
        code, said = command("forecast", plain.variant, *given, *_options(data=data, output=output))
        assert code == 0, said
    with xr.open_zarr(paths[0]) as stored, xr.open_dataset(paths[1]) as raw:
        assert dict(stored.sizes) == {
            "init_time": 2,
            "member": 2,
            "horizon": 1,
            "y": 8,
            "x": 16,
        }
        xr.testing.assert_allclose(stored.compute(), raw.compute(), rtol=1e-4)
        forecaster, hours = airshed.load(plain.variant), open_hourly(plain.prepared.hourly)
        expected = forecaster.forecast(hours, stored["init_time"].values, [24])
        xr.testing.assert_allclose(stored.compute(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["forecast.nc", "forecast.zarr"])
def test_the_reader_of_other_forecasts_opens_it(plain: Laid, name: str, tmp_path: Path) -> None:
    output = tmp_path / name
    given = _options(data=plain.prepared.hourly, init="2016-03-07T03", output=output)
    assert command("forecast", plain.runs[1], *given)[0] == 0
    asking = plain.study.model_copy(update={"external": {"x": ExternalConfig(path=str(output))}})
    opened = open_external(asking, "x")
    assert opened.pollutants == TARGETS
    assert opened.init_times.equals(pd.DatetimeIndex(["2016-03-07T03"]))
    assert opened.lead_hours.tolist() == [12, 24]
    with xr.open_dataset(output, **({} if name.endswith("nc") else {"engine": "zarr"})) as found:
        np.testing.assert_array_equal(opened.fields["o3"].values, found["o3"].values)
        np.testing.assert_array_equal(opened.lat_deg, found["lat2d"])


@pytest.mark.parametrize(
    ("data", "init", "said"),
    [
        ("store", f"{LATER}T00", f"{LATER} 00:00:00 UTC"),
        ("raw", f"{LATER}T00", "archives of 2016-02-26 to 2016-03-08"),
        ("nothing", "2016-03-07", "nothing"),
        ("store", "2016-03-07/2016-03-08", "FIRST/LAST/STEP"),
        ("store", "2016-03-07/2016-03-08/6x", "FIRST/LAST/STEP"),
        ("store", "2016-03-08/2016-03-07/6h", "FIRST/LAST/STEP"),
        ("store", "soon", "soon"),
    ],
)
def test_what_cannot_be_forecast_leaves_nothing(
    plain: Laid, data: str, init: str, said: str, tmp_path: Path
) -> None:
    paths = {"store": plain.prepared.hourly, "raw": plain.raw, "nothing": tmp_path / "nothing"}
    output = tmp_path / "forecast.nc"
    given = _options(data=paths[data], init=init, output=output)
    refused(tmp_path, ("forecast", plain.runs[0], *given), said)


def test_init_times_are_sorted_and_each_is_there_once() -> None:
    found = written(["2016-03-02T06", "2016-03-01/2016-03-02T12/12h", "2016-03-02T06Z"])
    expected = ["2016-03-01T00", "2016-03-01T12", "2016-03-02T00", "2016-03-02T06", "2016-03-02T12"]
    assert found.equals(pd.DatetimeIndex(expected, dtype="datetime64[ns]"))
