"""Forecasts for many init times as one file, in the form of the forecast archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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

    One init time is in memory at a time. The file appears when it is complete.

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
            for time, fields in progress(hours, f"forecasts to {output.name}", len(init_times)):
                forecasts = forecaster.from_hour(fields, time, horizons)
                file.write(init_times.get_loc(time), forecasts[:, None])
            file.publish()
    finally:
        remove(file.partial)
