"""Change of error by class of terrain, wind and season."""

from __future__ import annotations

import pandas as pd

from airshed.evaluation.binning import RuggednessByWind
from airshed.report import text
from airshed.report.results import Results, shown_units


def class_changes(results: Results) -> pd.DataFrame:
    """Change of RMSE by class of one quantity."""
    return results.by_class[results.by_class["stratum_kind"] != RuggednessByWind.kind]


def rugged_by_wind(results: Results) -> pd.DataFrame:
    """Change of RMSE by class of ruggedness and of wind together."""
    return results.by_class[results.by_class["stratum_kind"] == RuggednessByWind.kind]


def by_elevation(results: Results, variant: str) -> str:
    """How the change of a variant goes with elevation, from the lowest class to the highest."""
    changes = class_changes(results)
    rows = changes[(changes["variant"] == variant) & (changes["stratum_kind"] == "elevation")]
    shown = [
        f"{text.percent(row['change_percent'] / 100)}"
        f" ({text.percent(row['ci_low_percent'] / 100)} to"
        f" {text.percent(row['ci_high_percent'] / 100)}) {shown_units(str(row['stratum']))}"
        for row in rows.to_dict("records")
    ]
    return f"{variant}, change of RMSE by elevation: {', '.join(shown) or 'missing'}."
