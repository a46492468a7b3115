"""Which rows are judged together: p-values adjusted within families, and the verdicts from them.

The overall rows of the variants that a study is about are one family, those of its controls
another, and the rows of a variant by pollutant and horizon are a family of their own. Each of three
statements (a difference, one beyond the margin, none that reaches the margin) is adjusted by
itself, so that each kind is wrong, in any row of a family, in at most ``significance`` of studies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from airshed.comparison.inference import holm
from airshed.comparison.planning import precision
from airshed.comparison.verdict import Limit, verdict

CELLS = "cells"
UNADJUSTED = {
    "p_adjusted": "p_value",
    "p_beyond_margin": "p_beyond_alone",
    "p_equivalent": "p_equivalent_alone",
}
"""Columns of adjusted p-values, and those that they are made from."""
ALIKE = ["family", "family_size", "variant_seeds", "reference_seeds", "training_degrees", "limit"]
"""Rows that are equal in these find changes of the same size."""


def judged(
    rows: pd.DataFrame, significance: float, looks: int, of: Sequence[str] = ("variant",)
) -> pd.DataFrame:
    """Rows with adjusted p-values and verdicts.

    Args:
        rows: With the columns ``of``, ``family``, ``limit`` and p-values of each row alone.
        significance: Level that adjusted p-values must stay below.
        looks: How often the study is judged while it grows; the level is divided among them.
        of: Columns that say what the rows by pollutant and horizon belong to.
    """
    cells = rows["family"] == CELLS
    groups = [rows["family"], *(rows[name].where(cells, "") for name in of)]
    refused = rows["limit"].isin([limit.value for limit in Limit if limit.refuses])
    found = rows.assign(family_size=rows.groupby(groups)["family"].transform("size"))
    for name, unadjusted in UNADJUSTED.items():
        p_values = rows[unadjusted].where(~refused, 1.0)  # no claim is made there
        adjusted = p_values.groupby(groups).transform(lambda given: holm(given.to_numpy()))
        found[name] = np.minimum(1, looks * adjusted)
    holds = found[list(UNADJUSTED)].lt(significance) & ~refused.to_numpy()[:, None]
    found["verdict"] = [
        verdict(*numbers).value
        for numbers in zip(
            rows["relative_rmse_change"], holds["p_adjusted"], holds["p_equivalent"], strict=True
        )
    ]
    found["beyond_margin"] = holds["p_adjusted"] & holds["p_beyond_margin"]
    return found


def with_detectable(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """Rows with the smallest change that a study like this finds, and the range of that number."""
    names = ["detectable_change", "detectable_low", "detectable_high"]
    found = rows.assign(**dict.fromkeys(names, np.nan))
    for _, alike in rows.groupby(ALIKE):
        known = precision(alike, level)
        if known is not None:
            found.loc[alike.index, names] = known.smallest, *known.range()
    return found
