"""The table of decisions: for each verdict, what to look at and what to run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from airshed.config.biases import SECTIONS
from airshed.config.variants import Variant
from airshed.report.next_steps import evidence
from airshed.report.next_steps.commands import known_as, snakemake_command, with_variant
from airshed.report.next_steps.more import longer_test, more_seeds
from airshed.report.next_steps.step import Step
from airshed.report.results import Results

CAPTION = (
    "What each verdict suggests, what this study says about it already, and else the command that"
    " finds out, to be pasted in the project's folder. A command that names no other study adds to"
    " this one and repeats nothing that is finished."
)
IN_SIGHT = 5


def next_steps(results: Results) -> list[Step]:
    """What the verdicts of a study suggest; a step that several variants ask for comes once."""
    found: dict[tuple[str, str], Step] = {}
    for variant in results.study.references():
        row = results.overall(variant)
        if math.isnan(row["relative_rmse_change"]) or row["family"] == "control":
            continue  # it could not be compared, and the answer says so; or it asks nothing new
        for rule in RULES[str(row["verdict"])]:
            for wanted in rule(results, variant):
                step = replace(wanted, because=evidence.comparison(results, variant))
                key = step.what, step.command or step.known
                found[key] = found[key].also_for(step) if key in found else step
    return list(found.values())


def by_reason(steps: Sequence[Step]) -> list[tuple[str, list[Step]]]:
    """Steps under what they follow from, each reason once."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.because, []).append(step)
    return list(found.items())


def _other_bias(
    what: str, suffix: str, change: Callable[[Any], Any | None]
) -> Callable[[Results, str], Iterator[Step]]:
    """A rule that suggests the same variant with another bias.

    Args:
        what: What is suggested.
        suffix: What the new variant's name ends with, if no variant is like it.
        change: The bias that is suggested instead of the one given; None if it is that already.
    """

    def rule(results: Results, variant: str) -> Iterator[Step]:
        stanza = results.study.variant_stanzas[variant]
        bias = change(stanza.bias)
        if bias is not None:
            wanted = stanza.model_copy(update={"bias": bias})
            yield _variant_step(results, variant, what, f"{variant}_{suffix}", wanted)

    return rule


def _variant_step(results: Results, variant: str, what: str, name: str, wanted: Variant) -> Step:
    study, known = results.study, known_as(results.study, wanted)
    if known in study.references():
        return Step(what, evidence.comparison(results, str(known)))
    changes = with_variant(study, variant, name, wanted)
    return Step(what, "", snakemake_command(study, changes))


def _all_blocks(bias: Any) -> Any | None:
    blocks = getattr(bias, "blocks", "all")
    return None if blocks == "all" else bias.model_copy(update={"blocks": "all"})


def _alpha_half(bias: Any) -> Any | None:
    initial = getattr(bias, "alpha_init", 0.5)
    return None if initial == 0.5 else bias.model_copy(update={"alpha_init": 0.5})


def _lookup(bias: Any) -> Any | None:
    if bias.kind != "barrier":
        return None
    lookup = {"kind": "barrier_lookup", "blocks": bias.blocks}
    return SECTIONS["barrier_lookup"].model_validate(lookup)


def _elevation_only(bias: Any) -> Any | None:
    if bias.kind != "barrier" or not bias.wind_modulation:
        return None
    return bias.model_copy(update={"wind_modulation": False})


def _more_epochs(results: Results, variant: str) -> Iterator[Step]:
    falling, known = evidence.still_falling(results, variant)
    study, epochs = results.study, 2 * results.study.train.epochs
    changes = {"study": f"{study.study}_epochs{epochs}", "train": {"epochs": epochs}}
    command = "" if falling is False else snakemake_command(study, changes)
    yield Step("more epochs", known, command)


def _alpha_analysis(results: Results, variant: str) -> Iterator[Step]:
    if results.study.variant_stanzas[variant].bias.kind == "none":
        return
    known, study = evidence.interpreted(results, variant), results.study
    target = f"results/{study.study}/variants/{variant}/seed{study.seeds[0]}/interpretation.json"
    command = "" if known else snakemake_command(study, {}, target)
    yield Step("analysis of the bias's strength", known or "", command)


def _full_ablation(results: Results, variant: str) -> Iterator[Step]:
    study = results.study
    runnable = [name for name, stanza in study.variant_stanzas.items() if stanza.pretrained is None]
    lacking = [name for name in runnable if name not in study.variants]
    if not lacking:
        yield Step("full ablation", f"all {len(study.variants)} variants are in this study")
        return
    command = snakemake_command(study, {"variants": [*study.variants, *lacking]})
    yield Step("full ablation", f"{len(lacking)} variants are not in this study", command)


def _gone(results: Results, variant: str) -> Iterator[Step]:
    for name, known in evidence.gone(results, variant).items():
        yield Step(f"has {name} gone to zero?", known)


def _diverging(results: Results, variant: str) -> Iterator[Step]:
    yield Step("is the loss diverging?", evidence.diverging(results, variant))


def _back(results: Results, variant: str) -> Iterator[Step]:
    reference = results.study.references()[variant]
    losses = ", ".join(f"{run['best_val_loss']:.4f}" for run in results.of_variant(reference))
    known = f"{reference} is in this study: lowest validation losses {losses}"
    yield Step(f"back to {reference}", known)


Rule = Callable[[Results, str], Iterator[Step]]

STRONGER: tuple[Rule, ...] = (
    _gone,
    _other_bias("alpha initially 0.5", "alpha_0.5", _alpha_half),
    _other_bias("the lookup form", "lookup", _lookup),
)
"""What is asked where the change does not reach the margin."""
RULES: dict[str, tuple[Rule, ...]] = {
    "helps": (
        _other_bias("bias in all blocks", "all_blocks", _all_blocks),
        _more_epochs,
        _alpha_analysis,
        _full_ablation,
    ),
    "small": STRONGER,
    "equivalent": STRONGER,
    "hurts": (
        _diverging,
        _gone,
        _other_bias("elevation only, without the wind factor", "elevation_only", _elevation_only),
        _back,
    ),
    "inconclusive": (more_seeds, longer_test),
}
"""What each verdict asks for, in order: the founding study's table, and what it lacked."""
