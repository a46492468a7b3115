"""Days that were ingested are kept while they are right, whether the ingest was finished or not."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raw_files as made
import xarray as xr

from airshed.config.data import DatasetConfig
from airshed.data import day_cache
from airshed.data import ingest as module
from airshed.data.day_notes import DayNote
from airshed.data.source import open_source
from airshed.data.stores import open_hourly
from airshed.errors import AirshedError

FIRST, SECOND = "CN-Reanalysis20160301.tar.gz", "CN-Reanalysis20160302.tar.gz"


def run(dataset: DatasetConfig, raw: Path) -> xr.Dataset:
    return open_hourly(made.ingest_into(raw.parent / "out", dataset, raw)).load()


def write_second(raw: Path, factor: float = 1.0) -> Path:
    """The archive of the second day, with its ozone multiplied."""

    def hour(time: Any) -> bytes:
        fields = made.hour_fields(time) | made.positions()
        content: bytes = made.netcdf(fields | {"o3": factor * fields["o3"]})
        return content

    members = made.day_members(made.START + timedelta(days=1), hour)
    return made.write_archive(raw / "201603" / SECOND, members)


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Days of the month in the order in which they are begun; the second is interrupted."""
    whole = module._ingest_day
    begun: list[int] = []

    def stop_at_second_day(*arguments: Any) -> None:
        begun.append(arguments[-1].day)
        if len(begun) == 2:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(module, "_ingest_day", stop_at_second_day)
    return begun


def interrupted(dataset: DatasetConfig, raw: Path) -> Path:
    """An ingest that was interrupted on the second day; the folder of its days."""
    with pytest.raises(KeyboardInterrupt):
        run(dataset, raw)
    assert not (raw.parent / "out" / "hourly.zarr").exists()
    return raw.parent / "out" / ".hourly.zarr.days"


def test_it_continues_with_the_missing_days(
    dataset: DatasetConfig, raw: Path, days: list[int]
) -> None:
    interrupted(dataset, raw)
    store = run(dataset, raw)
    assert days == [1, 2, 2]
    assert store["pm25"].notnull().sum() == 48 * (made.ROWS * made.COLUMNS - 1)


def test_days_whose_files_have_changed_are_read_again(
    dataset: DatasetConfig, raw: Path, days: list[int]
) -> None:
    interrupted(dataset, raw)
    members = made.day_members(made.START)
    del members[made.member(made.START + timedelta(hours=9))]
    made.write_archive(raw / "201603" / FIRST, members)
    store = run(dataset, raw)
    assert days == [1, 2, 1, 2]
    assert store["present"].sum() == 47


def test_a_day_of_a_file_that_was_there_meanwhile_is_not_taken_for_another(
    dataset: DatasetConfig, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A is ingested, B written but not noted, A put back with the time that it had."""
    expected = run(dataset, raw)
    shutil.rmtree(raw.parent / "out")
    second, kept = raw / "201603" / SECOND, raw.parent / "kept.tar.gz"

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.store, "write_present", stop)  # all days are noted
        interrupted(dataset, raw)
    second.rename(kept)
    write_second(raw, factor=1.01)
    with monkeypatch.context() as patched:
        patched.setattr(DayNote, "write", stop)
        interrupted(dataset, raw)
    kept.rename(second)
    xr.testing.assert_identical(run(dataset, raw), expected)


@pytest.mark.parametrize("grid", [False, True])
def test_other_settings_or_another_grid_start_anew_and_say_so(
    dataset: DatasetConfig,
    raw: Path,
    days: list[int],
    grid: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = interrupted(dataset, raw)
    (kept / "of_before").touch()
    if grid:
        members = made.day_members(made.START)
        first = made.hour_fields(made.START) | made.positions()
        first["o3"][1, 2] = np.nan  # where the first hour has no value, none is expected
        members[made.member(made.START)] = made.netcdf(first)
        made.write_archive(raw / "201603" / FIRST, members)
    else:
        dataset = dataset.model_copy(update={"precision": "float16"})
    days.clear()
    interrupted(dataset, raw)
    assert days == [1, 2]
    assert not (kept / "of_before").exists()
    assert "1 cached days are of other settings" in caplog.text


def test_settings_without_influence_discard_no_day(
    dataset: DatasetConfig, raw: Path, days: list[int]
) -> None:
    interrupted(dataset, raw)
    idle = {"min_coverage": 0.5, "elevation_floor_m": 0.0, "population_kind": "count"}
    run(dataset.model_copy(update=idle | {"elevation_file": "another", "path": "moved"}), raw)
    assert days == [1, 2, 2]


def test_settings_that_are_refused_discard_nothing(
    dataset: DatasetConfig, raw: Path, days: list[int]
) -> None:
    interrupted(dataset, raw)
    finer = dataset.model_copy(update={"grid": dataset.grid.model_copy(update={"rows": 99})})
    with pytest.raises(AirshedError, match="finer than"):
        run(finer, raw)
    run(dataset, raw)
    assert days == [1, 2, 2]


def test_a_folder_whose_removal_was_interrupted_is_not_believed(
    dataset: DatasetConfig, raw: Path, days: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = interrupted(dataset, raw)
    remove = day_cache.remove

    def until_the_folder(path: Path) -> None:
        if path == kept:
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as patched:
        patched.setattr(day_cache, "remove", until_the_folder)
        interrupted(dataset.model_copy(update={"precision": "float16"}), raw)
    run(dataset, raw)
    assert days == [1, 2, 1, 2]


@pytest.mark.parametrize("last", ["prune", "clear"])
def test_killed_after_the_store_has_got_its_name_it_can_be_run_again(
    dataset: DatasetConfig, raw: Path, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snakemake removes what a killed job wrote, and starts it again."""
    store, whole = raw.parent / "out/hourly.zarr", getattr(day_cache.DayCache, last)
    if last == "clear":
        without_links(monkeypatch)

    def stop_at_the_end(*arguments: Any) -> None:
        if store.exists():
            raise KeyboardInterrupt
        whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(day_cache.DayCache, last, stop_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            run(dataset, raw)
    shutil.rmtree(store)
    assert run(dataset, raw)["present"].all()


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zarr itself makes some, so that it is enough to refuse the first one of the days."""
    link = os.link

    def refuse(source: Any, target: Any) -> None:
        if Path(source).name == "key":
            raise PermissionError(1, "Operation not permitted")
        link(source, target)

    monkeypatch.setattr(os, "link", refuse)


def test_a_damaged_note_or_grid_is_made_again(
    dataset: DatasetConfig,
    raw: Path,
    ingested: xr.Dataset,  # before the next one disturbs what makes it
    days: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = interrupted(dataset, raw)
    note = kept / "20160301.json"
    noted = json.loads(note.read_text())
    noted["note"]["ranges"]["o3"]["max"] *= 2
    note.write_text(json.dumps(noted))
    (kept / "native.npz").write_bytes(b"no grid")
    store = run(dataset, raw)
    assert days == [1, 2, 1, 2]
    assert f"{note} is damaged" in caplog.text
    xr.testing.assert_identical(store, ingested)


def test_a_note_of_any_damage_is_not_believed(
    dataset: DatasetConfig, raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(dataset, raw)
    cache = day_cache.DayCache(raw.parent / "out/.hourly.zarr.days")
    note, day = cache.folder / "20160301.json", made.START.date()
    key, source = DayNote.read(note).origin[0], open_source(dataset, raw).day(day)
    assert cache.is_current(day, key, source)
    assert not cache.is_current(day, "another", source)
    damaged = [b"", b"{", b"[]", b'{"note": 1}', b"\xff\xfe"]
    for content in damaged:
        note.write_bytes(content)
        assert not cache.is_current(day, key, source)
    assert caplog.text.count(f"{note} is damaged") == len(damaged)


def test_a_utc_day_depends_on_both_archives_that_hold_it(dataset: DatasetConfig, raw: Path) -> None:
    """Names eight hours ahead: the first UTC day ends in the second archive."""
    eight = dataset.model_copy(update={"utc_offset_h": 8.0})

    def states() -> list[Any]:
        source = open_source(eight, raw)
        return [source.day(date(2016, 3, number)).fingerprint() for number in (1, 2)]

    before = states()
    write_second(raw)
    assert [a == b for a, b in zip(before, states(), strict=True)] == [False, False]
    before = states()
    path = raw / "201603" / FIRST
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert [a == b for a, b in zip(before, states(), strict=True)] == [False, True]


def test_an_archive_that_is_gone_is_named(dataset: DatasetConfig, raw: Path) -> None:
    source = open_source(dataset, raw)
    (raw / "201603" / SECOND).unlink()
    with pytest.raises(AirshedError, match=rf"cannot be read(.|\n)*{SECOND}"):
        source.day(date(2016, 3, 2)).fingerprint()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Days of the month that are read."""
    whole, found = module._ingest_day, list[int]()

    def noted(*arguments: Any) -> None:
        found.append(arguments[-1].day)
        whole(*arguments)

    monkeypatch.setattr(module, "_ingest_day", noted)
    return found


def again(dataset: DatasetConfig, raw: Path) -> xr.Dataset:
    """An ingest whose outputs were removed, as Snakemake does before it repeats it."""
    out = raw.parent / "out"
    for name in ("ingest.json", "quality.csv"):
        (out / name).unlink()
    shutil.rmtree(out / "hourly.zarr")
    return run(dataset, raw)


def files_of(folder: Path) -> dict[str, int]:
    """The files below a folder by the numbers that the disk knows them by."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_ino for path in found}


def test_after_a_finished_ingest_only_days_of_changed_archives_are_read(
    dataset: DatasetConfig, raw: Path, read: list[int]
) -> None:
    """What is made equals what is made from nothing; files of before are written by nobody."""
    run(dataset, raw)
    out = raw.parent / "out"
    before = files_of(out / "hourly.zarr")
    kept = files_of(out / ".hourly.zarr.days")
    shards = {number for name, number in before.items() if "/c/" in name and "pm25" in name}
    assert len(shards) == 2
    assert shards <= {*kept.values()}  # no room is taken twice
    shutil.copytree(out / "hourly.zarr", raw.parent / "linked", copy_function=os.link)
    content = xr.open_zarr(raw.parent / "linked", consolidated=False).load()
    write_second(raw, factor=1.01)
    found = again(dataset, raw)
    assert read == [1, 2, 2]
    now = files_of(out / "hourly.zarr")
    same = {name for name in now if "/c/" in name and before.get(name) == now[name]}
    assert "pm25/c/0/0/0" in same
    assert "pm25/c/1/0/0" not in same
    xr.testing.assert_identical(
        xr.open_zarr(raw.parent / "linked", consolidated=False).load(), content
    )
    report, quality = ((out / name).read_bytes() for name in ("ingest.json", "quality.csv"))
    shutil.rmtree(out)
    xr.testing.assert_identical(found, run(dataset, raw))
    assert (out / "ingest.json").read_bytes() == report
    assert (out / "quality.csv").read_bytes() == quality


def test_another_period_reads_its_new_days_and_leaves_no_other(
    dataset: DatasetConfig, raw: Path, read: list[int]
) -> None:
    """Both ways: the second day alone, then both, in which it has another number."""
    second = made.START.date() + timedelta(days=1)
    shorter = dataset.model_copy(
        update={"period": dataset.period.model_copy(update={"start": second})}
    )
    whole = run(dataset, raw)
    part = again(shorter, raw)
    assert read == [1, 2]
    xr.testing.assert_identical(part["o3"], whole["o3"].isel(time=slice(24, None)))
    assert not [*(raw.parent / "out/.hourly.zarr.days").glob("20160301*")]
    xr.testing.assert_identical(again(dataset, raw), whole)
    assert read == [1, 2, 1]


def test_archives_that_were_moved_or_touched_are_not_read_again(
    dataset: DatasetConfig, raw: Path, read: list[int]
) -> None:
    run(dataset, raw)
    moved = raw.rename(raw.parent / "moved")
    os.utime(moved / "201603" / FIRST, ns=(0, 0))
    again(dataset, moved)
    assert read == [1, 2]
    write_second(moved, factor=1.01)
    again(dataset, moved)
    assert read == [1, 2, 2]


def test_kept_hours_that_are_damaged_are_read_again(
    dataset: DatasetConfig, raw: Path, read: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """The store itself is damaged with them; removing it, as its reader says, mends both."""
    expected = run(dataset, raw)
    shard = raw.parent / "out/hourly.zarr/o3/c/1/0/0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    xr.testing.assert_identical(again(dataset, raw), expected)
    assert read == [1, 2, 2]
    assert "20160302 is damaged" in caplog.text


def test_without_hard_links_nothing_is_kept_and_that_is_said(
    dataset: DatasetConfig,
    raw: Path,
    read: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    without_links(monkeypatch)
    expected = run(dataset, raw)
    assert "no hard links can be made here (PermissionError: " in caplog.text
    assert not (raw.parent / "out/.hourly.zarr.days").exists()
    xr.testing.assert_identical(again(dataset, raw), expected)
    assert read == [1, 2, 1, 2]
