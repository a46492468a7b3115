"""The climatology of the training split as a forecast."""

from __future__ import annotations

import pandas as pd

from airshed.evaluation.baselines.known import Known, batch_by_batch
from airshed.evaluation.batch import Floats, Forecaster


def climatology(known: Known) -> Forecaster:
    """What is expected at the valid time, see :mod:`airshed.evaluation.climatology`."""

    def forecast(samples: pd.DataFrame) -> Floats:
        horizons = pd.to_timedelta(samples["horizon_h"].to_numpy(), unit="h")
        return known.climatology.at(pd.DatetimeIndex(samples["init_time"]) + horizons)

    return batch_by_batch(forecast)
