"""Sentences of the report, made from numbers."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from airshed.comparison.table import ALL
from airshed.comparison.verdict import Limit, Verdict
from airshed.config import Study
from airshed.report.results import Results

DESCRIPTIVE = ("label", "reference", "family")  # settings that do not change what is trained
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DECIDED = (Verdict.helps, Verdict.hurts)


def percent(value: float, signed: bool = True) -> str:
    """A fraction as percent with two significant decimals at most, with a true minus sign."""
    if value is None or math.isnan(value):
        return "missing"
    digits = 1 if abs(value) >= 0.01 else 2
    text = f"{100 * value:{'+' if signed else ''}.{digits}f}"
    zero = float(text) == 0
    return f"{'0' if zero else text}\u00a0%".replace("-", "\u2212")


def count_word(number: int) -> str:
    """Small numbers as words."""
    return NUMBER_WORDS[number] if number < len(NUMBER_WORDS) else str(number)


def counted(number: int, noun: str) -> str:
    """So many of something, in words."""
    return f"{count_word(number)} {noun}{'' if number == 1 else 's'}"


def panels_by_pollutant(results: Results, noun: str = "panel") -> str:
    """The panels of a figure that has one for each pollutant."""
    return f"{counted(len(results.study.targets), noun).capitalize()}, one a pollutant"


def interval(row: pd.Series[Any]) -> str:
    """A change with its interval."""
    return f"{percent(float(row['relative_rmse_change']))} ({ends(row, 'no interval')})"


def ends(row: pd.Series[Any], unknown: str) -> str:
    """The ends of a change's interval, or what is said where they are unknown."""
    low, high = (float(row[key]) for key in ("ci_low", "ci_high"))
    return unknown if math.isnan(low + high) else f"{percent(low)} to {percent(high)}"


def listed(names: list[str]) -> str:
    """Words as they are listed in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def details(results: Results, variant: str) -> str:
    """How many pairs of pollutant and horizon got which verdict."""
    cells = results.cells(variant)
    counts = cells["verdict"].value_counts()
    parts = [f"{verdict} in {counts[verdict]}" for verdict in Verdict if counts.get(verdict)]
    reference = results.overall(variant)["reference"]
    return (
        f"{variant} against {reference}, {len(cells)} pairs of pollutant and horizon:"
        f" {', '.join(parts)}."
    )


def caveat(results: Results) -> str:
    """What so few seeds, and so short a test, can say."""
    sentences = [
        f"Changes are averages over {counted(len(results.study.targets), 'pollutant')} and"
        f" {counted(len(results.study.horizons_h), 'horizon')}.",
        _seeds_caveat(len(results.study.seeds)),
    ]
    if (results.comparisons["limit"] == Limit.these_days).any():
        sentences.append(
            "The test period is short against the correlation of its errors: where it says so,"
            " intervals and verdicts hold for these days only."
        )
    return " ".join(sentences)


def families(results: Results) -> str:
    """Which verdicts stand together."""
    overall = results.comparisons[results.comparisons["pollutant"] == ALL]
    sizes = overall.groupby("family", sort=False)["family_size"].first()
    level = percent(results.study.comparison.significance, signed=False)
    each = listed([_together(count, str(family)) for family, count in sizes.items()])
    looks = results.study.comparison.looks
    shared = f", divided among looks at {listed(list(map(str, looks)))} seeds" if looks else ""
    return (
        f"Verdicts over all pollutants and horizons: {each}; a false difference is found in at most"
        f" {level} of such studies{shared}{', in each family' if len(sizes) > 1 else ''}. Adding a"
        " variant can change another's verdict. Pairs of pollutant and horizon are judged together"
        " for each variant, to be read as detail."
    )


def _together(count: int, family: str) -> str:
    name = "control" if family == "control" else "variant"
    if count == 1:
        return f"one {name} is judged by itself"
    return f"{count_word(count)} {name}s are judged together"


def _seeds_caveat(count: int) -> str:
    if count == 1:
        return (
            "One seed: the interval holds for these two trained networks; what another training"
            " would give is unknown."
        )
    few = "; so few of them make it wide, and five or more narrow it" if count < 5 else ""
    seeds = count_word(count).capitalize()
    return f"{seeds} seeds: the interval allows for differences between trainings{few}."


def differences(results: Results, variant: str) -> str:
    """Settings in which a variant's stanza differs from its reference's."""
    reference = results.study.references().get(variant)
    if reference is None:
        return "\u2013"
    changed = changed_settings(results.study, variant, reference)
    shown = (f"{key}: {shown_setting(value)}" for key, value in changed.items())
    return ", ".join(shown) or "nothing"


def changed_settings(study: Study, variant: str, reference: str) -> dict[str, Any]:
    """The settings of a variant that its reference has not, or has otherwise."""
    theirs = stanza_settings(study, reference)
    mine = stanza_settings(study, variant)
    return {key: value for key, value in mine.items() if value != theirs.get(key)}


def stanza_settings(study: Study, variant: str) -> dict[str, Any]:
    """A variant's settings by name; keys of inner sections are joined by points."""
    settings = _flat(study.variant_stanzas[variant].model_dump(mode="json"))
    return {key: value for key, value in settings.items() if key not in DESCRIPTIVE}


def shown_setting(value: Any) -> str:
    """A setting as it is written in a configuration."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
