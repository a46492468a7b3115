"""The climatology of the training split as a forecast."""

from __future__ import annotations

from airshed.arrays import Floats
from airshed.evaluation.baselines.known import Known, batch_by_batch
from airshed.evaluation.batch import Forecaster, Samples


def climatology(known: Known) -> Forecaster:
    """What is expected at the valid time, see :mod:`airshed.data.climatology`."""

    def forecast(samples: Samples) -> Floats:
        return known.climatology.at(samples.valid_times)

    return batch_by_batch(forecast)
