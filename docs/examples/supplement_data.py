"""Make-believe stations and a make-believe forecast, taken from a study's own hourly fields.

They have the form of an OpenAQ export and of a CAMS forecast, so that docs/supplement.md can be
followed without either. Nothing here is an observation, and nothing a forecast: the stations are
the hourly fields with noise and a few faults, the forecast is persistence on a coarse grid.

    python docs/examples/supplement_data.py CONFIG HOURLY FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from airshed.config import Study, load_study
from airshed.data.samples import bounds
from airshed.data.stores import open_hourly
from airshed.evaluation.points import Points

STATIONS, NOISE, SPACING_DEG = 12, 0.1, 2.0


def main(config: Path, hourly: Path, folder: Path) -> None:
    """Write ``stations.csv`` and ``forecast.nc`` into a folder."""
    study = load_study([config])
    first, stop = bounds(study.splits.test)
    fields = open_hourly(hourly).sel(time=slice(first, stop - pd.Timedelta("1h"))).load()
    folder.mkdir(parents=True, exist_ok=True)
    stations(fields).to_csv(folder / "stations.csv", index=False)
    forecast(fields, study).to_netcdf(folder / "forecast.nc")


def stations(fields: xr.Dataset) -> pd.DataFrame:
    """Hourly values at cells drawn at random, in Beijing time, with noise and three faults."""
    rng = np.random.default_rng(0)
    rows, columns = (fields.sizes[axis] for axis in "yx")
    row, column = rng.integers(2, rows - 2, STATIONS), rng.integers(2, columns - 2, STATIONS)
    lat = fields["lat2d"].values[row, column] + rng.uniform(-0.2, 0.2, STATIONS)
    lon = fields["lon2d"].values[row, column] + rng.uniform(-0.2, 0.2, STATIONS)
    points = Points(fields["lat2d"].values, fields["lon2d"].values, lat, lon)
    local = pd.DatetimeIndex(fields["time"].values).tz_localize("UTC").tz_convert("Asia/Shanghai")
    tables = []
    for name in ("pm25", "o3"):
        values = points(fields[name].values) * rng.lognormal(0, NOISE, (len(local), STATIONS))
        for number in range(STATIONS):
            table = {
                "location_id": 100 + number,
                "location": f"station {number}",
                "datetime": local.map(pd.Timestamp.isoformat),
                "lat": round(float(lat[number]), 4),
                "lon": round(float(lon[number]), 4),
                "parameter": name,
                "units": "µg/m³",
                "value": values[:, number].round(2),
            }
            tables.append(pd.DataFrame(table))
    tables[0].loc[5:7, "value"] = -999  # an outage
    tables[1].loc[10:44, "value"] = 42.0  # an instrument that is stuck
    tables[2].loc[20, "value"] = 5000.0  # a spike
    return pd.concat([*tables, tables[3].head(10)], ignore_index=True)  # sent twice


def forecast(fields: xr.Dataset, study: Study) -> xr.Dataset:
    """The fields at each init time for every lead time, on latitudes and longitudes, in kg m-3."""
    split = study.splits.test
    inits = pd.date_range(split.start, periods=24 * len(split.days), freq="h")
    inits = inits[:: split.init_every_h].intersection(pd.DatetimeIndex(fields["time"].values))
    lat2d, lon2d = fields["lat2d"].values, fields["lon2d"].values
    lat = np.arange(np.floor(lat2d.min()) - 4, lat2d.max() + 6, SPACING_DEG)[::-1]
    lon = np.arange(np.floor(lon2d.min()) - 4, lon2d.max() + 6, SPACING_DEG)
    places = np.meshgrid(lat, lon, indexing="ij")
    near = Points(lat2d, lon2d, *(part.ravel() for part in places), method="nearest")
    variables = {}
    for target in study.target_variables:
        name = target.name
        at_init = fields[name].sel(time=inits).values
        beyond = np.nanmean(at_init, axis=(1, 2))[:, None]  # the coarse grid is larger
        values = near(at_init)
        values = np.where(np.isfinite(values), values, beyond).reshape(-1, *places[0].shape)
        to_kg = 1e-6 if target.units == "mg m-3" else 1e-9
        repeated = np.repeat(values[:, None] * to_kg, len(study.horizons_h), axis=1)
        dims = ("forecast_reference_time", "forecast_period", "latitude", "longitude")
        variables[name.replace("pm25", "pm2p5")] = (dims, repeated, {"units": "kg m**-3"})
    return xr.Dataset(
        variables,
        coords={
            "forecast_reference_time": inits,
            "forecast_period": ("forecast_period", study.horizons_h, {"units": "hours"}),
            "latitude": lat,
            "longitude": lon,
        },
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
