"""Change of error by class of terrain, wind and season."""

from __future__ import annotations

import numpy as np
import pandas as pd

from airshed.report import text
from airshed.report.results import Results, shown_units


def class_changes(results: Results) -> pd.DataFrame:
    """Change of RMSE against the reference by class: mean of log RMSE, and range over pairs.

    A pair is one training of the variant and one of its reference.
    """
    rmse = results.strata[results.strata["metric"] == "rmse"].dropna(subset="value")
    keys = ["stratum_kind", "stratum", "variant", "seed"]
    levels = rmse.assign(level=np.log(rmse["value"])).groupby(keys)["level"].mean()
    rows = []
    for kind, stratum in rmse[["stratum_kind", "stratum"]].drop_duplicates().to_numpy():
        for variant, reference in results.study.references().items():
            mine, theirs = (
                levels.get((kind, stratum, name), pd.Series(dtype=float)).to_numpy()
                for name in (variant, reference)
            )
            if not (len(mine) and len(theirs)):
                continue
            pairs = 100 * np.expm1(mine[:, None] - theirs)
            mean = 100 * np.expm1(mine.mean() - theirs.mean())
            rows.append((variant, reference, kind, stratum, mean, pairs.min(), pairs.max()))
    names = ["variant", "reference", "stratum_kind", "stratum", "change_percent"]
    return pd.DataFrame(rows, columns=[*names, "lowest", "highest"])


def told(results: Results, variant: str) -> str:
    """How the change of a variant goes with elevation, from the lowest class to the highest."""
    changes = class_changes(results)
    rows = changes[(changes["variant"] == variant) & (changes["stratum_kind"] == "elevation")]
    shown = [
        f"{text.percent(row['change_percent'] / 100)} {shown_units(str(row['stratum']))}"
        for row in rows.to_dict("records")
    ]
    return f"{variant}, change of RMSE by elevation: {', '.join(shown) or 'missing'}."
