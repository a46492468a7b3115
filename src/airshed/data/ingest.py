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
from airshed.data.day_notes import DayNote, quality_table, summary
from airshed.data.heap import keep_little
from airshed.data.kept_days import KeptDays
from airshed.data.native import NativeGrid, native_grid
from airshed.data.quality import check_hour
from airshed.data.rawhour import as_hour
from airshed.data.regrid import regrid, regrid_directions
from airshed.data.scale_out import run_tasks
from airshed.data.source import (
    DaySource,
    Source,
    first_hour,
    hours_missing,
    open_source,
    there_twice,
)
from airshed.data.units import check_described
from airshed.errors import AirshedError
from airshed.graph.user_files import checksum_taken
from airshed.graph.views import canonical
from airshed.integrity.atomic import publish, write_json, write_text, writing
from airshed.progress import progress

QUIET_S = 10.0  # looking at days that are there shows its progress if it takes longer


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

    Each day is kept beside the store when it is complete (:mod:`airshed.data.kept_days`). An ingest
    that was interrupted, or one after a change of raw files or of the period, reads only days that
    are missing or whose files have changed since. The store gets its name when all days are in it.
    A day is one task that holds one raw hour and the regridded day, so that memory depends neither
    on the number of days nor on the archives' size.

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
    keep_little()
    source, days = open_source(dataset, raw), dataset.period.days
    kept, key = _begun(dataset, source, outputs.hourly)
    held = _held(kept, key, source, days, workers)
    tasks = [
        (dataset, source.day(day), key, kept, number, day)
        for number, day in enumerate(days)
        if day not in held
    ]
    with _discard_if_no_day_is_complete(kept):
        for _ in run_tasks(_ingest_day, tasks, scale_out, workers, "days ingested", len(held)):
            pass
    noted = [kept.note(day) for day in days]
    for path, digest in (item for day in noted for item in day.sha256.items()):
        checksum_taken(Path(path), digest)
    with writing(kept.store):
        stays = kept.assemble(days)
    store.write_present(
        kept.store,
        np.concatenate([day.present for day in noted]),
        {day.day: day.content for day in noted},
    )
    write_text(outputs.quality, quality_table(dataset.quantities, noted))
    write_json(outputs.report, summary(dataset, noted) | {"conversions": source.conversions()})
    publish(kept.store, outputs.hourly)
    if stays:
        kept.keep_only(days)
    else:
        kept.discard()


def _begun(dataset: DatasetConfig, source: Source, hourly: Path) -> tuple[KeptDays, str]:
    """The days that are there already, beside a new store, and the key of settings and native grid.

    Days do not depend on the period that they are part of, so it is not in the key.
    """
    where, first = first_hour(source, dataset)
    grid = native_grid(first, dataset, where)
    settings = canonical(["hourly"], dataset, "dataset") | {"period": None}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + grid.digest()).hexdigest()
    shape = (dataset.grid.rows, dataset.grid.columns)
    lat_deg, lon_deg = regrid_directions(grid.cut(grid.lat_deg), grid.cut(grid.lon_deg), shape)
    kept = KeptDays.beside(hourly)
    kept.begin(key)
    store.create(kept.store, dataset, lat_deg, lon_deg)
    grid.write(kept.native)
    return kept, key


def _held(
    kept: KeptDays, key: str, source: Source, days: Sequence[date], workers: int
) -> set[date]:
    """The days that need not be read again; their files are hashed to know that."""
    if not kept.any():
        return set()
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda day: kept.holds(day, key, source.day(day)), days)
        told = progress(found, "days looked at", len(days), delay_s=QUIET_S)
        return {day for day, held in zip(days, told, strict=True) if held}


@contextmanager
def _discard_if_no_day_is_complete(kept: KeptDays) -> Iterator[None]:
    """A refused ingest leaves the days that are complete; if none is, it leaves nothing."""
    try:
        yield
    except AirshedError:
        if not kept.any():
            kept.discard()
        raise


def _ingest_day(
    dataset: DatasetConfig,
    source: DaySource,
    key: str,
    kept: KeptDays,
    number: int,
    day: date,
) -> None:
    """Read, inspect, regrid and write one day, then keep it."""
    keep_little()  # in a worker
    grid = NativeGrid.read(kept.native)
    shape = (dataset.grid.rows, dataset.grid.columns)
    quantities = dataset.quantities
    count = len(quantities.hourly)
    fields = np.full((dataset.steps_a_day, count, *shape), np.nan, dtype=np.float32)
    note = DayNote.of(day, [key, *source.fingerprint()], dataset.time_step_h)
    for each in source.hours():
        of_day = each.time_utc.hour
        if note.seen(of_day):
            if dataset.quality.duplicate_hours == "refuse":
                raise there_twice(each.where, f"{each.time_utc} UTC")
            note.repeated(of_day)
            fields[of_day // dataset.time_step_h] = np.nan
            continue
        hour = as_hour(each.read(), quantities.hourly, each.where)
        found = check_hour(hour, grid, quantities, dataset.quality, each.where)
        note.add(of_day, found)
        if found.unusable is None:
            fields[of_day // dataset.time_step_h] = regrid(found.fields, shape)
        del hour, found  # before the next one is read
    if dataset.quality.missing_hours == "refuse":
        _refuse_gaps(note, day)
    note.sha256 = source.checksums()
    note.add_ranges(fields, quantities.hourly)
    with writing(kept.store):
        kept.forget(day)
        note.content = store.write_day(kept.store, number, fields, quantities.hourly)
        kept.keep(day, number, note)


def _refuse_gaps(note: DayNote, day: date) -> None:
    missing = [str(hour) for hour, reason in sorted(note.reasons.items()) if reason is not None]
    if missing:
        raise hours_missing(f"{day:%Y-%m-%d}", f"nothing usable at {', '.join(missing)} h UTC")
