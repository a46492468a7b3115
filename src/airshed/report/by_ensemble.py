"""The seeds of each variant, taken as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from airshed.report import text
from airshed.report.tables import Table

CAPTION = (
    "Mean of the pollutants. Gain: RMSE of the mean of the seeds\u2019 forecasts against the root"
    " mean square of theirs. Spread over error: 1 where the seeds differ as much as their mean"
    " errs; below 1 they are too sure. Outside: share of observations below or above all seeds,"
    " and what it would be if observations were one of them. No verdict rests on this. Fair CRPS,"
    " ranks and each pollutant: variants/<variant>/ensemble.csv."
)


def table(ensembles: pd.DataFrame, seeds: Sequence[int]) -> Table:
    """One row for each variant and horizon."""
    gain = np.log(ensembles["rmse_of_mean"] / ensembles["rmse_of_members"])
    outside = ensembles["rank_0"] + ensembles[f"rank_{len(seeds)}"]
    scores = ensembles.assign(gain=gain, outside=outside)
    by = ["variant", "horizon_h"]
    means = scores.groupby(by, sort=False)[["gain", "spread_over_error", "outside"]].mean()
    expected = text.percent(2 / (len(seeds) + 1), signed=False)
    rows = [
        [
            row["variant"],
            f"{row['horizon_h']} h",
            text.percent(float(np.expm1(row["gain"]))),
            f"{row['spread_over_error']:.2f}",
            f"{text.percent(float(row['outside']), signed=False)} (of {expected})",
        ]
        for row in means.reset_index().to_dict("records")
    ]
    return Table(["variant", "horizon", "gain in RMSE", "spread over error", "outside"], rows)
