"""Cost and the bias's use on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from airshed.errors import AirshedError
from airshed.formats import COST, INTERPRETATION, VERSION
from airshed.report import bias, tables, text, verification
from airshed.report.results import load_results

Made = Any  # see conftest.py
Make = Callable[..., Made]


def text_of(page: str) -> str:
    """The page's words on one line, tags removed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_measured_overhead_replaces_the_wall_clock(make: Make) -> None:
    made = make()

    def told() -> tuple[str, str, str]:
        results = load_results(made.study, made.results, made.data)
        row = tables.ablation(results).rows[1]
        sentence = text.answer(results, "physics_mask")
        return row[6].replace("\u00a0", " "), sentence, tables.ablation_caption(results)

    cell, sentence, caption = told()  # 0.049 s against 0.040 s
    assert cell == "+22.5 %"
    assert sentence.endswith("A training step takes 22.5\u00a0% longer.")
    assert "from the wall clock of different jobs" in caption
    overhead = {"reference": "wind_baseline", "median": 0.031, "p25": -0.01, "p75": 0.05}
    variants = {"wind_baseline": {"overhead": None}, "physics_mask": {"overhead": overhead}}
    (made.results / "cost.json").write_text(
        json.dumps({VERSION: COST.version, "variants": variants})
    )
    cell, sentence, caption = told()
    assert cell == "+3.1 % (\u22121.0 % to +5.0 %)"
    assert sentence.endswith("A training step takes 3.1\u00a0% longer.")
    assert "steps that took turns in one process" in caption


def test_a_cost_of_some_variants_only_is_refused(make: Make) -> None:
    made = make()
    (made.results / "cost.json").write_text(
        json.dumps({VERSION: COST.version, "variants": {"wind_baseline": {}}})
    )
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
    page = text_of(made.build())
    assert "Is the bias used?" in page
    row = "physics_mask 2 0.400 \u00b1 0.141 +3.0 % (+2.0 % to +4.0 %) \u22121.5 %"
    assert row in page
    assert "7.0 % (6.0 % to 8.0 %)" in page
    assert "From 512 of 34,656 test samples, and 1,024 of 8,192 tokens" in page
    assert "Is the bias used?" in (made.results / "report.md").read_text(encoding="utf-8")


def test_stations_episodes_and_other_forecasts_have_tables(make: Make) -> None:
    """Two seeds of one variant: their mean; a forecast without a value is missing."""
    made = make()
    study = made.study.model_copy(update=dict.fromkeys(("stations", "episodes"), "named"))
    study = study.model_copy(update={"external": {"cams": None}})
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
    label = "O3 (\u00b5g m\u207b\u00b3)"
    assert verification.stations(results).rows == [
        [label, "mask", "12 h", "7", "11", "9", "3"],
    ]
    for table, first in (
        (verification.external(results), "cams"),
        (verification.episodes(results), "haze"),
    ):
        assert table.header[4:] == ["mask", "cams"]
        assert table.rows == [[first, label, "12 h", "40", "5", "8"]]


def test_a_study_without_them_has_no_such_tables(make: Make) -> None:
    made = make()
    results = load_results(made.study, made.results, made.data)
    parts = (verification.stations, verification.external, verification.episodes)
    assert [part(results).rows for part in parts] == [[], [], []]
