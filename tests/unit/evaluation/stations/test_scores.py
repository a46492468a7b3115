"""From a table of observations to scores at stations, against plain numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fields import COLUMNS, ROWS, lambert_grid, random_batches
from scoring import TARGET_VARIABLES

from airshed.config import Study
from airshed.config.supplement import StationsConfig
from airshed.data.climatology import Climatology
from airshed.data.sphere import axis_directions
from airshed.data.stores import write_netcdf
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.points import Points
from airshed.evaluation.stations.observations import write_observations
from airshed.evaluation.stations.scorer import StationScores, open_observations
from airshed.evaluation.summaries import write_stations
from airshed.variables import TARGETS

HORIZONS = (12, 24)
INITS = pd.date_range("2016-03-05", periods=10, freq="6h", unit="ns")
PERIOD = Period(INITS, HORIZONS, TARGET_VARIABLES)
HOURS = pd.date_range("2016-03-05", "2016-03-08 23:00", freq="h", unit="ns")
USUAL = Climatology(np.full((1, 24, len(TARGETS), ROWS, COLUMNS), 40, np.float32))
SITES = {  # latitude, longitude, elevation, and whether it is kept
    "low": (35.0, 110.0, 50.0, True),
    "ridge": (34.0, 100.0, 2800.0, True),
    "valley": (36.0, 100.5, 900.0, True),
    "unknown": (33.0, 108.0, np.nan, True),
    "edge": (35.0, 117.8, 10.0, False),
    "far": (10.0, 60.0, 10.0, False),
}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    grid = lambert_grid()
    lat, lon = grid["lat2d"].values, grid["lon2d"].values
    for name, field in axis_directions(lat, lon).items():
        grid[name] = (("y", "x"), field)
    grid["population"] = (("y", "x"), np.ones(lat.shape))
    write_netcdf(grid, tmp_path / "static.nc")
    return tmp_path / "static.nc"


def observed() -> pd.DataFrame:
    """Every site, hour and two pollutants; CO in ug m-3 here."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "station": name,
            "lat": lat,
            "lon": lon,
            "altitude": height,
            "time": time.isoformat(),
            "parameter": pollutant,
            "value": round(rng.gamma(2.0, 20.0) * (1000 if pollutant == "co" else 1), 3),
            "units": "µg/m³",
        }
        for name, (lat, lon, height, _) in SITES.items()
        for time in HOURS
        for pollutant in ("pm25", "co")
    ]
    return pd.DataFrame(rows)


def made(
    study: Study, static: Path, table: pd.DataFrame, **changes: Any
) -> tuple[xr.Dataset, dict[str, Any]]:
    folder = static.parent
    table.to_csv(folder / "table.csv", index=False)
    settings = StationsConfig.model_validate({"tables": ["table.csv"], **changes})
    paths = (folder / "observations.nc", folder / "quality.json")
    write_observations(study, settings, [folder / "table.csv"], static, *paths)
    return open_observations(paths[0], TARGET_VARIABLES), json.loads(paths[1].read_text())


def test_observations_are_matched_converted_and_counted(tiny_study: Study, static: Path) -> None:
    found, quality = made(tiny_study, static, observed())
    assert list(found["station"].values) == sorted(name for name, site in SITES.items() if site[3])
    table = observed().set_index(["station", "parameter", "time"])["value"]
    time = HOURS[17]
    co = found["value"].sel(station="low", pollutant="co", time=time)
    assert co == pytest.approx(table["low", "co", time.isoformat()] / 1000, rel=1e-6)  # mg m-3
    assert quality["stations"]["left_out"]["outside_the_domain"] == ["edge", "far"]
    assert quality["stations"]["matched"] == 4
    assert quality["rows_of_the_pollutants"] == len(observed())
    match = found["height_match"].to_series()
    assert match.to_dict() == {
        "low": "within",
        "ridge": "within",
        "unknown": "unknown",
        "valley": "mismatch",
    }
    difference = found["height_difference"].sel(station="valley")
    assert difference == pytest.approx(900 - found["cell_elevation"].sel(station="valley"))
    assert difference < -300


@pytest.mark.parametrize("matching", ["bilinear", "nearest"])
def test_scores_equal_numpy_station_by_station(
    tiny_study: Study, static: Path, matching: str
) -> None:
    observations, _ = made(tiny_study, static, observed(), matching=matching)
    grid, batches = lambert_grid(), random_batches(INITS, HORIZONS)
    scores = StationScores(PERIOD, observations, grid, USUAL)
    for batch in batches:
        scores.add(batch)
    table = scores.table().set_index(["station", "pollutant", "horizon_h"])
    assert set(table.index.get_level_values("pollutant")) == {"pm25", "co"}
    lat, lon = (observations[name].values for name in ("latitude", "longitude"))
    places = (grid["lat2d"].values, grid["lon2d"].values, lat, lon)
    points = Points(*places, method=matching)  # type: ignore[arg-type]
    for station, name in enumerate(observations["station"].values):
        for h, horizon in enumerate(HORIZONS):
            valid = [batch.samples.valid_times[h] for batch in batches]
            p = TARGETS.index("pm25")
            seen = observations["value"].sel(station=name, pollutant="pm25", time=valid).values
            forecast, truth = (
                np.array([points(getattr(batch, key)[h, p])[station] for batch in batches])
                for key in ("forecast", "observed")
            )
            row, error = table.loc[(name, "pm25", horizon)], forecast - seen
            assert row["samples"] == len(batches)
            assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
            assert row["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
            assert row["bias"] == pytest.approx(error.mean(), rel=1e-4, abs=1e-4)
            assert row["correlation"] == pytest.approx(np.corrcoef(forecast, seen)[0, 1], abs=1e-5)
            missed = np.sqrt(((truth - seen) ** 2).mean())
            assert row["reanalysis_rmse"] == pytest.approx(missed, rel=1e-5)


def test_hours_without_an_observation_do_not_count(tiny_study: Study, static: Path) -> None:
    """PM2.5 of one station is flat for a day: rejected, so its samples are fewer."""
    table = observed()
    flat = (table["station"] == "low") & (table["parameter"] == "pm25")
    flat &= table["time"].str.startswith("2016-03-06")
    table.loc[flat, "value"] = 12.0
    observations, quality = made(tiny_study, static, table)
    assert quality["rejected"]["flat_line"] == {"pm25": 24}
    scores = StationScores(PERIOD, observations, lambert_grid(), USUAL)
    for batch in random_batches(INITS, HORIZONS):
        scores.add(batch)
    samples = scores.table().set_index(["station", "pollutant", "horizon_h"])["samples"]
    assert samples["low", "pm25", 12] == 10 - 4  # one init time in six hours
    assert samples["ridge", "pm25", 12] == samples["low", "co", 12] == 10


def test_an_interrupted_scoring_goes_on_as_if_nothing_had_been(
    tiny_study: Study, static: Path
) -> None:
    observations, _ = made(tiny_study, static, observed())
    batches = random_batches(INITS, HORIZONS)
    given = (PERIOD, observations, lambert_grid(), USUAL)
    whole, first, second = (StationScores(*given) for _ in range(3))
    for batch in batches:
        whole.add(batch)
    for batch in batches[:4]:
        first.add(batch)
    second.restore({key: np.array(value) for key, value in first.state().items()})
    for batch in batches[4:]:
        second.add(batch)
    pd.testing.assert_frame_equal(whole.table(), second.table())


def test_stations_at_two_places_and_without_a_place(tiny_study: Study, static: Path) -> None:
    table = observed()
    table.loc[(table["station"] == "low") & (table.index % 7 == 0), "lat"] += 0.5
    table.loc[table["station"] == "unknown", ["lat", "lon"]] = np.nan
    _, quality = made(tiny_study, static, table)
    assert quality["stations"]["left_out"]["at_two_places"] == ["low"]
    assert quality["stations"]["left_out"]["without_a_position"] == ["unknown"]
    sites = static.parent / "sites.csv"
    sites.write_text("code,lat,lon,elevation\nlow,35,110,50\nunknown,33,108,12\n")
    found, quality = made(tiny_study, static, table, sites=str(sites))
    assert {"low", "unknown"} <= set(found["station"].values)
    assert found["station_elevation"].sel(station="unknown") == 12


def test_what_is_not_read_stands_in_the_quality_table(tiny_study: Study, static: Path) -> None:
    """Times that are none, in a table beside the others; a site that its list has at two places."""
    table = observed()
    table.loc[table.index[:3], "time"] = "yesterday"
    sites = static.parent / "sites.csv"
    sites.write_text("ID,Lat,Lon\nlow,35,110\nlow,35.5,110\n")
    found, quality = made(tiny_study, static, table, sites=str(sites))
    assert quality["rejected"]["time_unreadable"] == {"pm25": 2, "co": 1}
    assert quality["stations"]["left_out"]["at_two_places"] == ["low"]
    assert "low" not in found["station"]


def test_units(tiny_study: Study, static: Path) -> None:
    table = observed()
    ppm = (table["station"] == "ridge") & (table["parameter"] == "co")
    table.loc[ppm, "units"] = "ppm"
    found, quality = made(tiny_study, static, table)
    assert quality["rejected"]["units_ppm"] == {"co": len(HOURS)}
    assert found["value"].sel(station="ridge", pollutant="co").isnull().all()
    # the factor of ppm of CO to mg m-3 at 25 degrees and 1013.25 hPa that is in use: 1.145
    at = {"temperature_c": 25, "pressure_hpa": 1013.25}
    table.loc[ppm, "value"] /= 1000
    known, _ = made(tiny_study, static, table, mixing_ratios_at=at)
    plain, _ = made(tiny_study, static, observed())
    chosen = {"station": "ridge", "pollutant": "co"}
    ratio = known["value"].sel(chosen) / plain["value"].sel(chosen)
    np.testing.assert_allclose(ratio.dropna("time"), 1.145, rtol=1e-3)
    assert ratio.notnull().any()
    bare = observed().drop(columns="units")
    with pytest.raises(AirshedError, match=r"stations\.units\.(co|pm25)"):
        made(tiny_study, static, bare)
    stated = {"co": "ug m-3", "pm25": "ug m-3"}
    again, _ = made(tiny_study, static, bare, units=stated)
    xr.testing.assert_allclose(again["value"], made(tiny_study, static, observed())[0]["value"])


def test_no_station_left_is_an_error_that_says_why(tiny_study: Study, static: Path) -> None:
    far = observed()[lambda rows: rows["station"] == "far"]
    with pytest.raises(AirshedError, match="1 outside_the_domain"):
        made(tiny_study, static, far)


def test_the_summary_pools_over_stations_and_tells_heights_apart(tmp_path: Path) -> None:
    """Squared errors 4 over 1 sample and 1 over 3: root of 7/4."""
    base = {
        "kind": "variant",
        "name": "mask",
        "seed": 0,
        "pollutant": "o3",
        "units": "ug m-3",
        "horizon_h": 12,
        "mae": 1.0,
        "bias": 0.5,
        "correlation": 0.5,
        "reanalysis_rmse": 1.0,
    }
    rows = [
        base | {"station": "a", "height_match": "within", "samples": 1, "rmse": 2.0},
        base | {"station": "b", "height_match": "mismatch", "samples": 3, "rmse": 1.0},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "stations.csv", index=False)
    write_stations([tmp_path / "stations.csv"], tmp_path / "summary.csv")
    found = pd.read_csv(tmp_path / "summary.csv").set_index("stations_used")
    assert found.loc["all", "rmse"] == pytest.approx(np.sqrt(7 / 4))
    assert found.loc["all", ["stations", "samples"]].tolist() == [2, 4]
    assert found.loc["height_within", "rmse"] == pytest.approx(2.0)
    assert found.loc["all", "median_station_rmse"] == pytest.approx(1.5)
