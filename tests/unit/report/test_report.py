"""The page against the numbers that it was made from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airshed.errors import AirshedError
from airshed.report.text import alpha_meaning, percent

Made = Any  # see conftest.py
Make = Callable[..., Made]


def text_of(page: str) -> str:
    """The page's words on one line, tags removed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_the_answer_stands_at_the_top_with_the_numbers_of_the_comparison(reported: Made) -> None:
    text = text_of(reported.page)
    answer = (
        "On simulated data, physics_mask (the mask) lowers RMSE by 5.0 % (95 % interval \u22127.1 %"
        " to \u22122.2 %) on average over six pollutants and two horizons compared with"
        " wind_baseline: it helps. A training step takes 22.5 % longer."
    )  # 0.049 s against 0.040 s
    assert answer in text
    assert text.index(answer) < text.index("Ablation ")
    assert "The data of this study are simulated" in text
    verdicts = "physics_mask against wind_baseline, 12 pairs of pollutant and horizon: helps in 12."
    assert verdicts in text
    beaten = "beats persistence in 6, same_hour_persistence in 6, climatology in"
    assert f"physics_mask {beaten} 6 and ridge in 6 of 6 pairs" in text
    assert f"wind_baseline {beaten} 0 and ridge in 0 of 6 pairs" in text
    assert "Two seeds: the interval allows" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("equivalent", "the two are equivalent"), ("inconclusive", "the result is inconclusive")],
)
def test_the_answer_follows_the_verdict(make: Make, verdict: str, words: str) -> None:
    assert words in text_of(make(verdict=verdict).build())


def test_alpha_is_interpreted_for_each_seed(reported: Made) -> None:
    text = text_of(reported.page)
    assert (
        "physics_mask, seed 0, blocks.0.alpha: 0.2 at the start, 0.5 at the end; training" in text
    )
    assert "turned the bias up: it is used" in text
    assert "seed 1, blocks.0.alpha: 0.2 at the start, 0.05 at the end; training turned the" in text
    assert "towards switched off" in text
    assert "wind_baseline, seed 0, blocks" not in text


@pytest.mark.parametrize(
    ("final", "words"),
    [(0.25, "used"), (0.2, "about as strong"), (0.1, "switched off"), (-0.3, "switched off")],
)
def test_alpha_meaning(final: float, words: str) -> None:
    assert words in alpha_meaning("a", 0.2, final)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-0.0213, "\u22122.1"), (0.3, "+30.0"), (0.0004, "+0.04"), (0.0, "0"), (-1e-9, "0")],
)
def test_percent(value: float, expected: str) -> None:
    assert percent(value) == f"{expected}\u00a0%"
    assert percent(math.nan) == "missing"


def test_labels_are_escaped(make: Make) -> None:
    page = make(label="<b>x & y</b><script>alert(1)</script>").build()
    assert "<script" not in page
    assert "&lt;b&gt;x &amp; y&lt;/b&gt;" in page


def test_the_page_needs_no_other_file(reported: Made) -> None:
    page = reported.page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 7
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in page
    assert "@import" not in page


def test_markdown_links_lead_to_figures(reported: Made) -> None:
    markdown = (reported.results / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", markdown)
    assert len(links) == 7
    assert all((reported.results / link).is_file() for link in links)
    assert "**The data of this study are simulated.**" in markdown


def test_figures_lie_beside_the_data_that_they_show(reported: Made) -> None:
    figures = reported.results / "figures"
    names = {path.stem for path in figures.iterdir()}
    assert names == {
        "alpha",
        "change_heatmap_physics_mask",
        "change_maps_physics_mask",
        "learning_curves",
        "rmse_by_horizon",
        "step_time",
        "validation_loss",
    }
    for name in names:
        assert {path.suffix for path in figures.glob(f"{name}.*")} == {".png", ".svg", ".csv"}
    shown = pd.read_csv(figures / "change_heatmap_physics_mask.csv")
    assert (shown["relative_rmse_change"] == -0.05).all()
    maps = pd.read_csv(figures / "change_maps_physics_mask.csv")
    assert maps["rmse_change_percent"].to_numpy() == pytest.approx(-5.0, abs=1e-4)
    assert set(maps["pollutant"]) == {"pm25", "pm10", "so2", "no2", "co", "o3"}


def test_missing_hours_are_listed(reported: Made) -> None:
    text = text_of(reported.page)
    assert "285 of 288 present" in text
    assert "2016-02-27T03:00 2016-02-27T05:00 3 lost" in text


def test_a_missing_file_is_named(make: Make) -> None:
    made = make()
    (made.results / "variants/physics_mask/seed1/history.csv").unlink()
    with pytest.raises(AirshedError, match=r"physics_mask/seed1/history\.csv"):
        made.build()
    assert not (made.results / "report.html").exists()


def test_the_same_results_give_the_same_bytes(make: Make) -> None:
    made = make()

    def content() -> dict[str, bytes]:
        made.build()
        written = [made.results / "report.html", made.results / "report.md"]
        written += sorted((made.results / "figures").iterdir())
        return {Path(path).name: path.read_bytes() for path in written}

    assert content() == content()


def test_runs_of_different_commits_are_flagged(make: Make) -> None:
    made = make()
    path = made.results / "variants/physics_mask/seed0/run.json"
    assert "different commits" not in made.build()
    path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    assert "different commits" in made.build()
