"""From raw hours to the hourly store, one day at a time, restartable."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from airshed.config.data import DatasetConfig
from airshed.config.preprocessing import DaskConfig
from airshed.data import hourly as store
from airshed.data.day_notes import NO_NOTE, DayNote, quality_table, summary
from airshed.data.native import NativeGrid, native_grid
from airshed.data.quality import check_hour
from airshed.data.rawhour import as_hour
from airshed.data.regrid import regrid, regrid_directions
from airshed.data.scale_out import run_tasks
from airshed.data.source import DaySource, Source, first_hour, open_source, there_twice
from airshed.data.units import check_described
from airshed.errors import AirshedError, brief
from airshed.graph.user_files import checksum_taken
from airshed.graph.views import canonical
from airshed.integrity.atomic import publish, remove, write_json, write_text, writing

log = logging.getLogger(__name__)


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

    Days are written into a partial store beside the final one, and each is noted when it is
    complete; an interrupted ingest continues with the days that are missing or whose files have
    changed since. The store gets its name when all days are in it. A day is one task that holds one
    raw hour and the regridded day, so that memory depends neither on the number of days nor on the
    archives' size.

    Args:
        dataset: What the files hold and the grid to bring them to.
        raw: Folder with the archives or yearly stores.
        outputs: Where the Zarr store, the JSON with hours, gaps and ranges, and the table of
            quality go.
        scale_out: Where the days are read.
        workers: Days at a time on this machine.

    Raises:
        AirshedError: There are no raw hours, or one is damaged or does not hold what it should.
    """
    check_described(dataset)
    source, days = open_source(dataset, raw), dataset.period.days
    partial, key = _partial(dataset, source, outputs.hourly)
    notes = partial / "days"
    tasks = []
    for number, day in enumerate(days):
        of_day = source.day(day)
        origin = [key, *of_day.fingerprint()]
        if not _complete(_note(notes, day), origin):
            tasks.append((dataset, of_day, origin, partial, number, day))
    with _discard_if_no_day_is_complete(partial):
        done = len(days) - len(tasks)
        for _ in run_tasks(_ingest_day, tasks, scale_out, workers, "days ingested", done):
            pass
    noted = [DayNote.read(_note(notes, day)) for day in days]
    for path, digest in (item for day in noted for item in day.sha256.items()):
        checksum_taken(Path(path), digest)
    store.write_present(
        partial / "store.zarr",
        np.concatenate([day.present for day in noted]),
        {day.day: day.content for day in noted},
    )
    write_text(outputs.quality, quality_table(dataset.quantities, noted))
    write_json(outputs.report, summary(dataset, noted))
    publish(partial / "store.zarr", outputs.hourly)
    _discard(partial)


def _partial(dataset: DatasetConfig, source: Source, hourly: Path) -> tuple[Path, str]:
    """The folder of an unfinished ingest, and the key of its settings and native grid.

    It is begun anew if it was for others. The key is written last, when the empty store is whole,
    and removed first. The native grid, which every hour must have, is always written anew.
    """
    where, first = first_hour(source, dataset)
    grid = native_grid(first, dataset, where)
    settings = json.dumps(canonical(["hourly"], dataset, "dataset"), sort_keys=True)
    key = hashlib.sha256(settings.encode() + grid.digest()).hexdigest()
    partial = hourly.with_name(f".{hourly.name}.partial")
    kept, begun = partial / "key", (partial / "store.zarr").is_dir()
    if not (begun and kept.exists() and kept.read_bytes() == key.encode()):
        shape = (dataset.grid.rows, dataset.grid.columns)
        lat_deg, lon_deg = regrid_directions(grid.cut(grid.lat_deg), grid.cut(grid.lon_deg), shape)
        finished = len([*partial.glob("days/*.json")])
        if finished:
            log.warning(
                "%d days of an unfinished ingest are for other settings or another native grid:"
                " they are discarded",
                finished,
            )
        _discard(partial)
        (partial / "days").mkdir(parents=True)
        store.create(partial / "store.zarr", dataset, lat_deg, lon_deg)
        kept.write_text(key, encoding="ascii")
    grid.write(partial / "native.npz")
    return partial, key


def _discard(partial: Path) -> None:
    """Remove an unfinished ingest, its key first: what a killed process leaves is not believed."""
    remove(partial / "key")
    remove(partial)


def _complete(note: Path, origin: list[Any]) -> bool:
    """Whether a day was ingested with these settings from the files that are there now."""
    if not note.exists():
        return False
    try:
        return DayNote.read(note).origin == origin
    except NO_NOTE as error:
        log.warning("%s is damaged (%s): this day is read again", note, brief(error))
        return False


@contextmanager
def _discard_if_no_day_is_complete(partial: Path) -> Iterator[None]:
    """A refused ingest leaves the days that are complete; if none is, it leaves nothing."""
    try:
        yield
    except AirshedError:
        if not any((partial / "days").glob("*.json")):
            _discard(partial)
        raise


def _note(notes: Path, day: date) -> Path:
    return notes / f"{day:%Y%m%d}.json"


def _ingest_day(
    dataset: DatasetConfig,
    source: DaySource,
    origin: list[Any],
    partial: Path,
    number: int,
    day: date,
) -> None:
    """Read, inspect, regrid and write one day, then note that it is complete."""
    grid = NativeGrid.read(partial / "native.npz")
    shape = (dataset.grid.rows, dataset.grid.columns)
    quantities = dataset.quantities
    count = len(quantities.hourly)
    fields = np.full((store.HOURS_A_DAY, count, *shape), np.nan, dtype=np.float32)
    note = DayNote.of(day, origin)
    for each in source.hours():
        hour = as_hour(each.read(), quantities.hourly, each.where)
        of_day = each.time_utc.hour
        if note.seen(of_day):
            if dataset.quality.duplicate_hours == "refuse":
                raise there_twice(each.where, f"{each.time_utc} UTC")
            note.repeated(of_day)
            fields[of_day] = np.nan
            continue
        found = check_hour(hour, grid, quantities, dataset.quality, each.where)
        note.add(of_day, found)
        if found.unusable is None:
            fields[of_day] = regrid(found.fields, shape)
    if dataset.quality.missing_hours == "refuse":
        _refuse_gaps(note, day)
    noted = _note(partial / "days", day)
    with writing(partial / "store.zarr"):
        noted.unlink(missing_ok=True)  # of other files, if there is one
        note.content = store.write_day(partial / "store.zarr", number, fields, quantities.hourly)
    note.sha256 = source.checksums()
    note.add_ranges(fields, quantities.hourly)
    note.write(noted)


def _refuse_gaps(note: DayNote, day: date) -> None:
    missing = [str(hour) for hour, reason in sorted(note.reasons.items()) if reason is not None]
    if missing:
        raise AirshedError(
            "hours are missing",
            where=f"{day:%Y-%m-%d}",
            expected="every hour of the period (dataset.quality.missing_hours: refuse)",
            found=f"nothing usable at {', '.join(missing)} h UTC",
            hint="fetch the missing files, or set dataset.quality.missing_hours to mask",
        )
