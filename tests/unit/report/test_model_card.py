"""The model card says what the records of the hand-made study say."""

from __future__ import annotations

from typing import Any

import pytest

from airshed.export.card import model_card
from airshed.report.loading import load_results
from airshed.report.results import Results


@pytest.fixture
def results(finished: Any) -> Results:
    return load_results(finished.study, finished.results, finished.data)


def test_a_card_holds_data_scores_verdict_and_limits(results: Results) -> None:
    card = model_card(results, "physics_mask").replace("\u00a0", " ")
    title, simulated = card.splitlines()[0], card.splitlines()[2]
    assert title == "# physics_mask: the mask"
    assert simulated.startswith("> **Simulated data.**")
    for line in (
        "- study: tiny; compared with: wind_baseline",
        "- train: 2016-02-26 to 2016-03-01, a forecast every 6 h",
        "- test: 2016-03-05 to 2016-03-08, a forecast every 3 h",
        f"| 1 | 0.31 | 1 | 0123456789abcdef | {'1' * 64} |",
    ):
        assert line in card.splitlines()
    # RMSE 9.5 beside 9.7 of ridge: (9.5 / 9.7)^2 = 0.9592
    row = "| PM2.5 (µg m⁻³) | 12 | 9.5 | 10 | 9.7 (ridge) | +4.1 % |"
    assert row in card
    assert card.count("(ridge)") == 6 * 2  # pollutants and horizons
    assert "lowers RMSE by" in card
    assert "physics_mask in 12 of 12" in card
    assert "holds for 2016-03-05 to 2016-03-08, 12 and 24 h ahead" in card
    assert "not with stations" in card


def test_what_others_are_compared_with_has_no_verdict_and_says_where_it_loses(
    results: Results,
) -> None:
    card = model_card(results, "wind_baseline").replace("\u00a0", " ")
    assert "there is no verdict on it" in card
    assert "| PM2.5 (µg m⁻³) | 12 | 10 | 9.7 (ridge) | \u22126.3 % |" in card
    assert "higher than that of one of them by more than 1.0 %: wind_baseline in 12." in card


def test_code_that_no_commit_holds_is_a_limit(results: Results) -> None:
    assert "local changes" not in model_card(results, "physics_mask")
    results.runs["physics_mask", 1]["dirty"] = True
    assert "local changes" in model_card(results, "physics_mask")
