"""Cost and the bias's use on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from airshed.errors import AirshedError
from airshed.integrity.formats import COST, INTERPRETATION, VERSION
from airshed.report import ablation, answer, bias, supplement
from airshed.report.drawing import Drawing
from airshed.report.figures import episodes, exceedance
from airshed.report.figures.stations import stations as station_figure
from airshed.report.loading import load_results
from airshed.report.results import Results
from airshed.variables import TARGETS

Made = Any  # see conftest.py
Make = Callable[..., Made]


def write_cost(made: Made, variants: dict[str, Any]) -> None:
    content = {VERSION: COST.version, "variants": variants}
    (made.results / "cost.json").write_text(json.dumps(content))


def test_measured_overhead_replaces_the_wall_clock(make: Make) -> None:
    made = make()

    def told() -> tuple[str, str, str]:
        results = load_results(made.study, made.results, made.data)
        row = ablation.ablation(results).rows[1]
        sentence = answer.effect(results, "physics_mask")
        return row[4].replace("\u00a0", " "), sentence, ablation.caption(results)

    cell, sentence, caption = told()  # 0.049 s against 0.040 s
    assert cell == "+22.5 %"
    assert sentence.endswith(
        "A training step takes 22.5\u00a0% longer (wall clock of different jobs)."
    )
    assert "from the wall clock of different jobs" in caption
    overhead = {"reference": "wind_baseline", "median": 0.031, "p25": -0.01, "p75": 0.05}
    variants = {"wind_baseline": {"overhead": None}, "physics_mask": {"overhead": overhead}}
    write_cost(made, variants)
    cell, sentence, caption = told()
    assert cell == "+3.1 % (\u22121.0 % to +5.0 %)"
    assert sentence.endswith(
        "A training step takes 3.1\u00a0% longer (measured once, in turns; half of the turns lie"
        " between \u22121.0\u00a0% and +5.0\u00a0%)."
    )
    assert "measured once, in turns in one process" in caption


def test_a_cost_of_some_variants_only_is_refused(make: Make) -> None:
    made = make()
    write_cost(made, {"wind_baseline": {}})
    with pytest.raises(AirshedError, match="no physics_mask"):
        load_results(made.study, made.results, made.data)


def interpretation(final: float, zero: float, moved: float) -> str:
    """The parts of interpretation.json that are shown."""
    return json.dumps(
        {
            VERSION: INTERPRETATION.version,
            "samples": {"used": 512, "of": 34656},
            "queries": {"used": 1024, "of": 8192},
            "alpha": {"0": {"final": final}},
            "relative_loss_change": {
                "alpha_zero": zero,
                "alpha_doubled": -zero / 2,
                "bias_removed": zero,
            },
            "moved_attention_share": {"mean": moved},
        }
    )


def test_the_use_of_the_bias_is_told_with_its_spread_over_seeds(make: Make) -> None:
    made = make()
    assert bias.table(load_results(made.study, made.results, made.data)).rows == []
    for seed, values in {0: (0.5, 0.02, 0.08), 1: (0.3, 0.04, 0.06)}.items():
        folder = made.results / f"variants/physics_mask/seed{seed}"
        (folder / "interpretation.json").write_text(interpretation(*values))
    results = load_results(made.study, made.results, made.data)
    (row,) = bias.table(results).rows
    shown = " ".join(row).replace("\u00a0", " ")
    assert shown.startswith(
        "physics_mask 2 0.400 \u00b1 0.141 +3.0 % (+2.0 % to +4.0 %) \u22121.5 %"
    )
    assert shown.endswith("7.0 % (6.0 % to 8.0 %)")
    assert "From 512 of 34,656 test samples, and 1,024 of 8,192 tokens" in bias.how(results)


def test_stations_episodes_and_other_forecasts_have_tables(make: Make) -> None:
    """Two seeds of one variant: their mean; a forecast without a value is missing."""
    made = make()
    update = {"stations": "named", "episodes": {"haze": None}, "external": {"cams": None}}
    study = made.study.model_copy(update=update)
    for variant in study.variants:
        for seed in study.seeds:
            write_episode(made, variant, seed)
    for_all = {"pollutant": "o3", "horizon_h": 12, "samples": 40}
    at_stations = for_all | {"name": "mask", "stations": 7, "reanalysis_rmse": 3.0}
    pd.DataFrame(
        [
            at_stations | {"seed": 0, "stations_used": "all", "rmse": 10.0},
            at_stations | {"seed": 1, "stations_used": "all", "rmse": 12.0},
            at_stations | {"seed": 0, "stations_used": "height_within", "rmse": 9.0},
        ]
    ).to_csv(made.results / "stations.csv", index=False)
    rows = [{"name": "mask", "rmse": 5.0}, {"name": "cams", "rmse": 8.0}]
    for section, column, name in (
        ("external", "external", "cams"),
        ("episodes", "episode", "haze"),
    ):
        table = pd.DataFrame([for_all | {column: name} | row for row in rows])
        table.to_csv(made.results / f"{section}.csv", index=False)
    results = load_results(study, made.results, made.data)
    label = "O3\u00a0(\u00b5g\u00a0m\u207b\u00b3)"
    assert supplement.stations(results).rows == [
        [label, "mask", "12 h", "7", "11", "9", "3"],
    ]
    for table, first in (
        (supplement.external(results), "cams"),
        (supplement.episodes(results), "haze"),
    ):
        assert table.header[4:] == ["mask", "cams"]
        assert table.rows == [[first, label, "12 h", "40", "5", "8"]]

    check_drawings(results)


def check_drawings(results: Results) -> None:
    """At the second time no forecast was made: it is missing in the data and said in the map."""
    maps = episodes.episode_maps(results, "haze", "physics_mask", folded=True)
    shown = maps.data.groupby(["shown", "map_time"])["value"].mean().unstack("map_time")
    assert shown.loc["observed"].to_numpy() == pytest.approx([50.0, 50.0])
    assert shown.loc["physics_mask, 24 h before"].iloc[0] == pytest.approx(40.5)  # of two seeds
    assert np.isnan(shown.loc["physics_mask, 24 h before"].iloc[1])
    assert sum("no forecast" in words for words in texts(maps)) == 2  # in both models' rows
    assert "observed 50, wind_baseline 40, physics_mask 40" in maps.alt
    transect = episodes.episode_transect(results, "haze")
    assert transect is not None
    assert "3000 m, lies at 100 km" in transect.alt
    stations = station_figure(results)
    assert texts(stations).count("not observed") == 5  # all but ozone


def texts(drawing: Drawing) -> list[str]:
    """Everything written into the panels of a figure."""
    return [text.get_text() for panel in drawing.figure.axes for text in panel.texts]


def write_episode(made: Made, variant: str, seed: int) -> None:
    """Truth 50, forecasts 40 plus the seed at the first time of two and at no other."""
    plane = {"row": 3, "column": 4}
    lat, lon = np.meshgrid([30.0, 31.0, 32.0], [100.0, 101.0, 102.0, 103.0], indexing="ij")
    shape = {"map_time": 2, "horizon_h": 2, "pollutant": 6}
    forecast = np.full((*shape.values(), *plane.values()), np.nan)
    forecast[0] = 40.0 + seed
    line = forecast[..., 0, :3]
    found = xr.Dataset(
        {
            "forecast": ((*shape, *plane), forecast),
            "truth": (("map_time", "pollutant", *plane), np.full((2, 6, 3, 4), 50.0)),
            "cell_elevation": (tuple(plane), lat * 50),
            "transect_forecast": ((*shape, "point"), line),
            "transect_truth": (("map_time", "pollutant", "point"), np.full((2, 6, 3), 50.0)),
            "transect_elevation": ("point", [100.0, 3000.0, 200.0]),
        },
        coords={
            "map_time": pd.date_range("2016-03-06", periods=2, freq="12h"),
            "horizon_h": made.study.horizons_h,
            "pollutant": list(TARGETS),
            "latitude": (tuple(plane), lat),
            "longitude": (tuple(plane), lon),
            "transect_distance": ("point", [0.0, 100.0, 200.0]),
        },
    )
    folder = made.results / f"variants/{variant}/seed{seed}/supplement"
    folder.mkdir()
    found.to_netcdf(folder / "episode_haze.nc")


def test_exceedances_that_cannot_be_scored_say_why(make: Make) -> None:
    """Sixty pairs above the limit for PM2.5, of which a model forecast none, and two for SO2."""
    made = make()
    path = made.results / "scores.csv"
    rows = [
        (name, seed, pollutant, 12, f"{metric}_daily", value, "1")
        for name, seed in (("wind_baseline", 0), ("physics_mask", 0))
        for pollutant, misses in (("pm25", 60), ("so2", 2))
        for metric, value in (
            *(("hits", 0), ("misses", misses), ("false_alarms", 15)),
            *(("hit_rate", 0.0), ("critical_success_index", np.nan)),
        )
    ]
    scores = pd.read_csv(path)
    added = pd.DataFrame(rows, columns=scores.columns)
    pd.concat([scores, added]).to_csv(path, index=False)
    results = load_results(made.study, made.results, made.data)
    counted = exceedance.events(results, "daily")
    assert (counted["pm25"], counted["so2"]) == (60, 2)
    assert not exceedance.events(results, "hourly").any()
    assert exceedance.exceedance(results, "hourly") is None
    drawing = exceedance.exceedance(results, "daily")
    assert drawing is not None
    titles = [panel.get_title() for panel in drawing.figure.axes if panel.get_title()]
    assert titles == ["PM2.5\n> 75 \u00b5g m\u207b\u00b3"]
    assert texts(drawing).count("undefined:\nnone forecast") == 2  # false alarms, success index
    bias = drawing.data.query("metric == 'frequency_bias' and pollutant == 'pm25'")
    assert bias["value"].tolist() == [0.25, 0.25]  # 15 forecast for 60
    daily, hourly = exceedance.sentences(results)
    assert "PM2.5 60" in daily
    assert "limits for hourly means" in hourly
    assert daily.endswith("Fewer than 50 are not drawn: PM10, SO2, NO2, CO and O3.")


def test_a_study_without_them_has_no_such_tables(make: Make) -> None:
    made = make()
    results = load_results(made.study, made.results, made.data)
    parts = (supplement.stations, supplement.external, supplement.episodes)
    assert [part(results).rows for part in parts] == [[], [], []]
