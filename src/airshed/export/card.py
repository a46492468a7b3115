"""The model card of a variant, from the study's own records: what it is, can, and cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pandas as pd

from airshed.evaluation.baselines import BASELINES
from airshed.report.answer import competence, effect, power
from airshed.report.results import Results
from airshed.report.text import caveat, listed, percent

SIMULATED = (
    "> **Simulated data.** Fields come from the simulator that is part of Airshed: nothing here"
    " says anything about the real atmosphere.\n"
)


def model_card(results: Results, variant: str) -> str:
    """The card as Markdown."""
    study = results.study
    label = study.variant_stanzas[variant].label
    sections = {
        "What it is": _model(results, variant),
        "Data": _data(results),
        "Training": _training(results, variant),
        "Verdict": [_verdict(results, variant)],
        "Scores": _scores(results, variant),
        "Known limits": [f"- {limit}" for limit in _limits(results, variant)],
    }
    head = [f"# {variant}: {label}", ""] + [SIMULATED] * results.simulated
    body = [line for title, lines in sections.items() for line in (f"## {title}", "", *lines, "")]
    return "\n".join([*head, *body])


def _model(results: Results, variant: str) -> list[str]:
    study, runs = results.study, results.of_variant(variant)
    stanza, model = study.variant_stanzas[variant], study.model
    return [
        f"- study: {study.study}; compared with: {study.references().get(variant) or 'nothing'}",
        f"- network: {stanza.backbone_stanza()['kind']}, scan {stanza.scan}, attention bias"
        f" {stanza.bias.kind}; {runs[0]['parameters']:,} parameters",
        f"- patches of {model.patch} x {model.patch} cells, {model.depth} blocks of width"
        f" {model.dim}, {model.heads} heads",
        f"- inputs: {', '.join(study.inputs)}",
        f"- forecasts: {listed([results.with_units(name) for name in study.targets])},"
        f" {listed([str(hour) for hour in study.horizons_h])} h ahead",
    ]


def _data(results: Results) -> list[str]:
    study = results.study
    dataset = study.dataset
    splits = {name: getattr(study.splits, name) for name in ("train", "validation", "test")}
    return [
        f"- dataset: {dataset.name} ({dataset.data_source}), {dataset.period.start} to"
        f" {dataset.period.end}, grid of {dataset.grid} cells",
        *(
            f"- {name}: {split.start} to {split.end}, a forecast every {split.init_every_h} h"
            for name, split in splits.items()
        ),
    ]


def _training(results: Results, variant: str) -> list[str]:
    runs = results.of_variant(variant)
    first, precision = runs[0], results.study.for_variant(variant).train.precision
    used = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    places = listed(sorted({str(run["device"]) for run in runs}))
    return [
        f"- {first['optimizer_steps']} optimiser steps in {precision}, on {places}",
        f"- {used}",
        "",
        "| seed | best validation loss | epoch | commit | SHA-256 of the weights |",
        "|---|---|---|---|---|",
        *(
            f"| {run['seed']} | {run['best_val_loss']:.5g} | {run['best_epoch']} |"
            f" {run['commit']}{' with local changes' if run['dirty'] else ''} |"
            f" {run['checkpoint']['sha256']} |"
            for run in runs
        ),
    ]


def _verdict(results: Results, variant: str) -> str:
    if results.study.references().get(variant) is None:
        return f"{variant} is what other variants are compared with; there is no verdict on it."
    return effect(results, variant)


def _scores(results: Results, variant: str) -> list[str]:
    """RMSE in the test split beside the reference's and the best baseline's."""
    rmse = results.rmse().pivot(index=["pollutant", "horizon_h"], columns="variant", values="value")
    reference = results.study.references().get(variant)
    others = [] if reference is None else [reference]
    rows = [
        "RMSE in the test split, mean over seeds. `skill`: by how much the mean squared error is"
        " below that of the best forecast that needs no training.",
        "",
        f"| | h | {' | '.join([variant, *others, 'best baseline'])} | skill |",
        "|---" * (5 + len(others)) + "|",
    ]
    for pollutant in results.study.targets:
        for horizon in results.study.horizons_h:
            found = cast("pd.Series[Any]", rmse.loc[(pollutant, horizon)])
            rows.append(_row(results.with_units(pollutant), horizon, found, [variant, *others]))
    return rows


def _row(pollutant: str, horizon: int, found: pd.Series[Any], names: list[str]) -> str:
    baselines = found[[name for name in BASELINES if name in found]]
    best = str(baselines.idxmin())
    skill = 1 - (found[names[0]] / baselines[best]) ** 2
    shown = " | ".join(f"{found[name]:.4g}" for name in names)
    return (
        f"| {pollutant} | {horizon} | {shown} | {baselines[best]:.4g} ({best}) | {percent(skill)} |"
    )


def _limits(results: Results, variant: str) -> Iterator[str]:
    study = results.study
    test, hours = study.splits.test, listed([str(hour) for hour in study.horizons_h])
    yield (
        f"What is said holds for {test.start} to {test.end}, {hours} h ahead, on this grid of"
        f" {study.dataset.grid} cells; other periods, horizons, regions and grids were not tested."
    )
    yield caveat(results)
    if study.references():
        yield power(results)
    yield from competence(results)
    if study.stations is None:
        yield "Compared with gridded fields alone, not with stations."
    if any(run["dirty"] for run in results.of_variant(variant)):
        yield "Trained by code with local changes, which no commit holds."
    yield "Made to compare variants; not tested for warnings or for advice on health."
