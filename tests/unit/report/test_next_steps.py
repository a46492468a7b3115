"""The table of decisions against hand-made results, and its commands as Snakemake reads them."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import yaml
from snakemake.cli import parse_config

from airshed.config import Study, validate_study
from airshed.config.load import merge
from airshed.report.loading import load_results
from airshed.report.next_steps import by_reason, next_steps
from airshed.report.results import Results

Made = Any  # see conftest.py

WHAT = {
    "helps": [
        "bias in all blocks",
        "more epochs",
        "analysis of the bias's strength",
        "full ablation",
    ],
    "small": ["has alpha gone to zero?", "alpha initially 0.5", "the lookup form"],
    "equivalent": ["has alpha gone to zero?", "alpha initially 0.5", "the lookup form"],
    "hurts": [
        "is the loss diverging?",
        "has alpha gone to zero?",
        "elevation only, without the wind factor",
        "back to wind_baseline",
    ],
    "inconclusive": ["more seeds", "longer test period"],
}


@pytest.fixture(scope="module")
def loaded(finished: Made) -> Results:
    """The hand-made results."""
    return load_results(finished.study, finished.results, finished.data)


@pytest.fixture
def found(loaded: Results) -> Callable[..., Results]:
    """The hand-made results with a verdict, and other columns of comparisons as given."""

    def change(verdict: str, **columns: Any) -> Results:
        values = {"verdict": verdict} | columns
        return replace(
            loaded,
            comparisons=loaded.comparisons.assign(**values),
            runs=copy.deepcopy(loaded.runs),
            histories=copy.deepcopy(loaded.histories),
        )

    return change


def carried_out(study: Study, command: str) -> Study:
    """The study as Snakemake would run it for a command."""
    words = shlex.split(command)
    assert words[0] == "snakemake"
    assert words[words.index("--configfile") + 1] == f"results/{study.study}/config.resolved.yaml"
    entries = words[words.index("--config") + 1 :] if "--config" in words else []
    resolved = yaml.safe_load(yaml.safe_dump(study.model_dump(mode="json")))
    return validate_study(merge(resolved, parse_config(entries)), command)


@pytest.mark.parametrize("verdict", WHAT)
def test_each_verdict_leads_to_its_steps_with_commands_that_are_valid(
    found: Callable[..., Results], verdict: str
) -> None:
    results = found(verdict)
    steps = next_steps(results)
    assert [step.what for step in steps] == WHAT[verdict]
    for step in steps:
        assert step.because.startswith("physics_mask: \u22125.0\u00a0% (\u22127.1\u00a0% to")
        assert step.known or step.command
        if step.command:
            carried_out(results.study, step.command)
    ((reason, grouped),) = by_reason(steps)  # the reason once, for all of them
    assert reason == steps[0].because
    assert grouped == steps


def steps_of(results: Results) -> dict[str, Any]:
    return {step.what: step for step in next_steps(results)}


def test_a_named_variant_is_added_to_the_same_study(found: Callable[..., Results]) -> None:
    results = found("helps")
    study = carried_out(results.study, steps_of(results)["bias in all blocks"].command)
    assert study.study == results.study.study
    assert study.variants == ["wind_baseline", "physics_mask", "physics_all_blocks"]
    full = carried_out(results.study, steps_of(results)["full ablation"].command)
    assert set(full.variants) == set(results.study.variant_stanzas)


def test_a_variant_without_a_name_gets_a_stanza(found: Callable[..., Results]) -> None:
    results = found("helps")
    bias = results.study.variant_stanzas["physics_lookup"].bias
    stanzas = dict(results.study.variant_stanzas)
    stanzas["physics_mask"] = stanzas["physics_mask"].model_copy(update={"bias": bias})
    study = results.study.model_copy(update={"variant_stanzas": stanzas})
    changed = replace(results, study=study)
    planned = carried_out(study, steps_of(changed)["bias in all blocks"].command)
    new = planned.variant_stanzas["physics_mask_all_blocks"]
    assert (new.bias.kind, new.bias.blocks) == ("barrier_lookup", "all")
    assert new.reference == "wind_baseline"
    assert planned.variants[-1] == "physics_mask_all_blocks"


def test_a_variant_of_the_study_is_quoted_instead(found: Callable[..., Results]) -> None:
    results = found("helps")
    names = [*results.study.variants, "physics_all_blocks"]
    rows = results.comparisons.assign(variant="physics_all_blocks", relative_rmse_change=-0.02)
    other = replace(
        results,
        study=results.study.model_copy(update={"variants": names}),
        comparisons=pd.concat([results.comparisons, rows]),
        runs=results.runs | {("physics_all_blocks", 0): results.runs["physics_mask", 0]},
    )
    step = steps_of(other)["bias in all blocks"]
    assert step.command == ""
    assert step.known.startswith("physics_all_blocks: \u22122.0\u00a0%")


def test_falling_losses_ask_for_more_epochs_and_level_ones_do_not(
    found: Callable[..., Results],
) -> None:
    results = found("helps")
    step = steps_of(results)["more epochs"]  # 0.4 to 0.3 and 0.31 in the second epoch
    assert "\u221225.0\u00a0%, \u221222.5\u00a0%: still falling" in step.known
    study = carried_out(results.study, step.command)
    assert (study.train.epochs, study.study) == (4, "tiny_epochs4")
    for run in results.runs.values():
        run["val_loss"] = [0.3, 0.2999]
    assert steps_of(results)["more epochs"].command == ""
    for run in results.runs.values():
        run["val_loss"] = [0.3]
    assert "shows no trend" in steps_of(results)["more epochs"].known


def test_alpha_and_divergence_are_told_in_numbers(found: Callable[..., Results]) -> None:
    results = found("hurts")
    steps = steps_of(results)
    assert "no; 0.2 at the start, 0.500, 0.050 at the end" in steps["has alpha gone to zero?"].known
    assert steps["is the loss diverging?"].known.startswith("physics_mask: no")
    results.runs["physics_mask", 0]["bias"]["parameters"]["blocks.0.alpha"] = 0.01
    assert "in some of them" in steps_of(results)["has alpha gone to zero?"].known
    results.runs["physics_mask", 1]["val_loss"] = [0.3, 0.6]
    assert (
        "seed 1: validation loss ends +100.0" in steps_of(results)["is the loss diverging?"].known
    )
    results.histories["physics_mask", 0].loc[3, "train_loss"] = float("nan")
    assert "seed 0: losses that are not" in steps_of(results)["is the loss diverging?"].known


def test_seeds_are_suggested_whatever_the_observed_change(found: Callable[..., Results]) -> None:
    """From the variances alone: the same for a change that is nearly significant and for none."""
    told = []
    for change in (-0.05, -0.0001):
        results = found("inconclusive", relative_rmse_change=change)
        step = steps_of(results)["more seeds"]
        assert carried_out(results.study, step.command).seeds == [0, 1, 2]
        told.append(step.known)
    assert told[0] == told[1]
    assert "99.0\u00a0% of the variance is between trainings; 2 seeds find a true change" in told[0]
    assert "3 seeds find a true change of" in told[0]
    assert "not even 50 would find one of the margin" in told[0]
    assert "no comparison.looks declared" in told[0]


def test_declared_looks_are_the_seeds_that_are_suggested(found: Callable[..., Results]) -> None:
    results = found("inconclusive")
    for looks, expected in (((2, 6), [0, 1, 2, 3, 4, 5]), ((2,), None)):
        settings = results.study.comparison.model_copy(update={"looks": looks})
        study = results.study.model_copy(update={"comparison": settings})
        step = steps_of(replace(results, study=study))["more seeds"]
        assert "no comparison.looks declared" not in step.known
        if expected is None:
            assert step.command == ""
            assert "the last of the declared looks was taken" in step.known
        else:
            assert carried_out(study, step.command).seeds == expected


def test_a_control_asks_for_nothing(found: Callable[..., Results]) -> None:
    assert next_steps(found("inconclusive", family="control")) == []


def test_runs_that_are_the_same_have_no_variance_to_speak_of(found: Callable[..., Results]) -> None:
    names = ("relative_rmse_change", "seed_variance", "training_variance", "time_variance")
    nothing = dict.fromkeys(names, 0.0)
    step = steps_of(found("inconclusive", limit="these days only", **nothing))["more seeds"]
    assert "no variance was seen" in step.known
    assert step.command == ""


def test_one_seed_leaves_the_number_unknown(found: Callable[..., Results]) -> None:
    results = found("inconclusive", seed_variance=float("nan"), limit="one seed")
    steps = steps_of(results)
    assert "how many is unknown" in steps["more seeds"].known
    assert carried_out(results.study, steps["more seeds"].command).seeds == [0, 1, 2, 3, 4]
    assert steps["longer test period"].command == ""


def test_a_short_test_needs_twelve_blocks(found: Callable[..., Results]) -> None:
    results = found("inconclusive", limit="these days only", init_times=24, block_length=4)
    step = steps_of(results)["longer test period"]
    assert "about 8 days instead of 4" in step.known  # 48 init times in place of 24
    study = carried_out(results.study, step.command)
    assert len(study.splits.test.days) == 8
    assert study.dataset.period.end == study.splits.test.end
    assert study.dataset.name != results.study.dataset.name


def test_a_test_period_before_another_split_is_not_lengthened(
    found: Callable[..., Results],
) -> None:
    results = found("inconclusive", limit="these days only", init_times=24, block_length=40)
    splits = results.study.splits
    behind = splits.model_copy(update={"test": splits.validation, "validation": splits.test})
    study = results.study.model_copy(update={"splits": behind})
    step = steps_of(replace(results, study=study))["longer test period"]
    assert step.command == ""
    assert "splits must be set anew" in step.known


def test_nothing_follows_from_a_comparison_that_failed(found: Callable[..., Results]) -> None:
    assert next_steps(found("inconclusive", relative_rmse_change=float("nan"))) == []
