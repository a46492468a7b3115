"""Sentences of the report, made from numbers."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from airshed.comparison.table import ALL
from airshed.comparison.verdict import Limit, Verdict, in_words, is_refused
from airshed.config import Study
from airshed.report.results import Results

UNSEEN = ("label", "reference", "family")  # settings that do not change what is trained
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


def panels_told(results: Results, noun: str = "panel") -> str:
    """The panels of a figure that has one for each pollutant."""
    return f"{counted(len(results.study.targets), noun).capitalize()}, one a pollutant"


def interval(row: pd.Series[Any]) -> str:
    """A change with its interval."""
    return f"{percent(float(row['relative_rmse_change']))} ({_ends(row, 'no interval')})"


def answer(results: Results, variant: str) -> str:
    """By how much a variant differs from its reference, where, how surely and at what cost."""
    row, label = results.overall(variant), results.study.variant_stanzas[variant].label
    change = float(row["relative_rmse_change"])
    if math.isnan(change):
        return f"{variant} ({label}) could not be compared with {row['reference']}."
    control = "; a control" if row["family"] == "control" else ""
    sentence = (
        f"{'On simulated data, ' if results.simulated else ''}{variant} ({label}{control})"
        f" {_effect(change)} (95\u00a0% interval {_ends(row, 'unknown')}) compared with"
        f" {row['reference']}: {_judged(row)}{_where(results, variant)}.{_cost(results, variant)}"
    )
    return sentence[0].upper() + sentence[1:]


def _judged(row: pd.Series[Any]) -> str:
    """The verdict, for what alone it holds, and what is excluded where it is open."""
    words = in_words(row)
    known = _ends(row, "")
    if row["verdict"] != Verdict.inconclusive or not known or is_refused(row):
        return words
    return f"{words}; changes beyond {known} are excluded"


def _ends(row: pd.Series[Any], unknown: str) -> str:
    low, high = (float(row[key]) for key in ("ci_low", "ci_high"))
    return unknown if math.isnan(low + high) else f"{percent(low)} to {percent(high)}"


def _where(results: Results, variant: str) -> str:
    """For which pollutants and horizons it helps or hurts; nothing where no pair is decided."""
    cells = results.cells(variant)
    parts = []
    for verdict in DECIDED:
        decided = cells[cells["verdict"] == verdict]
        if decided.empty:
            continue
        targets, found = results.study.targets, set(decided["pollutant"])
        names = [results.label(name) for name in targets if name in found]
        horizons = sorted(decided["horizon_h"].unique())
        all_of = len(names) == len(targets) > 1
        which = "all pollutants" if all_of else listed(names)
        hours = listed([str(hour) for hour in horizons])
        parts.append(
            f"{verdict} in {len(decided)} of {len(cells)} pairs of pollutant and horizon"
            f" ({which}; {hours} h)"
        )
    nowhere = "; for no single pollutant and horizon is a difference found"
    return f"; it {' and '.join(parts)}" if parts else nowhere


def _cost(results: Results, variant: str) -> str:
    """Extra time of a step, with its quartiles where it was measured side by side."""
    overhead = results.overhead(variant)
    if overhead is None:
        return ""
    longer = "longer" if overhead >= 0 else "less time"
    spread = ""
    if results.cost is not None:
        found = results.cost["variants"][variant]["overhead"]
        spread = f" (quartiles {percent(found['p25'])} to {percent(found['p75'])})"
    return f" A training step takes {percent(abs(overhead), signed=False)} {longer}{spread}."


def listed(names: list[str]) -> str:
    """Words as they are listed in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _effect(change: float) -> str:
    """What a relative change does to RMSE, in words."""
    size = percent(abs(change), signed=False)
    if size == percent(0, signed=False):
        return "changes RMSE by less than 0.01\u00a0%"
    return f"{'lowers' if change < 0 else 'raises'} RMSE by {size}"


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


def weak(results: Results) -> str:
    """Which variants lose to a forecast that needs no training; empty if none does."""
    lost, pairs = results.lost()
    told = [f"{name} in {count}" for name, count in lost.items() if count]
    if not told:
        return ""
    margin = percent(results.study.comparison.margin, signed=False)
    return (
        f"Lost to a forecast that needs no training, by more than {margin}: {listed(told)} of"
        f" {pairs} pairs of pollutant and horizon. There a model says little about what was changed"
        " in it."
    )


def families(results: Results) -> str:
    """Which verdicts stand together."""
    overall = results.comparisons[results.comparisons["pollutant"] == ALL]
    sizes = overall.groupby("family", sort=False)["family_size"].first()
    level = percent(results.study.comparison.significance, signed=False)
    told = listed([_together(count, str(family)) for family, count in sizes.items()])
    looks = results.study.comparison.looks
    shared = f", divided among looks at {listed(list(map(str, looks)))} seeds" if looks else ""
    return (
        f"Verdicts over all pollutants and horizons: {told}; a false difference is found in at most"
        f" {level} of such studies{shared}{', in each family' if len(sizes) > 1 else ''}. Adding a"
        " variant can change another's verdict. Pairs of pollutant and horizon are judged together"
        " for each variant, to be read as detail."
    )


def _together(count: int, family: str) -> str:
    name = "control" if family == "control" else "variant"
    if count == 1:
        return f"one {name} is judged by itself"
    return f"{count_word(count)} {name}s are judged together"


def finds(results: Results) -> str | None:
    """The smallest true change that a study like this finds; None where that is unknown."""
    rows = results.comparisons
    of = {
        "over all pollutants and horizons": rows[rows["family"] == "primary"],
        "for a single pollutant and horizon": rows[rows["pollutant"] != ALL],
    }
    parts = []
    for where, found in of.items():
        known = found.dropna(subset="detectable_change")
        if known.empty:
            return None
        row = known.iloc[0]
        numbers = (
            percent(float(row[f"detectable_{name}"]), signed=False)
            for name in ("change", "low", "high")
        )
        parts.append("{} (between {} and {}) {}".format(*numbers, where))
    return (
        "A study like this one finds a true change of RMSE in 8 of 10 repetitions from about"
        f" {parts[0]}, and {parts[1]}."
    )


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
    return {key: value for key, value in settings.items() if key not in UNSEEN}


def shown_setting(value: Any) -> str:
    """A setting as it is written in a configuration."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def exceedances(results: Results, limit: str, happened: pd.Series[int]) -> str:
    """How many hours and cells were above the limits in the truth of the test split."""
    found = [f"{results.label(str(name))} {count:,}" for name, count in happened.items() if count]
    told = listed(found) if found else "none for any pollutant"
    return (
        f"Above the limits for {limit} means, counted in hours times cells, all horizons together:"
        f" {told}."
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
