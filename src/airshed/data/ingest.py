"""From raw hours to the hourly store, one day at a time, restartable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import DaskConfig
from airshed.data import hourly as store
from airshed.data.day_cache import DayCache
from airshed.data.day_notes import DayNote, quality_table, summary
from airshed.data.native import NativeGrid, native_grid
from airshed.data.quality import check_hour
from airshed.data.rawhour import as_hour
from airshed.data.regrid import regrid, regrid_directions
from airshed.data.scale_out import run_tasks
from airshed.data.source import (
    DaySource,
    Source,
    duplicate_hour,
    first_hour,
    hours_missing,
    open_source,
)
from airshed.data.units import check_described
from airshed.errors import AirshedError
from airshed.graph.user_files import checksum_taken
from airshed.graph.views import canonical
from airshed.integrity.atomic import publish, write_json, write_text, writing
from airshed.progress import progress

QUIET_S = 10.0  # checking cached days shows its progress if it takes longer


@dataclass(frozen=True)
class Outputs:
    """Where an ingest writes: the store, ``ingest.json`` and the quality table."""

    hourly: Path
    report: Path
    quality: Path


def ingest(
    dataset: DatasetConfig, raw: Path, outputs: Outputs, scale_out: DaskConfig, workers: int
) -> None:
    """Read the raw hours of a dataset's period into one hourly store on the study grid.

    Complete days are cached beside the store (:mod:`airshed.data.day_cache`). An ingest that was
    interrupted, or one after a change of raw files or of the period, reads only days that are
    missing or whose files have changed since. The store gets its name when all days are in it.
    Each day is a task with one raw hour and the regridded day in memory, whatever the number of
    days and the size of the archives.

    Args:
        dataset: What the files hold and the grid to bring them to.
        raw: Folder with the archives or yearly stores; of a gridded series also a file or pattern.
        outputs: Where the Zarr store, the JSON with hours, gaps and ranges, and the table of
            quality go.
        scale_out: Where the days are read.
        workers: Days at a time on this machine.

    Raises:
        AirshedError: There are no raw hours, or one is damaged or does not hold what it should.
    """
    check_described(dataset)
    source, days = open_source(dataset, raw), dataset.period.days
    cache, key = _opened_cache(dataset, source, outputs.hourly)
    done = _current_days(cache, key, source, days, workers)
    tasks = [
        (dataset, source.day(day), key, cache, number, day)
        for number, day in enumerate(days)
        if day not in done
    ]
    with _cleared_if_empty(cache):
        for _ in run_tasks(_ingest_day, tasks, scale_out, workers, "days ingested", len(done)):
            pass
    noted = [cache.note(day) for day in days]
    for path, digest in (item for day in noted for item in day.sha256.items()):
        checksum_taken(Path(path), digest)
    with writing(cache.store):
        linked = cache.fill_store(days)
    store.write_present(
        cache.store,
        np.concatenate([day.present for day in noted]),
        {day.day: day.content for day in noted},
    )
    write_text(outputs.quality, quality_table(dataset.quantities, noted))
    write_json(outputs.report, summary(dataset, noted) | {"conversions": source.conversions()})
    publish(cache.store, outputs.hourly)
    if linked:
        cache.prune(days)
    else:
        cache.clear()


def _opened_cache(dataset: DatasetConfig, source: Source, hourly: Path) -> tuple[DayCache, str]:
    """The cache of days with a new, empty store, and the key of settings and native grid.

    Days do not depend on the period that they are part of, so it is not in the key.
    """
    where, first = first_hour(source, dataset)
    grid = native_grid(first, dataset, where)
    settings = canonical(["hourly"], dataset, "dataset") | {"period": None}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + grid.digest()).hexdigest()
    shape = (dataset.grid.rows, dataset.grid.columns)
    lat_deg, lon_deg = regrid_directions(grid.cut(grid.lat_deg), grid.cut(grid.lon_deg), shape)
    cache = DayCache.beside(hourly)
    cache.open(key)
    store.create(cache.store, dataset, lat_deg, lon_deg)
    grid.write(cache.native)
    return cache, key


def _current_days(
    cache: DayCache, key: str, source: Source, days: Sequence[date], workers: int
) -> set[date]:
    """The days that need not be read again, as the checksums of their files show."""
    if cache.is_empty():
        return set()
    with ThreadPoolExecutor(workers) as pool:
        current = pool.map(lambda day: cache.is_current(day, key, source.day(day)), days)
        shown = progress(current, "cached days checked", len(days), delay_s=QUIET_S)
        return {day for day, is_current in zip(days, shown, strict=True) if is_current}


@contextmanager
def _cleared_if_empty(cache: DayCache) -> Iterator[None]:
    """Leave nothing behind when an ingest is refused before any day is complete."""
    try:
        yield
    except AirshedError:
        if cache.is_empty():
            cache.clear()
        raise


def _ingest_day(
    dataset: DatasetConfig,
    source: DaySource,
    key: str,
    cache: DayCache,
    number: int,
    day: date,
) -> None:
    """Read, check, regrid and write one day into the cache."""
    grid = NativeGrid.read(cache.native)
    shape = (dataset.grid.rows, dataset.grid.columns)
    quantities = dataset.quantities
    count = len(quantities.hourly)
    fields = np.full((dataset.steps_a_day, count, *shape), np.nan, dtype=np.float32)
    note = DayNote.of(day, [key, *source.fingerprint()], dataset.time_step_h)
    for each in source.hours():
        hour_of_day = each.time_utc.hour
        if note.seen(hour_of_day):
            if dataset.quality.duplicate_hours == "refuse":
                raise duplicate_hour(each.where, f"{each.time_utc} UTC")
            note.add_duplicate(hour_of_day)
            fields[hour_of_day // dataset.time_step_h] = np.nan
            continue
        hour = as_hour(each.read(), quantities.hourly, each.where)
        found = check_hour(hour, grid, quantities, dataset.quality, each.where)
        note.add(hour_of_day, found)
        if found.unusable is None:
            fields[hour_of_day // dataset.time_step_h] = regrid(found.fields, shape)
        del hour, found  # before the next one is read
    if dataset.quality.missing_hours == "refuse":
        _refuse_gaps(note, day)
    note.sha256 = source.checksums()
    note.add_ranges(fields, quantities.hourly)
    with writing(cache.store):
        cache.invalidate(day)
        note.content = store.write_day(cache.store, number, fields, quantities.hourly)
        cache.add(day, number, note)


def _refuse_gaps(note: DayNote, day: date) -> None:
    missing = [str(hour) for hour, reason in sorted(note.reasons.items()) if reason is not None]
    if missing:
        raise hours_missing(f"{day:%Y-%m-%d}", f"nothing usable at {', '.join(missing)} h UTC")
