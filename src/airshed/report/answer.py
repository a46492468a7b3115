"""The answer in three lines: what the variants change, how good they are, what would be found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from airshed.comparison.table import ALL
from airshed.comparison.verdict import EXPLANATIONS, Limit, Verdict, in_words, is_refused
from airshed.report import interventions
from airshed.report.results import Results
from airshed.report.text import (
    DECIDED,
    changed_settings,
    count_word,
    ends,
    listed,
    percent,
)

FEW = 3  # variants up to which a sentence names each one with its details
NO_REFERENCE = "No variant that is shown here has a reference that is shown too."
NOT_WORSE = (Verdict.helps, Verdict.small, Verdict.equivalent)


def question(results: Results) -> str:
    """What the study asks; its controls ask nothing of their own."""
    references, stanzas = results.study.references(), results.study.variant_stanzas
    asked = [name for name in references if stanzas[name].family != "control"] or [*references]
    if not asked:
        return f"How good are the forecasts of {listed(list(results.study.variants))}?"
    against = {references[name] for name in asked}
    other = against.pop() if len(against) == 1 else "their references"
    if len(asked) == 1:
        return f"Does {asked[0]} forecast better than {other}?"
    which = listed(asked) if len(asked) <= FEW else f"{count_word(len(asked))} variants"
    return f"Which of {which} forecast better than {other}?"


def lines(results: Results) -> list[tuple[str, list[str]]]:
    """Effect, competence and power, each with its sentences."""
    compared = list(results.study.references())
    effects = [effect(results, variant) for variant in compared] or [NO_REFERENCE]
    found = [
        ("Effect", [*effects, *interventions.unnoticed(results)]),
        ("Competence", list(competence(results))),
    ]
    return [*found, ("Power", [power(results)])] if compared else found


def effect(results: Results, variant: str) -> str:
    """By how much a variant differs from its reference, where, how surely and at what cost."""
    row, label = results.overall(variant), results.study.variant_stanzas[variant].label
    change = float(row["relative_rmse_change"])
    if math.isnan(change):
        return f"{variant} ({label}) could not be compared with {row['reference']}."
    control = "; a control" if row["family"] == "control" else ""
    margin = percent(results.study.comparison.margin, signed=False)
    sentence = (
        f"{'On simulated data, ' if results.simulated else ''}{variant} ({label}{control})"
        f" {_size(row)} (95\u00a0% interval {ends(row, 'unknown')}; margin {margin}) compared with"
        f" {row['reference']}: {_judged(results, row)}{_where(results, variant)}."
        f"{_of_control(results, row)}{_cost(results, variant)}"
    )
    return sentence[0].upper() + sentence[1:]


def _size(row: pd.Series[Any]) -> str:
    """What a change does to RMSE, in words; it has no direction where none is shown."""
    change, size = float(row["relative_rmse_change"]), percent(row["relative_rmse_change"])
    if size == percent(0):
        return "changes RMSE by less than 0.01\u00a0%"
    if row["verdict"] not in (*DECIDED, Verdict.small):
        return f"changes RMSE by {size}"
    return f"{'lowers' if change < 0 else 'raises'} RMSE by {percent(abs(change), signed=False)}"


def _judged(results: Results, row: pd.Series[Any]) -> str:
    """The verdict and its limits; where it is open, why, and what is excluded."""
    words, known = in_words(row), ends(row, "")
    if row["verdict"] != Verdict.inconclusive:
        return words
    words = f"{words}, no detectable change, since {_reason(results, row)}"
    excluded = known and not is_refused(row)
    return f"{words}; changes beyond {known} are excluded" if excluded else words


def _reason(results: Results, row: pd.Series[Any]) -> str:
    """Why a verdict is open."""
    if is_refused(row):
        return EXPLANATIONS[Limit(row["limit"])]
    low, high = float(row["ci_low"]), float(row["ci_high"])
    margin = results.study.comparison.margin
    if math.isnan(low + high):
        return "no interval is known"
    if low > 0 or high < 0:
        return "this interval leaves out 0 by itself, but not after adjustment"
    if max(-low, high) < margin:
        return "this interval lies within the margin by itself, but not after adjustment"
    return f"the interval holds both 0 and changes as large as the margin{_widened(row)}"


def _widened(row: pd.Series[Any]) -> str:
    """Which part of the variance makes an interval wide."""
    seeds, time = float(row["seed_variance"]), float(row["time_variance"])
    if not seeds + time > 0:
        return ""
    share = seeds / (seeds + time)
    if share < 0.5:
        return f" ({percent(1 - share, False)} of its variance is over init times)"
    return f" ({percent(share, False)} of its variance is between trainings)"


def _of_control(results: Results, row: pd.Series[Any]) -> str:
    """What a control says of its reference, or of the statistics, where it says anything."""
    if row["family"] != "control":
        return ""
    study, reference = results.study, str(row["reference"])
    changed = set(changed_settings(study, str(row["variant"]), reference))
    stanza = study.variant_stanzas[str(row["variant"])]
    if changed == {"seed_offset"}:
        wrong = row["verdict"] in (*DECIDED, Verdict.small)
        return " The two differ in their seeds alone: the statistics err here." if wrong else ""
    if row["verdict"] in NOT_WORSE and (stanza.without or stanza.scan == "random"):
        return f" So {reference} owes its skill to nothing that this control lacks."
    return ""


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
    """Extra time of a step, and how it was measured."""
    overhead = results.overhead(variant)
    if overhead is None:
        return ""
    longer = "longer" if overhead >= 0 else "less time"
    how = "wall clock of different jobs"
    if results.cost is not None:
        found = results.cost["variants"][variant]["overhead"]
        quartiles = f"{percent(found['p25'])} and {percent(found['p75'])}"
        how = f"measured once, in turns; half of the turns lie between {quartiles}"
    return f" A training step takes {percent(abs(overhead), signed=False)} {longer} ({how})."


def competence(results: Results) -> Iterator[str]:
    """How variants stand against every reference forecast, horizon by horizon."""
    variants, horizons = list(results.study.variants), sorted(results.study.horizons_h)
    against = results.over_best_reference()
    if against.empty:
        return
    beaten = (against < 0).groupby("horizon_h").sum()
    each = len(against) // len(horizons)
    wins = []
    for name in variants:
        by_horizon = listed([str(beaten.loc[hour, name]) for hour in horizons])
        details = f" ({by_horizon} of {each})" if len(variants) <= FEW else ""
        wins.append(f"{name} in {int(beaten[name].sum())} of {len(against)}{details}")
    at = f", at {listed([str(hour) for hour in horizons])} h" if len(variants) <= FEW else ""
    yield (
        "Pairs of pollutant and horizon in which RMSE is lower than that of every reference"
        f" forecast without a network{at}: {listed(wins)}."
    )
    margin = results.study.comparison.margin
    lost = (against > margin).sum()
    weak = [f"{name} in {lost[name]}" for name in variants if lost[name]]
    if weak:
        yield (
            f"It is higher than that of one of them by more than {percent(margin, signed=False)}:"
            f" {listed(weak)}. There a model says little about what was changed in it."
        )


def power(results: Results) -> str:
    """The smallest true change that a study like this finds, with the range of that number."""
    rows = results.comparisons
    of = {
        "over all pollutants and horizons": rows[rows["family"] == "primary"],
        "for a single pollutant and horizon": rows[rows["pollutant"] != ALL],
    }
    parts = []
    for where, found in of.items():
        known = found.dropna(subset="detectable_change")
        if len(known):
            change, low, high = (
                percent(float(known.iloc[0][f"detectable_{name}"]), signed=False)
                for name in ("change", "low", "high")
            )
            parts.append(f"{change} {where} (between {low} and {high})")
    if not parts:
        return "What such a study finds is not known: one seed does not show how trainings differ."
    return (
        "The smallest true change of RMSE that such a study finds in 8 of 10 repetitions is about"
        f" {listed(parts)}."
    )
