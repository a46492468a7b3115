"""Hand-made raw files: fields that say which hour, variable and cell they are."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from airshed.config.data import DatasetConfig, Split
from airshed.config.preprocessing import DaskConfig, NormalisationConfig
from airshed.data.ingest import Outputs, ingest
from airshed.data.statistics import statistics
from airshed.variables import HOURLY, VARIABLES

ROWS, COLUMNS = 4, 6
START = datetime(2016, 3, 1)
MISSING_CELL = (0, 0)

Fields = dict[str, np.ndarray]


def hour_fields(time: datetime) -> Fields:
    """Plausible values, different for every hour, variable and cell; one cell is missing."""
    hours = (time - START).total_seconds() / 3600
    cells = np.arange(ROWS * COLUMNS, dtype=float).reshape(ROWS, COLUMNS)
    fields = {}
    for number, name in enumerate(HOURLY):
        known = VARIABLES[name]
        share = 0.3 + 0.001 * number + 0.002 * cells + 0.0005 * hours
        fields[name] = known.low + (known.high - known.low) * share
        fields[name][MISSING_CELL] = np.nan
    return fields


def positions() -> Fields:
    lat, lon = np.meshgrid(30.0 + np.arange(ROWS), 100.0 + np.arange(COLUMNS), indexing="ij")
    return {"lat2d": lat, "lon2d": lon}


def netcdf(
    fields: Mapping[str, np.ndarray], units: Mapping[str, str | None] | None = None
) -> bytes:
    """A NetCDF-4 file; ``units`` overrides canonical units, None leaves the attribute out."""
    units = units or {}
    file = netCDF4.Dataset("made", "w", memory=1 << 16)
    shape = next(iter(fields.values())).shape
    for dimension, size in zip(("y", "x"), shape, strict=True):
        file.createDimension(dimension, size)
    for name, values in fields.items():
        variable = file.createVariable(name, "f8", ("y", "x"), fill_value=-999.0)
        variable[:] = np.ma.masked_where(np.isnan(values), values)
        unit = units.get(name, VARIABLES[name].units if name in VARIABLES else None)
        if unit is not None:
            variable.units = unit
    return bytes(file.close())


def member(time: datetime) -> str:
    return f"CN-Reanalysis{time:%Y%m%d%H}.nc"


def write_archive(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar.gz, tar, zip or folder with these members, by the suffix of ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    elif path.suffix in (".gz", ".tar"):
        quickly = {"compresslevel": 1} if path.suffix == ".gz" else {}
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w", **quickly) as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    else:
        path.mkdir()
        for name, content in members.items():
            (path / name).write_bytes(content)
    return path


@cache
def whole_hour(time: datetime) -> bytes:
    """The file of an hour in which nothing is wrong."""
    return netcdf(hour_fields(time) | positions())


def day_members(day: datetime, make: Callable[[datetime], bytes] | None = None) -> dict[str, bytes]:
    """The 24 hourly files of a day."""
    make = make or whole_hour
    times = [day + timedelta(hours=hour) for hour in range(24)]
    return {member(time): make(time) for time in times}


def write_days(folder: Path) -> Path:
    """Archives of two days in ``folder/raw``, elevation and population beside it; the former."""
    raw = folder / "raw"
    for number in range(2):
        day = START + timedelta(days=number)
        name = f"CN-Reanalysis{day:%Y%m%d}.tar.gz"
        write_archive(raw / f"{day:%Y%m}" / name, day_members(day))
    rng = np.random.default_rng(0)
    for name, scale in {"elevation": 4000, "population": 1e5}.items():
        values = scale * rng.random((ROWS, COLUMNS))
        (folder / f"{name}.nc").write_bytes(netcdf({name: values} | positions()))
    return raw


def with_files(dataset: DatasetConfig, folder: Path, **changes: Any) -> DatasetConfig:
    """The dataset with elevation and population files in ``folder``."""
    files = {f"{name}_file": str(folder / f"{name}.nc") for name in ("elevation", "population")}
    return dataset.model_copy(update=files | changes)


def ingest_into(folder: Path, dataset: DatasetConfig, raw: Path, workers: int = 1) -> Path:
    """Ingest into ``folder``: hourly.zarr, ingest.json and quality.csv; the store's path."""
    names = ("hourly.zarr", "ingest.json", "quality.csv")
    outputs = Outputs(*(folder / name for name in names))
    ingest(dataset, raw, outputs, DaskConfig(), workers)
    return outputs.hourly


def statistics_into(
    path: Path, hourly: Path, static: Path, train: Split, workers: int = 1, **changes: Any
) -> Path:
    """Write the statistics of a training split; ``changes`` are keys of ``normalisation``."""
    normalisation = NormalisationConfig.model_validate(changes)
    statistics(hourly, static, train, normalisation, DaskConfig(), workers, path)
    return path


def write_yearly(path: Path) -> Path:
    """A yearly Zarr store of the founding project's form, of two days; 100 m, 10,000 people."""
    times = np.datetime64(START) + np.arange(48) * np.timedelta64(1, "h")
    every = [hour_fields(START + timedelta(hours=hour)) for hour in range(48)]
    fields = {name: (("time", "y", "x"), np.stack([f[name] for f in every])) for name in HOURLY}
    ground = {
        "elevation": np.full((ROWS, COLUMNS), 100.0),
        "population": np.full((ROWS, COLUMNS), 1e4),
    }
    plane = {name: (("y", "x"), values) for name, values in (positions() | ground).items()}
    store = xr.Dataset(fields | plane, coords={"time": times})
    for name in (*HOURLY, "elevation"):
        store[name].attrs["units"] = VARIABLES[name].units
    store.to_zarr(path, zarr_format=2, consolidated=True)
    return path
