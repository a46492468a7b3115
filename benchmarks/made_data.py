"""Data for the benchmarks of reading: random fields of CAQRA's size, in a folder of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter, zoom

from airshed.config import Study, load_study
from airshed.config.preprocessing import DaskConfig, NormalisationConfig
from airshed.data import hourly
from airshed.data.sphere import axis_directions
from airshed.data.statistics import statistics
from airshed.data.stores import write_netcdf
from airshed.simulate.projection import cell_positions
from airshed.variables import HOURLY, STATIC, VARIABLES

ROOT = Path(__file__).resolve().parents[1]
NATIVE, NATIVE_CELL_M = (339, 432), 15_000.0
SEED_GRID = (128, 256)
START = datetime(2016, 3, 1)


def study(days: int, precision: str = "float32") -> Study:
    """The founding study on a few days of made data."""
    files = [ROOT / "config" / name for name in ("config.yaml", "variants.yaml")]
    study = load_study([*files, ROOT / "config/studies/physics_mask.yaml"])
    end = START + timedelta(days=days - 1)
    period = study.dataset.period.model_copy(update={"start": START.date(), "end": end.date()})
    dataset = study.dataset.model_copy(update={"period": period, "precision": precision})
    splits = {
        name: getattr(study.splits, name).model_copy(
            update={"start": period.start, "end": period.end}
        )
        for name in ("train", "validation", "test")
    }
    return study.model_copy(
        update={"dataset": dataset, "splits": study.splits.model_copy(update=splits)}
    )


def fields(hours: int, shape: tuple[int, int]) -> np.ndarray:
    """Smooth plausible fields [hours, 11, Y, X], float32; a corner of the grid is missing."""
    rng = np.random.default_rng(0)
    made = np.empty((hours, len(HOURLY), *shape), dtype=np.float32)
    for index, name in enumerate(HOURLY):
        coarse = gaussian_filter(rng.standard_normal((hours, 34, 43)), (3, 1, 1))
        coarse = (coarse - coarse.min()) / np.ptp(coarse)
        known = VARIABLES[name]
        high = min(known.high, 400.0) if known.units.endswith("g m-3") else known.high
        scale = (1, shape[0] / 34, shape[1] / 43)
        smooth = zoom(coarse, scale, order=1, grid_mode=True, mode="nearest")
        noise = 0.01 * rng.standard_normal((hours, *shape))
        made[:, index] = known.low + (high - known.low) * np.clip(0.2 + 0.5 * smooth + noise, 0, 1)
    made[:, :, : shape[0] // 8, : shape[1] // 8] = np.nan
    return made


def prepared(folder: Path, days: int, made: np.ndarray, precision: str = "float32") -> Study:
    """Write the hourly store, ``static.nc`` and ``statistics.nc`` of made fields; the study."""
    chosen = study(days, precision)
    lat, lon = cell_positions(*SEED_GRID, 40_000.0)
    store = folder / "hourly.zarr"
    hourly.create(store, chosen.dataset, lat, lon)
    for day in range(days):
        hourly.write_day(store, day, made[24 * day : 24 * (day + 1)], HOURLY)
    hourly.write_present(store, np.ones(24 * days, dtype=bool))
    inside = np.isfinite(made[0]).all(axis=0)
    still = {"lat2d": lat, "lon2d": lon, "elevation": 50 * (lat - 10), "population": lon**2}
    assert set(still) == set(STATIC)
    still |= axis_directions(lat, lon) | {"domain_mask": inside.astype(np.int8)}
    static = xr.Dataset({name: (("y", "x"), field) for name, field in still.items()})
    write_netcdf(static, folder / "static.nc")
    statistics(
        store,
        folder / "static.nc",
        chosen.splits.train,
        NormalisationConfig(),
        DaskConfig(),
        1,
        folder / "statistics.nc",
    )
    return chosen


def raw_files(folder: Path, hours: int) -> int:
    """Write hourly NetCDF-4 files (deflated) on the native grid; their size in bytes."""
    folder.mkdir()
    lat, lon = cell_positions(*NATIVE, NATIVE_CELL_M)
    made = fields(24, NATIVE)
    total = 0
    for hour in range(hours):
        time = START + timedelta(hours=hour)
        content = _netcdf(dict(zip(HOURLY, made[hour % 24], strict=True)), lat, lon)
        (folder / f"CN-Reanalysis{time:%Y%m%d%H}.nc").write_bytes(content)
        total += len(content)
    return total


def series_files(folder: Path, days: int, packed: bool) -> int:
    """Write daily files with a time axis of the fields of :func:`raw_files`; their size in bytes.

    Args:
        folder: Where they go.
        days: How many.
        packed: NetCDF-3 of packed shorts, else deflated NetCDF-4 in single precision.
    """
    folder.mkdir()
    lat, lon = cell_positions(*NATIVE, NATIVE_CELL_M)
    made = fields(24, NATIVE)
    total = 0
    for day in range(days):
        start = START + timedelta(days=day)
        path = folder / f"{start:%Y%m%d}.nc"
        form = "NETCDF3_64BIT_OFFSET" if packed else "NETCDF4"
        with netCDF4.Dataset(path, "w", format=form) as file:
            for dimension, size in zip(("time", "y", "x"), (24, *NATIVE), strict=True):
                file.createDimension(dimension, size)
            clock = file.createVariable("time", "i4", ("time",))
            clock.units = f"hours since {start:%Y-%m-%d}"
            clock[:] = np.arange(24)
            for name, field in (("lat2d", lat), ("lon2d", lon)):
                file.createVariable(name, "f4", ("y", "x"))[:] = field
            for index, name in enumerate(HOURLY):
                _add(file, name, made[:, index], packed)
        total += path.stat().st_size
    return total


def _add(file: Any, name: str, values: np.ndarray, packed: bool) -> None:
    options = {"fill_value": np.int16(-32767)} if packed else {"zlib": True, "complevel": 1}
    if not packed:
        options["chunksizes"] = (1, *NATIVE)
    variable = file.createVariable(name, "i2" if packed else "f4", ("time", "y", "x"), **options)
    variable.units = VARIABLES[name].units
    if packed:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        variable.scale_factor, variable.add_offset = (high - low) / 65_000, (high + low) / 2
    missing = np.isnan(values)
    variable[:] = np.ma.masked_array(np.where(missing, 0, values), missing)


def _netcdf(values: dict[str, np.ndarray], lat: np.ndarray, lon: np.ndarray) -> bytes:
    file: Any = netCDF4.Dataset("made", "w", memory=1 << 20)
    for dimension, size in zip(("y", "x"), NATIVE, strict=True):
        file.createDimension(dimension, size)
    for name, field in (values | {"lat2d": lat, "lon2d": lon}).items():
        variable = file.createVariable(name, "f4", ("y", "x"), zlib=True, complevel=1)
        variable.units = VARIABLES[name].units
        variable[:] = field
    return bytes(file.close())
