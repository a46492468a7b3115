"""Changes of RMSE as a table: pollutants by horizons, each with its interval and verdict."""

from __future__ import annotations

from typing import Any

import pandas as pd

from airshed.comparison.table import ALL
from airshed.report.results import POLLUTANT_LABELS
from airshed.report.tables import Table
from airshed.report.text import interval


def change_table(comparisons: pd.DataFrame) -> Table:
    """The comparisons of one variant with its reference.

    Args:
        comparisons: Rows of ``comparisons.csv`` of one variant.
    """
    cells = comparisons[comparisons["pollutant"] != ALL]
    horizons = list(dict.fromkeys(cells["horizon_h"].astype(int)))
    placed = {(str(row["pollutant"]), int(row["horizon_h"])): row for _, row in cells.iterrows()}
    rows = [
        [
            POLLUTANT_LABELS[pollutant],
            *(_cell(placed.get((pollutant, horizon))) for horizon in horizons),
        ]
        for pollutant in dict.fromkeys(cells["pollutant"].astype(str))
    ]
    return Table(["pollutant", *(f"{horizon} h" for horizon in horizons)], rows)


def _cell(row: Any) -> str:
    return "missing" if row is None else f"{interval(row)}, {row['verdict']}"
