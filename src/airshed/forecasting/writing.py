"""Forecasts for many init times as one file, in the form of the forecast archive."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from airshed.evaluation.forecast_file import ForecastFile
from airshed.forecasting.data import hours_at
from airshed.forecasting.forecaster import Forecaster
from airshed.integrity.atomic import remove, writing
from airshed.progress import progress


def write_forecasts(
    forecaster: Forecaster,
    data: Path,
    init_times: pd.DatetimeIndex,
    horizons_h: Sequence[int] | None,
    output: Path,
) -> None:
    """Forecast from each init time, and write everything into one file.

    Forecasts of some init times are in memory together, about 8 MB of each pollutant, unless those
    of a single one are more. The file appears when it is complete.

    Args:
        forecaster: Makes the forecasts.
        data: An hourly store, or raw files as the study's dataset has them, of any period.
        init_times: UTC, rising.
        horizons_h: Lead times, h; None: all that the networks were trained for.
        output: Where it goes: NetCDF if the name ends in ``.nc``, else a Zarr store.

    Raises:
        AirshedError: A horizon is none of the study's, an hour is not there or cannot be used, or
            the file cannot be written.
    """
    horizons = forecaster.horizons(horizons_h)
    file = ForecastFile(output, forecaster.frame(init_times, horizons), forecaster.fields())
    hours = hours_at(data, forecaster.study.dataset, forecaster.incoming(), init_times)
    try:
        with writing(output):
            file.create()
            start = 0
            made = (forecaster.from_hour(fields, time, horizons) for time, fields in hours)
            shown = progress(made, f"forecasts to {output.name}", len(init_times))
            while some := [*islice(shown, file.inits_a_chunk)]:
                file.write(start, np.stack(some, axis=1))
                start += len(some)
            file.publish()
    finally:
        remove(file.partial)
