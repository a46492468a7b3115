"""What trained networks notice: their errors with fields changed, against those as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from airshed.comparison.table import ALL
from airshed.comparison.verdict import Verdict, limited
from airshed.report import text
from airshed.report.results import Results
from airshed.report.tables import Table

CAPTION = (
    "Trained networks, scored again with something changed: change of RMSE over all pollutants and"
    " horizons against the same networks as they are, with its 95\u00a0% interval. Higher error:"
    " the networks use what was taken from them. *: by at least the margin. Differences are taken"
    " network by network, and all rows are adjusted together."
)
NOT_READ = "does not read it"
WORDS = {
    Verdict.helps: "lower error",
    Verdict.hurts: "higher error",
    Verdict.small: "small",
    Verdict.equivalent: "no difference that matters",
    Verdict.inconclusive: "undecided",
}
GONE = ("zero", "mean")
FIELDS = {("u", "v"): "wind", ("elevation",): "elevation"}
UNNOTICED = {
    Verdict.helps: ("forecasts better without its {}", "forecast better without their {}"),
    Verdict.equivalent: (
        "does not notice that its {} is gone",
        "do not notice that their {} is gone",
    ),
    Verdict.small: ("hardly notices that its {} is gone", "hardly notice that their {} is gone"),
}
"""Of one variant, and of several."""


def overall(results: Results) -> dict[tuple[str, str], Any]:
    """The overall row of each intervention and variant."""
    rows = results.interventions
    if rows is None:
        return {}
    chosen = rows[rows["pollutant"] == ALL]
    return {(row["intervention"], row["variant"]): row for _, row in chosen.iterrows()}


def table(results: Results) -> Table:
    """One row a variant, one column an intervention; no rows if there are none."""
    found, names = overall(results), results.study.interventions.apply
    variants = results.study.variants if found else []
    level = results.study.comparison.significance
    rows = [
        [variant, *(_cell(found.get((name, variant)), level) for name in names)]
        for variant in variants
    ]
    return Table(["variant", *names], rows)


def labels(results: Results) -> list[str]:
    """What each intervention changes."""
    stanzas = results.study.intervention_stanzas
    return [f"{name}: {stanzas[name].label}." for name in results.study.interventions.apply]


def _cell(row: pd.Series[Any] | None, level: float) -> str:
    return NOT_READ if row is None else f"{text.interval(row)}, {judged(row, level)}"


def judged(row: pd.Series[Any], level: float) -> str:
    """The verdict in words of an error that rises or falls, and whether all networks agree."""
    count = int(row["networks"])
    star = "*" if row["beyond_margin"] else ""
    agree = f" in all {count}" if count > 1 and row["p_all_networks"] < level else ""
    return f"{WORDS[Verdict(row['verdict'])]}{star}{agree}{limited(row)}"


def _limit(row: pd.Series[Any]) -> str:
    """What a verdict is limited to, within brackets."""
    limit = limited(row).strip(" ()")
    return f"; {limit}" if limit else ""


def unnoticed(results: Results) -> Iterator[str]:
    """A sentence on networks that do without their wind or elevation, or are better off."""
    found = overall(results)
    for name in results.study.interventions.apply:
        stanza = results.study.intervention_stanzas[name]
        field = FIELDS.get(stanza.changed())
        if field is None or stanza.change not in GONE or stanza.where != "all":
            continue
        for verdict, words in UNNOTICED.items():
            variants = [
                f"{variant} (RMSE {text.interval(row)}{_limit(row)})"
                for (intervention, variant), row in found.items()
                if intervention == name and row["verdict"] == verdict
            ]
            if variants:
                yield f"{text.listed(variants)} {words[len(variants) > 1].format(field)}."
