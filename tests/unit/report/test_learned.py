"""Numbers that biases learn under other names than alpha, and tables, on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from airshed.biases import BIASES
from airshed.report import ablation, bias, learned
from airshed.report.figures.training import alpha_curves
from airshed.report.loading import load_results
from airshed.report.next_steps import evidence
from airshed.report.results import Results

Made = Any  # see conftest.py
BETA, TABLE = "blocks.0.beta", "blocks.0.table"


@pytest.fixture
def results(make: Callable[..., Made]) -> Results:
    """The mask has a strength beta, from 0.3 to 0.4 or 0.02, and a table."""
    made = make()
    for seed, final in {0: 0.4, 1: 0.02}.items():
        folder = made.results / f"variants/physics_mask/seed{seed}"
        record = json.loads((folder / "run.json").read_text())
        record["bias"] = {
            "parameters": {BETA: final},
            "initial": {BETA: 0.3},
            "arrays": {TABLE: {"size": 1320, "initial_rms": 1.0, "final_rms": 1.25}},
        }
        (folder / "run.json").write_text(json.dumps(record))
        history = pd.read_csv(folder / "history.csv")
        history = history.rename(columns={"alpha_block0": "beta_block0"})
        history.loc[history.index[-1], "beta_block0"] = final
        history.to_csv(folder / "history.csv", index=False)
        use = {
            "format_version": 1,
            "alpha": {},
            "other_parameters": {"beta": {"0": {"final": final}}},
            "relative_loss_change": {"bias_removed": 0.03},
            "moved_attention_share": {"mean": 0.1},
        }
        (folder / "interpretation.json").write_text(json.dumps(use))
    return load_results(made.study, made.results, made.data)


def test_tables_show_a_number_under_its_own_name(results: Results) -> None:
    table = ablation.ablation(results)
    assert table.header[-1] == "final beta"
    assert [row[-1] for row in table.rows] == ["\u2013", "beta 0.210 (0.020 to 0.400)"]
    assert "Other numbers that biases learn" in ablation.caption(results)
    use = bias.table(results)
    assert use.header[2] == "beta"
    assert use.rows[0][2:5] == ["beta 0.210 \u00b1 0.269", "\u2013", "\u2013"]


def test_sentences_tell_numbers_and_tables_of_every_training(results: Results) -> None:
    told = learned.sentences(results, "physics_mask")
    assert told[0] == "physics_mask, seed 0, blocks.0.beta: 0.3 at the start, 0.4 at the end."
    assert told[3] == (
        "physics_mask, seed 1, blocks.0.table: 1,320 numbers, root of their mean square 1 at the"
        " start, 1.25 at the end."
    )
    assert len(told) == 4
    assert not learned.alpha_alone(results)


def strength(final: float, reach: float | None = 3.0, negative: str = "") -> str:
    """What is said of an alpha that began at 0.2."""
    number = learned.Number("blocks.0.alpha", "alpha", 0.2, final, reach, negative, 0)
    return learned.strength_meaning(number)


@pytest.mark.parametrize(
    ("final", "words"),
    [
        (0.25, "turned the bias up"),
        (0.2, "about as strong"),
        (0.1, "switched off"),
        (-0.3, "switched off"),
    ],
)
def test_what_training_did_with_a_strength_is_told_if_it_could_move(
    final: float, words: str
) -> None:
    assert words in strength(final)
    assert words in strength(final, reach=None)  # of an older record
    stuck = strength(final, reach=0.01)
    assert words not in stuck
    assert "of about 0.01 that its learning rates add up to: it could not have gone to 0" in stuck


def test_a_negative_strength_is_told_in_the_words_of_its_bias() -> None:
    attracts, off = BIASES["barrier"].negative, BIASES["topoflow"].negative
    assert strength(-0.1, negative=attracts).endswith(f"; below 0, {attracts}")
    assert "below 0" not in strength(0.1, negative=attracts)
    assert "higher ground attracts" in attracts
    assert "no gradient" in off


def test_whether_it_went_to_zero_is_not_asked_of_what_could_not(results: Results) -> None:
    for run in results.runs.values():
        run["bias"]["reach"] = 0.2
    assert evidence.gone(results, "physics_mask") == {}


def test_its_path_is_drawn_and_whether_it_went_to_zero_is_asked(results: Results) -> None:
    drawing = alpha_curves(results)
    assert drawing is not None
    assert drawing.alt.endswith("What is learned at the end, mean: physics_mask beta 0.210.")
    assert list(drawing.data.columns) == ["step", "beta", "variant", "seed", "block"]
    assert drawing.figure.axes[0].get_title() == "physics_mask: beta"
    assert evidence.gone(results, "physics_mask") == {
        "beta": "physics_mask: in some of them; 0.3 at the start, 0.400, 0.020 at the end"
    }


def test_older_records_tell_alpha_alone(make: Callable[..., Made]) -> None:
    """Those of barrier_mlp have the bias of its perceptron's last layer, which is one number."""
    made = make()
    for path in made.results.glob("variants/physics_mask/*/run.json"):
        record = json.loads(path.read_text())
        record["bias"]["parameters"]["blocks.0.perceptron.others.1.bias"] = 0.001
        path.write_text(json.dumps(record))
    results = load_results(made.study, made.results, made.data)
    assert learned.names(results) == ["alpha"]
    assert ablation.ablation(results).header[-1] == "final alpha"
