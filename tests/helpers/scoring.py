"""A small grid with forecasts and truth made by hand, for every scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from airshed.data.stores import describe, write_netcdf
from airshed.evaluation.aggregation import Period
from airshed.evaluation.batch import Batch, Domain, Samples
from airshed.evaluation.gridded import GriddedScores
from airshed.evaluation.loop import batches_of
from airshed.variables import HOURLY, TARGETS, VARIABLES

HORIZONS = (12, 48)
INITS = pd.date_range("2018-02-27", periods=6, freq="12h", unit="ns")
ROWS, COLUMNS = 4, 5
SHAPE = (len(TARGETS), ROWS, COLUMNS)
TARGET_VARIABLES = tuple(VARIABLES[name] for name in TARGETS)
PERIOD = Period(INITS, HORIZONS, TARGET_VARIABLES)


class Steady:
    """A climatology that differs from cell to cell and hour to hour, of no shape in particular."""

    def __init__(self) -> None:
        self.fields = 40 + 5 * np.random.default_rng(3).random((24, *SHAPE), dtype=np.float32)

    def at(self, times: pd.DatetimeIndex) -> np.ndarray:
        return self.fields[times.hour]


@dataclass(frozen=True)
class Case:
    """Fields of every sample: forecast, truth, truth at init [N, 6, Y, X], wind [N, Y, X]."""

    samples: pd.DataFrame
    forecast: np.ndarray
    truth: np.ndarray
    initial: np.ndarray
    wind: np.ndarray
    domain: Domain
    climatology: Steady

    def batch(self, rows: Sequence[int]) -> Batch:
        fields = (self.forecast, self.truth, self.initial, self.wind)
        samples = Samples.of(self.samples.iloc[list(rows)])
        return Batch(samples, *(field[list(rows)] for field in fields))

    def batches(self, size: int = 4) -> list[Batch]:
        return [self.batch(rows.numbers) for rows in batches_of(self.samples, size)]

    def scorer(self) -> GriddedScores:
        return GriddedScores(PERIOD, self.domain, self.climatology)

    def scored(self, size: int = 4) -> GriddedScores:
        scorer = self.scorer()
        for batch in self.batches(size):
            scorer.add(batch)
        return scorer

    def change(self, **fields: np.ndarray) -> Case:
        return replace(self, **fields)


def make_case() -> Case:
    """Two cells outside the domain, a tenth of the truth missing, a missing sample."""
    rng = np.random.default_rng(1)
    pairs = [(init, horizon) for init in INITS for horizon in HORIZONS]
    del pairs[3]
    samples = pd.DataFrame(pairs, columns=["init_time", "horizon_h"])
    hours = ((samples["init_time"] - INITS[0]) / pd.Timedelta("1h")).astype(np.int64)
    samples = samples.assign(input_index=hours, target_index=hours + samples["horizon_h"])
    truth = rng.gamma(2, 40, size=(len(samples), *SHAPE)).astype(np.float32)
    truth[:, TARGETS.index("co")] /= 15
    forecast = (truth * rng.uniform(0.5, 1.6, size=truth.shape) + 1).astype(np.float32)
    initial = (truth * rng.uniform(0.5, 1.6, size=truth.shape)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    initial[rng.random(truth.shape) < 0.05] = np.nan
    wind = rng.uniform(0, 8, size=(len(samples), ROWS, COLUMNS)).astype(np.float32)
    wind[0, 2, 2] = np.nan
    mask = np.ones((ROWS, COLUMNS), dtype=bool)
    mask[0, :2] = False
    lat, lon = np.mgrid[30.0 : 30.0 + ROWS, 100.0 : 100.0 + COLUMNS]
    elevation = np.linspace(0, 4000, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    domain = Domain(mask, lat, lon, elevation)
    return Case(samples, forecast, truth, initial, wind, domain, Steady())


def attributes(name: str) -> dict[str, str]:
    variable = VARIABLES[name]
    return {"units": variable.units, "standard_name": variable.standard_name}


def write_hourly(
    path: Path, times: pd.DatetimeIndex, present: np.ndarray, fields: dict[str, np.ndarray]
) -> xr.Dataset:
    """An hourly store; variables that are not given are constant."""
    rows, columns = next(iter(fields.values())).shape[1:]
    lat, lon = np.mgrid[30.0 : 30.0 + rows, 100.0 : 100.0 + columns]
    data = {}
    for name in HOURLY:
        cube = fields.get(name, np.full((len(times), rows, columns), VARIABLES[name].low + 1))
        cube = np.array(cube, dtype=np.float32)
        cube[~present] = np.nan
        data[name] = (("time", "y", "x"), cube, attributes(name))
    plane = ("y", "x")
    hourly = xr.Dataset(
        data | {"present": ("time", present)},
        coords={
            "time": times,
            "lat2d": (plane, lat, attributes("lat2d")),
            "lon2d": (plane, lon, attributes("lon2d")),
        },
    )
    describe(hourly).to_zarr(path, zarr_format=3, consolidated=False)
    return xr.open_zarr(path, consolidated=False, chunks=None)


def write_static(path: Path, mask: np.ndarray) -> None:
    """Flat land with this domain mask, axes along the earth's."""
    plane = ("y", "x")
    lat, lon = np.mgrid[30.0 : 30.0 + mask.shape[0], 100.0 : 100.0 + mask.shape[1]]
    static = {
        "domain_mask": (plane, mask.astype(np.int8)),
        "lat2d": (plane, lat, attributes("lat2d")),
        "lon2d": (plane, lon, attributes("lon2d")),
    }
    for name in ("elevation", "population"):
        static[name] = (plane, np.full(mask.shape, 7.0), attributes(name))
    for name in ("column_east", "row_north", "column_north", "row_east"):
        value = 1.0 if name in ("column_east", "row_north") else 0.0
        static[name] = (plane, np.full(mask.shape, value), {"units": "1"})
    write_netcdf(xr.Dataset(static), path)
