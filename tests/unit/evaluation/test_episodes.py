"""Episodes against plain numpy over the samples that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fields import lambert_grid, random_batches
from pydantic import ValidationError
from scoring import TARGET_VARIABLES

from airshed.config.supplement import Episode
from airshed.data.climatology import Climatology
from airshed.data.sphere import in_box
from airshed.errors import AirshedError
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Domain
from airshed.evaluation.episodes import EpisodeMaps, episode_table, map_times
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.scores import Subject
from airshed.variables import TARGETS

HORIZONS = (12, 24)
INITS = pd.date_range("2016-03-05", periods=10, freq="6h", unit="ns")
GRID = lambert_grid()
PERIOD = Period(INITS, HORIZONS, TARGET_VARIABLES)


def episode(**changes: Any) -> Episode:
    values = {
        "start": "2016-03-06",
        "end": "2016-03-06",
        "box": {"south": 30, "north": 40, "west": 98, "east": 112},
        "map_times": ["2016-03-06T06:00", "2016-03-06T18:00"],
        "transect": {"start": [34, 96], "end": [36, 112], "points": 40},
    }
    return Episode.model_validate(values | changes)


def gathered(**changes: Any) -> EpisodeMaps:
    maps = EpisodeMaps("haze", episode(**changes), GRID, PERIOD)
    for batch in random_batches(INITS, HORIZONS):
        maps.add(batch)
    return maps


def table_of(**changes: Any) -> pd.DataFrame:
    domain, episodes = Domain.of(GRID), {"haze": episode(**changes)}
    climatology = Climatology(np.full((1, 24, len(TARGETS), *domain.mask.shape), 40, np.float32))
    scores = GriddedScores(PERIOD, domain, climatology, episodes=episodes)
    for batch in random_batches(INITS, HORIZONS):
        scores.add(batch)
    baseline = Subject("baseline", "random", -1, "d", "simulated", "abc")
    return episode_table(scores.dataset(baseline), episodes, domain)


def test_scores_equal_numpy_over_the_days_and_the_box() -> None:
    lat, lon = GRID["lat2d"].values, GRID["lon2d"].values
    inside = (lat >= 30) & (lat <= 40) & (lon >= 98) & (lon <= 112)
    inside &= GRID["domain_mask"].values == 1
    table = table_of().set_index(["pollutant", "horizon_h"])
    for h, horizon in enumerate(HORIZONS):
        chosen = [
            batch
            for batch in random_batches(INITS, HORIZONS)
            if batch.samples.valid_times[h].normalize() == pd.Timestamp("2016-03-06")
        ]
        for p, name in enumerate(TARGETS):
            parts = [
                np.concatenate([getattr(batch, key)[h, p][inside] for batch in chosen])
                for key in ("forecast", "observed", "initial")
            ]
            forecast, truth, initial = (part[np.isfinite(sum(parts))] for part in parts)
            row = table.loc[(name, horizon)]
            error = forecast.astype(float) - truth
            assert row["samples"] == len(chosen) == 4
            assert row["cells"] == inside.sum()
            assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
            assert row["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
            assert row["bias"] == pytest.approx(error.mean(), rel=1e-4, abs=1e-4)
            assert row["correlation"] == pytest.approx(np.corrcoef(forecast, truth)[0, 1], abs=1e-5)
            lasting = np.sqrt(((initial.astype(float) - truth) ** 2).mean())
            assert row["persistence_rmse"] == pytest.approx(lasting, rel=1e-5)


def test_maps_are_the_fields_at_the_times_that_were_asked_for() -> None:
    found = gathered().dataset()
    batches = {batch.samples.init_times[0]: batch for batch in random_batches(INITS, HORIZONS)}
    rows, columns = found["row"].values, found["column"].values
    window = np.ix_(rows, columns)
    np.testing.assert_array_equal(found["latitude"], GRID["lat2d"].values[window])
    np.testing.assert_array_equal(found["cell_elevation"], GRID["elevation"].values[window])
    inside = in_box(found["latitude"].values, found["longitude"].values, episode().box) & (
        GRID["domain_mask"].values[window] == 1
    )
    for valid in map_times(episode()):
        for h, horizon in enumerate(HORIZONS):
            batch = batches[valid - pd.Timedelta(hours=horizon)]
            for key, field in (("forecast", "forecast"), ("truth", "observed")):
                at = found[key].sel(map_time=valid)
                at = at.sel(horizon_h=horizon) if key == "forecast" else at
                expected = getattr(batch, field)[h][:, *window]
                np.testing.assert_array_equal(at, np.where(inside, expected, np.nan))


def test_a_transect_follows_the_terrain() -> None:
    found = gathered().dataset()
    longitudes = found["transect_longitude"].values
    assert found["transect_distance"].values[0] == 0
    assert np.diff(found["transect_distance"]).std() < 1e-6
    crest = longitudes[found["transect_elevation"].values.argmax()]
    assert crest == pytest.approx(100, abs=1)
    assert found["transect_elevation"].max() > 2000
    assert found["transect_forecast"].notnull().any("point").all()
    assert found["transect_forecast"].dims == ("map_time", "horizon_h", "pollutant", "point")


def test_an_interrupted_episode_goes_on_as_if_nothing_had_been() -> None:
    batches = random_batches(INITS, HORIZONS)
    first = EpisodeMaps("haze", episode(), GRID, PERIOD)
    for batch in batches[:5]:
        first.add(batch)
    second = EpisodeMaps("haze", episode(), GRID, PERIOD)
    second.restore({key: np.array(value) for key, value in first.state().items()})
    for batch in batches[5:]:
        second.add(batch)
    assert second.dataset().identical(gathered().dataset())


def test_an_episode_without_samples_has_no_scores() -> None:
    table = table_of(start="2016-05-01", end="2016-05-02", map_times=[])
    assert (table["samples"] == 0).all()
    assert table[["rmse", "bias", "correlation"]].isna().all(axis=None)


def test_maps_every_twelve_hours_unless_times_are_named() -> None:
    found = map_times(episode(end="2016-03-07", map_times=[]))
    assert list(found.strftime("%d %H")) == ["06 00", "06 12", "07 00", "07 12"]


def test_regions_and_lines_beyond_the_grid_are_refused() -> None:
    with pytest.raises(AirshedError, match=r"episodes\.haze\.box"):
        gathered(box={"south": -50, "north": -40, "west": 0, "east": 10})
    with pytest.raises(AirshedError, match="leaves the study grid"):
        gathered(transect={"start": [34, 96], "end": [80, 96]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"map_times": ["2016-03-09T06:00"]}, "outside"),
        ({"map_times": ["2016-03-06T06:30"]}, "whole hour"),
        ({"map_times": ["2016-03-06T06:00+08:00"]}, "time zone"),
        ({"box": {"south": 40, "north": 30, "west": 98, "east": 112}}, "empty"),
        ({"transect": {"start": [34, 96], "end": [34, 96]}}, "starts where it ends"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        episode(**changes)
