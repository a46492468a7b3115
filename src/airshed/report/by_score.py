"""Whether other scores agree with the verdict on RMSE, and how blurred forecasts are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from airshed.comparison.other_scores import OTHER_SCORES
from airshed.comparison.table import ALL
from airshed.comparison.verdict import Verdict
from airshed.report import text
from airshed.report.results import Results
from airshed.report.tables import Table

CAPTION = (
    "Mean over pollutants and horizons; change against the reference with its 95\u00a0% interval,"
    " and what is found after Holm\u2019s adjustment over scores and variants. Relative changes in"
    " percent, others as differences. Each pollutant and horizon is in comparisons_by_score.csv."
)
VARIANCE_CAPTION = (
    "Variance of the forecasts over the domain\u2019s cells in percent of that of the observations,"
    " mean over init times and pollutants. Below 100\u00a0%: forecasts are smoother than what"
    " happened."
)
IMPROVED = {Verdict.helps: "better", Verdict.hurts: "worse"}


def agreement(results: Results, variant: str) -> str:
    """Whether other scores agree with a variant's verdict."""
    rows = _overall(results, variant)
    found = {
        word: [OTHER_SCORES[name].title for name in rows["score"][rows["finding"] == word]]
        for word in ("better", "worse")
    }
    parts = [f"{word} in {text.listed(names)}" for word, names in found.items() if names]
    if not parts:
        return f"{variant}: no other score differs detectably."
    word = IMPROVED.get(Verdict(str(results.overall(variant)["verdict"])))
    if word is None:
        said = "other scores show a difference where RMSE does not"
    elif found["worse" if word == "better" else "better"]:
        said = "other scores do not agree with RMSE"
    else:
        said = "other scores agree with RMSE"
    return f"{variant}: {said}: {'; '.join(parts)}."


def table(results: Results, variant: str) -> Table:
    """One row a score, over all pollutants and horizons."""
    rows = []
    for _, row in _overall(results, variant).iterrows():
        values = (_plain(row[name]) for name in ("reference_value", "variant_value"))
        rows.append([OTHER_SCORES[row["score"]].title, *values, _change(row), row["finding"]])
    reference = results.study.references()[variant]
    return Table(["score", reference, variant, "change", ""], rows)


def variance(results: Results) -> Table:
    """Share of the observations' variance in space that each compared variant has, by horizon."""
    rows = results.by_score
    cells = rows[(rows["score"] == "variance_ratio") & (rows["pollutant"] != ALL)]
    sides = [
        cells.rename(columns={side: "name", f"{side}_value": "value"})[
            ["name", "horizon_h", "value"]
        ]
        for side in ("variant", "reference")
    ]
    logarithms = pd.concat(sides).assign(value=lambda found: np.log(found["value"]))
    mean = np.exp(logarithms.groupby(["name", "horizon_h"])["value"].mean())
    horizons = [str(horizon) for horizon in results.study.horizons_h]
    names = [name for name in results.study.variants if name in mean.index]
    shown = [
        [name, *(text.percent(float(mean[name, hour]), signed=False) for hour in horizons)]
        for name in names
    ]
    return Table(["variant", *(f"{hour} h" for hour in horizons)], shown)


def _overall(results: Results, variant: str) -> pd.DataFrame:
    rows = results.by_score
    return rows[(rows["variant"] == variant) & (rows["pollutant"] == ALL)]


def _plain(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3g}"


def _change(row: pd.Series[Any]) -> str:
    values = [float(row[name]) for name in ("change", "ci_low", "ci_high")]
    if row["change_is"] == "relative":
        middle, low, high = map(text.percent, values)
    else:
        middle, low, high = (f"{value:+.3f}".replace("-", "\u2212") for value in values)
    return f"{middle} ({low} to {high})"
