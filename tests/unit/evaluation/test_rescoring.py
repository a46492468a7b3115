"""Scores of a part of the test period, from sums, against scoring that part alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fields import COLUMNS, ROWS, lambert_grid, random_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring import TARGET_VARIABLES

from airshed.config.evaluation import EvaluationConfig
from airshed.config.supplement import Episode
from airshed.data.climatology import Climatology
from airshed.evaluation.aggregation import BLOCK_DAYS, Period
from airshed.evaluation.batch import Batch, Domain
from airshed.evaluation.binning import RuggednessByWind, ruggedness_m
from airshed.evaluation.episodes import episode_table
from airshed.evaluation.gridded import COARSE_CELLS, GriddedScores
from airshed.evaluation.rescoring import init_mse, metrics_of, rescored, rescored_jointly
from airshed.evaluation.scores import CELLS, METRICS, STATIONS, Subject, read_scores, write_scores
from airshed.evaluation.stations.scorer import StationScores
from airshed.variables import TARGETS

HORIZONS = (12, 24)
INITS = pd.date_range("2016-02-28", periods=10, freq="6h", unit="ns")
GRID = lambert_grid()
SUBJECT = Subject("baseline", "random", -1, "d", "simulated", "abc")
CLASSES = EvaluationConfig(
    elevation_edges_m=(500, 2000), ruggedness_edges_m=(300,), wind_speed_edges_ms=(2, 5)
)
EPISODES = {
    "haze": Episode.model_validate(
        {
            "start": "2016-02-29",
            "end": "2016-03-01",
            "box": {"south": 30, "north": 40, "west": 98, "east": 112},
        }
    )
}


def batches() -> list[Batch]:
    """Forecasts near the limits of exceedances, and wind of every class."""
    made = random_batches(INITS, HORIZONS)
    rng = np.random.default_rng(5)
    for batch in made:
        batch.wind_speed_ms[:] = rng.uniform(0, 8, batch.wind_speed_ms.shape)
        for fields in (batch.forecast, batch.observed, batch.initial):
            fields *= 3
            fields[:, TARGETS.index("co")] /= 30
    return made


def climatology() -> Climatology:
    rng = np.random.default_rng(1)
    fields = rng.uniform(20, 60, (1, 24, len(TARGETS), ROWS, COLUMNS))
    return Climatology(fields.astype(np.float32))


def observations() -> xr.Dataset:
    """Three stations, a gap in one of them."""
    hours = pd.date_range(INITS[0], periods=120, freq="h", unit="ns")
    values = 3 * np.random.default_rng(2).gamma(2.0, 20.0, (3, len(TARGETS), len(hours)))
    values[:, TARGETS.index("co")] /= 30
    values[1, :, 20:40] = np.nan
    return xr.Dataset(
        {
            "value": (("station", "pollutant", "time"), values),
            "height_match": ("station", ["within", "mismatch", "within"]),
        },
        coords={
            "station": ["a", "b", "c"],
            "pollutant": list(TARGETS),
            "time": hours,
            "latitude": ("station", [34.0, 36.0, 35.0]),
            "longitude": ("station", [100.0, 104.0, 110.0]),
        },
        attrs={"matching": "bilinear"},
    )


def scored(chosen: list[int]) -> xr.Dataset:
    """The scores of the samples of these init times, in any of the file's forms."""
    period = Period(INITS, HORIZONS, TARGET_VARIABLES)
    gridded = GriddedScores(period, Domain.of(GRID), climatology(), CLASSES, EPISODES)
    stations = StationScores(period, observations(), GRID, climatology())
    made = batches()
    for number in chosen:
        gridded.add(made[number])
        stations.add(made[number])
    return gridded.dataset(SUBJECT).assign(stations.variables())


WHOLE = scored(list(range(len(INITS))))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(INITS) - 1), min_size=1, unique=True))
def test_sums_give_every_score_of_any_init_times(chosen: list[int]) -> None:
    """Contingency tables, correlations, classes, seasons, episodes and stations included.

    Joint classes keep float32 of each init time, so that their RMSE is exact to some 1e-7.
    """
    alone = scored(sorted(chosen))
    for support in (CELLS, STATIONS):
        found = rescored(WHOLE, INITS[chosen], support)
        expected = rescored(alone, support=support)
        np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(found["pairs"], expected["pairs"])
    found, expected = rescored_jointly(WHOLE, INITS[chosen]), rescored_jointly(alone)
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-9)
    np.testing.assert_array_equal(found["pairs"], expected["pairs"])
    domain = rescored(WHOLE, INITS[chosen]).sel(bin="all")["value"]
    for metric in METRICS:  # what scores.csv holds
        np.testing.assert_allclose(domain.sel(metric=metric), alone[metric], rtol=1e-9, atol=1e-9)


def test_every_kind_of_bin_and_event_occurs() -> None:
    found = rescored(WHOLE)
    kinds = set(found["bin_kind"].values.tolist())
    assert kinds == {"domain", "season", "wind_speed", "elevation", "ruggedness", "episode"}
    filled = found["pairs"].sum(["horizon_h", "pollutant"]) > 0
    assert set(found["bin"].values[~filled.values]) == {"JJA", "SON"}
    hits = found["value"].sel(metric="hits_daily", bin="all")
    assert (hits > 0).all()
    at_stations = rescored(WHOLE, support=STATIONS)
    assert at_stations["bin"].values.tolist() == ["all", "within"]
    assert (at_stations["value"].sel(metric="reanalysis_rmse") > 0).all()


def test_an_init_time_that_is_named_twice_counts_twice() -> None:
    twice = rescored(WHOLE, INITS[[0, 3, 3]]).sel(bin="all")
    once = [rescored(WHOLE, INITS[[number]]).sel(bin="all") for number in (0, 3)]
    np.testing.assert_array_equal(twice["pairs"], once[0]["pairs"] + 2 * once[1]["pairs"])
    squares = [one["value"].sel(metric="rmse") ** 2 * one["pairs"] for one in once]
    expected = np.sqrt((squares[0] + 2 * squares[1]) / twice["pairs"])
    np.testing.assert_allclose(twice["value"].sel(metric="rmse"), expected, rtol=1e-12)


def test_disjoint_bins_add_up_to_the_domain() -> None:
    found = rescored(WHOLE)
    whole = found["pairs"].sel(bin="all")
    for kind in ("season", "wind_speed", "elevation", "ruggedness"):
        part = found["pairs"].isel(bin=(found["bin_kind"] == kind).values)
        np.testing.assert_array_equal(part.sum("bin"), whole)


def test_joint_classes_equal_plain_numpy() -> None:
    """Two classes of ruggedness by three of wind, each with pairs; one init time counts twice."""
    chosen = [0, 3, 3]
    found = rescored_jointly(WHOLE, INITS[chosen])["value"].sel(metric="rmse")
    rugged = ruggedness_m(GRID["elevation"].values) >= 300
    made, inside = [batches()[number] for number in chosen], GRID["domain_mask"].values == 1
    error = np.stack([batch.forecast.astype(np.float64) - batch.observed for batch in made])
    wind = np.stack([batch.wind_speed_ms for batch in made])
    for number, name in enumerate(found["bin"].values):
        calm, strong = [(0, 2), (2, 5), (5, np.inf)][number % 3]
        there = inside & (rugged == (number >= 3)) & (wind >= calm) & (wind < strong)
        squares = np.where(there[:, :, None], error**2, np.nan)
        expected = np.sqrt(np.nanmean(squares, axis=(0, 3, 4)))
        np.testing.assert_allclose(found.sel(bin=name), expected, rtol=1e-6)
    assert found["bin"].values[[0, 5]].tolist() == [
        "below 300 m, below 2 m s-1",
        "from 300 m, from 5 m s-1",
    ]


def test_joint_classes_add_up_to_their_own() -> None:
    """Pairs and squared errors of all winds are those of the class of ruggedness; so for wind."""
    found, joint = rescored(WHOLE), rescored_jointly(WHOLE)
    squared = joint["value"].sel(metric="rmse", drop=True) ** 2 * joint["pairs"]
    for kind in RuggednessByWind.dims:
        own = found.isel(bin=(found["bin_kind"] == kind).values)
        pairs, squares = (
            part.groupby(kind).sum().sel({kind: own["bin"].values}).transpose(kind, ...)
            for part in (joint["pairs"], squared)
        )
        np.testing.assert_array_equal(pairs, own["pairs"])
        rmse = own["value"].sel(metric="rmse")
        np.testing.assert_allclose((squares / pairs) ** 0.5, rmse, rtol=1e-6)


def test_episodes_are_those_of_the_table() -> None:
    table = episode_table(WHOLE, EPISODES, Domain.of(GRID))
    haze = rescored(WHOLE).sel(bin="haze")
    for row in table.itertuples():
        one = haze.sel(pollutant=row.pollutant, horizon_h=row.horizon_h)["value"]
        assert row.rmse == one.sel(metric="rmse")
        assert row.correlation == one.sel(metric="correlation")


def test_block_sums_are_sums_over_days_and_neighbouring_cells() -> None:
    """A long period on a grid with too many cells: squares of 2 x 2, two blocks."""
    rows, columns, inits = 40, 60, pd.date_range("2018-01-01", periods=3, freq="8D")
    assert COARSE_CELLS / 4 < rows * columns / 4 < COARSE_CELLS < rows * columns
    rng = np.random.default_rng(0)
    plane = np.zeros((rows, columns))
    mask = rng.random((rows, columns)) < 0.8
    domain = Domain(mask, plane, plane, plane)
    steady = Climatology(np.ones((1, 24, len(TARGETS), rows, columns), np.float32))
    scores = GriddedScores(Period(inits, (12,), TARGET_VARIABLES), domain, steady)
    fields = rng.random((2, 3, len(TARGETS), rows, columns)).astype(np.float32)
    for number, batch in enumerate(random_batches(inits, (12,))):
        parts = [field[[number]] for field in (*fields, fields[1])]
        scores.add(Batch(batch.samples, *parts, np.ones((1, rows, columns))))
    found = scores.dataset(SUBJECT)
    squares = np.where(mask, (fields[0] - fields[1]) ** 2, 0).astype(np.float64)
    coarse = squares.reshape(3, len(TARGETS), rows // 2, 2, columns // 2, 2).sum(axis=(3, 5))
    np.testing.assert_array_equal(found["block"], inits[[0, 2]])
    assert BLOCK_DAYS == 10
    places = (found["coarse_row"].values // 2, found["coarse_column"].values // 2)
    kept = found["block_sums"].sel(horizon_h=12, block_statistic="squared")
    np.testing.assert_allclose(kept[0], (coarse[0] + coarse[1])[:, *places], rtol=1e-5)
    np.testing.assert_allclose(kept[1], coarse[2][:, *places], rtol=1e-5)


def test_other_kinds_of_sums_may_stand_beside(tmp_path: Path) -> None:
    """Spectra, say, of an ensemble: readers of scores take what they know."""
    members = Subject("ensemble", "mask", -1, "d", "simulated", "abc", "mask", members=5)
    dims = ("init_time", "horizon_h", "pollutant", "wavenumber")
    spectra = np.random.default_rng(0).random((len(INITS), 2, len(TARGETS), 7))
    kept = WHOLE.assign(spectrum_sums=(dims, spectra)).assign_attrs(vars(members))
    write_scores(kept, tmp_path / "scores.nc")
    found = read_scores(tmp_path / "scores.nc")
    xr.testing.assert_identical(found, kept)
    xr.testing.assert_identical(rescored(found), rescored(WHOLE))
    assert found.attrs["members"] == 5
    assert "study" not in found.attrs


def test_the_error_of_each_init_time_is_a_mean_over_cells() -> None:
    mse = init_mse(WHOLE)
    assert mse.dims == ("init_time", "horizon_h", "pollutant")
    for number, batch in enumerate(batches()):
        error = (batch.forecast - batch.observed).astype(np.float64)
        inside = GRID["domain_mask"].values == 1
        expected = np.nanmean(np.where(inside, error, np.nan) ** 2, axis=(2, 3))
        np.testing.assert_allclose(mse[number], expected, rtol=1e-5)


def test_metrics_of_nothing_are_undefined() -> None:
    empty = scored([])
    assert init_mse(empty).isnull().all()
    assert rescored(empty)["value"].sel(metric="rmse").isnull().all()
    sums, events = (empty[name].isel(bin=0).values[0] for name in ("sums", "events"))
    assert np.isnan(metrics_of(sums, events, TARGETS)["rmse"]).all()


@pytest.mark.parametrize("support", [CELLS, STATIONS])
def test_bins_are_written_as_chunks_of_their_own(tmp_path: Path, support: object) -> None:
    inits = pd.date_range("2018-01-01", periods=400, freq="6h", unit="ns")
    period = Period(inits, HORIZONS, TARGET_VARIABLES)
    small = GriddedScores(period, Domain.of(GRID), climatology(), CLASSES).dataset(SUBJECT)
    write_scores(small, tmp_path / "scores.nc")
    with xr.open_dataset(tmp_path / "scores.nc") as opened:
        assert opened["sums"].encoding["chunksizes"][2] == 1
