"""From raw archives to the hourly store, one day at a time, restartable."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
from dask.callbacks import Callback

from airshed.atomic import publish, write_json
from airshed.config.data import DatasetConfig
from airshed.data import hourly as store
from airshed.data.archives import Source, find_days, hours
from airshed.data.rawfile import RawHour, read_raw_hour
from airshed.data.regrid import regrid, regrid_directions
from airshed.data.summary import summary
from airshed.errors import AirshedError
from airshed.progress import progress_bar
from airshed.variables import HOURLY

Floats = npt.NDArray[np.floating[Any]]
GRID_TOLERANCE_DEG = 1e-4


def ingest(dataset: DatasetConfig, raw: Path, hourly: Path, report: Path, workers: int) -> None:
    """Read the archives of a dataset's period into one hourly store on the study grid.

    Days are written into a partial store beside the final one, and each is noted when it is
    complete; an interrupted ingest continues with the days that are missing. The store gets its
    name when all days are in it.

    Args:
        dataset: What the files hold and the grid to bring them to.
        raw: Folder with the archives.
        hourly: Where the Zarr store goes.
        report: Where the JSON with hours present, gaps and ranges goes.
        workers: Processes that read archives.

    Raises:
        AirshedError: There are no archives, or one is damaged or does not hold what it should.
    """
    sources = find_days(raw)
    partial = _partial(dataset, sources, hourly)
    work, notes = partial / "store.zarr", partial / "days"
    if not notes.exists():
        lat_deg, lon_deg = _native_grid(dataset, sources)
        shape = (dataset.grid.rows, dataset.grid.columns)
        store.create(work, dataset, *regrid_directions(lat_deg, lon_deg, shape))
        np.savez(partial / "native.npz", lat_deg=lat_deg, lon_deg=lon_deg)
        notes.mkdir()
    days = dataset.period.days
    missing = [number for number, day in enumerate(days) if not _note(notes, day).exists()]
    tasks = [
        dask.delayed(_ingest_day)(dataset, sources, partial, number, days[number])
        for number in missing
    ]
    _compute(tasks, workers, done=len(days) - len(missing), total=len(days))
    noted = [json.loads(_note(notes, day).read_text(encoding="utf-8")) for day in days]
    store.write_present(work, np.array([hour["present"] for day in noted for hour in day["hours"]]))
    write_json(report, summary(dataset, noted))
    publish(work, hourly)
    shutil.rmtree(partial)


def _partial(dataset: DatasetConfig, sources: Mapping[date, Source], hourly: Path) -> Path:
    """The folder of an unfinished ingest; emptied when it was for other settings or files."""
    files = [
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for day in sorted(sources)
        for path in sources[day]
    ]
    parts = json.dumps([dataset.model_dump(mode="json"), files])
    key = hashlib.sha256(parts.encode()).hexdigest()
    partial = hourly.with_name(f".{hourly.name}.partial")
    kept = partial / "key"
    if not kept.exists() or kept.read_text(encoding="ascii") != key:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        kept.write_text(key, encoding="ascii")
    return partial


def _note(notes: Path, day: date) -> Path:
    return notes / f"{day:%Y%m%d}.json"


def _native_grid(dataset: DatasetConfig, sources: Mapping[date, Source]) -> tuple[Floats, Floats]:
    for day in dataset.period.days:
        for _, where, content in hours(sources, day, dataset.utc_offset_h):
            first = read_raw_hour(content, where, dataset.units)
            return first.lat_deg, first.lon_deg
    raise AirshedError(
        "no hour of the period was found in the archives",
        where=f"dataset.period ({dataset.period})",
        found=f"archives of {min(sources)} to {max(sources)}",
        hint="correct dataset.period or dataset.path",
    )


def _ingest_day(
    dataset: DatasetConfig, sources: Mapping[date, Source], partial: Path, number: int, day: date
) -> None:
    """Read, regrid and write one day, then note that it is complete."""
    with np.load(partial / "native.npz") as native:
        lat_deg, lon_deg = native["lat_deg"], native["lon_deg"]
    shape = (len(HOURLY), *lat_deg.shape)
    fields = np.full((store.HOURS_A_DAY, *shape), np.nan)
    reasons: dict[int, str | None] = dict.fromkeys(range(store.HOURS_A_DAY), "not in the archives")
    for time, where, content in hours(sources, day, dataset.utc_offset_h):
        hour = read_raw_hour(content, where, dataset.units)
        _check_grid(hour, lat_deg, lon_deg, where)
        reasons[time.hour] = _unusable(hour)
        if reasons[time.hour] is None:
            fields[time.hour] = hour.fields
    regridded = regrid(fields, (dataset.grid.rows, dataset.grid.columns))
    store.write_day(partial / "store.zarr", number, regridded)
    write_json(_note(partial / "days", day), _day_note(day, regridded, reasons))


def _check_grid(hour: RawHour, lat_deg: Floats, lon_deg: Floats, where: str) -> None:
    same = hour.lat_deg.shape == lat_deg.shape and all(
        np.allclose(found, expected, rtol=0, atol=GRID_TOLERANCE_DEG, equal_nan=True)
        for found, expected in ((hour.lat_deg, lat_deg), (hour.lon_deg, lon_deg))
    )
    if not same:
        raise AirshedError(
            "a raw file lies on another grid than the first one",
            where=where,
            expected=f"{lat_deg.shape}, corner at {lat_deg[0, 0]:.3f} N {lon_deg[0, 0]:.3f} E",
            found=f"{hour.lat_deg.shape}, corner at"
            f" {hour.lat_deg[0, 0]:.3f} N {hour.lon_deg[0, 0]:.3f} E",
            hint="a dataset has one grid; move files of another grid to a dataset of their own",
        )


def _unusable(hour: RawHour) -> str | None:
    empty = [
        name
        for name, field in zip(HOURLY, hour.fields, strict=True)
        if not np.isfinite(field).any()
    ]
    return f"no value of {', '.join(empty)}" if empty else None


def _day_note(day: date, fields: Floats, reasons: Mapping[int, str | None]) -> dict[str, Any]:
    start = datetime.combine(day, datetime.min.time())
    return {
        "hours": [
            {
                "time": start.replace(hour=hour).isoformat(),
                "present": reason is None,
                "reason": reason,
            }
            for hour, reason in sorted(reasons.items())
        ],
        "ranges": {name: _range(fields[:, index]) for index, name in enumerate(HOURLY)},
    }


def _range(field: Floats) -> dict[str, float] | None:
    known = field[np.isfinite(field)]
    return {"min": float(known.min()), "max": float(known.max())} if known.size else None


def _compute(tasks: list[Any], workers: int, done: int, total: int) -> None:
    """Run the day tasks, by processes if by several: the NetCDF library is not thread-safe."""
    with progress_bar("days ingested", total=total, initial=done) as bar:

        def advance(*_: Any) -> None:
            bar.update()

        with Callback(posttask=advance):
            if workers == 1:
                dask.compute(*tasks, scheduler="synchronous")
                return
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                dask.compute(*tasks, scheduler="processes", pool=pool)
