"""Files of the user count by content, which is looked at where size and time do not tell."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from tiny_runs import tiny_study

from airshed.config import Study
from airshed.data.gridded.listing import series_files
from airshed.graph import user_files
from airshed.graph.user_files import CurrentFiles, UserFiles

DAYS = [date(2016, 2, 26 + number) for number in range(4)]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with four archives in month folders, and with a file of elevation."""
    for day in DAYS:
        path = tmp_path / f"raw/{day:%Y%m}/CN-Reanalysis{day:%Y%m%d}.tar.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{day}")
    for name in ("dem.nc", "people.nc"):
        (tmp_path / name).write_text(name)
    given = {
        "source": "caqra",
        "path": str(tmp_path / "raw"),
        "elevation_file": str(tmp_path / "dem.nc"),
        "population_file": str(tmp_path / "people.nc"),
    }
    return tiny_study(dataset=given)


def token(study: Study, noted: user_files.Listing, product: str = "hourly") -> str | None:
    files = UserFiles.of(study, product)
    return CurrentFiles.of(files, noted).digest(files)


def read(study: Study, known: user_files.Listing | None = None) -> user_files.Listing:
    """What an ingest notes of the archives."""
    files = UserFiles.of(study, "hourly")
    return files.recorded(files.state(), known or {})


def archive(study: Study, number: int = 0) -> Path:
    return sorted(Path(str(study.dataset.path)).rglob("CN-*"))[number]


def shift(path: Path, seconds: int) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + seconds * 10**9))


def test_it_is_the_same_before_and_after_the_first_reading(study: Study) -> None:
    before = token(study, {})
    assert before is not None
    assert before.startswith("4 files ")
    assert token(study, read(study)) == before


def test_files_of_a_gridded_series_are_those_that_an_ingest_reads(
    study: Study, tmp_path: Path
) -> None:
    """Zarr stores with all that is in them; several paths of a pattern keep their files apart."""
    names = ("a.nc", "deep/b.zip", "one.zarr/zarr.json", "one.zarr/o3/c/0/0", "two.zarr/zarr.json")
    for name in (*names, "notes.txt", ".hidden.nc", "wrfout_d01"):
        (tmp_path / "series" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "series" / name).write_text(name)

    def found(given: str) -> set[str]:
        dataset = study.dataset.model_copy(
            update={"source": "gridded", "path": str(tmp_path / "series" / given)}
        )
        files = UserFiles.of(study.model_copy(update={"dataset": dataset}), "hourly")
        return {name.removeprefix("dataset.path:") for name in files.paths}

    assert found("") == set(names)
    assert found("one.zarr") == {"zarr.json", "o3/c/0/0"}
    assert found("*.zarr") == {"0/zarr.json", "0/o3/c/0/0", "1/zarr.json"}
    assert found("wrfout_*") == {"0"}
    listed = {path.name for path in series_files(str(tmp_path / "series"))}
    assert listed == {"a.nc", "b.zip", "one.zarr", "two.zarr"}


@pytest.mark.parametrize("seconds", [100, -1000])
def test_a_replaced_archive_is_another_one_and_a_touched_one_is_not(
    study: Study, seconds: int
) -> None:
    noted = read(study)
    before, path = token(study, noted), archive(study)
    shift(path, seconds)
    assert token(study, noted) == before  # its content was looked at
    path.write_text("2016-02-2x")
    shift(path, seconds)
    assert token(study, noted) != before


def test_an_archive_that_comes_or_goes_changes_it(study: Study) -> None:
    noted = read(study)
    before = token(study, noted)
    kept = archive(study, 1).rename(Path(str(study.dataset.path)).parent / "kept")
    assert token(study, noted) not in (before, None)
    kept.rename(Path(str(study.dataset.path)) / "201602/CN-Reanalysis20160227.tar.gz")
    assert token(study, noted) == before
    archive(study).with_name("CN-Reanalysis20200101.tar.gz").write_text("beyond the period")
    archive(study).with_name("README").write_text("not an archive")
    assert token(study, noted) == before
    archive(study).with_name("CN-Reanalysis20160301.tar.gz").write_text("new")
    assert token(study, noted) != before


def test_folders_may_be_moved_linked_or_gone(study: Study) -> None:
    noted = read(study)
    before, raw = token(study, noted), Path(str(study.dataset.path))
    (raw / "201602").rename(raw.parent / "elsewhere")
    (raw / "201602").symlink_to(raw.parent / "elsewhere")
    assert token(study, noted) == before
    moved = raw.rename(raw.with_name("moved"))
    assert token(study, noted) == before  # nothing is left: as it was read
    there = study.dataset.model_copy(update={"path": str(moved)})
    assert token(study.model_copy(update={"dataset": there}), noted) == before


def test_a_file_with_the_old_content_keeps_its_token_when_it_is_read_again(study: Study) -> None:
    noted = read(study)
    before, path = token(study, noted), archive(study)
    shift(path, 50)
    assert token(study, read(study, noted)) == before
    assert token(study, read(study)) != before  # nothing was known of it


def test_too_much_to_hash_counts_as_unchanged_and_is_counted(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = read(study)
    for number in range(4):
        shift(archive(study, number), 7)
    monkeypatch.setattr(user_files, "HASHED_BYTES", 25)  # two of four files of ten bytes
    found = CurrentFiles.of(UserFiles.of(study, "hourly"), noted)
    assert (found.touched, found.unhashed) == (2, 2)
    assert found.digest(UserFiles.of(study, "hourly")) == token(study, noted)


def test_what_is_missing_is_named_by_its_setting(study: Study) -> None:
    Path(str(study.dataset.elevation_file)).unlink()
    files = UserFiles.of(study, "static")
    assert files.missing == {"dataset.elevation_file": study.dataset.elevation_file}
    assert list(files.paths) == ["dataset.population_file:0"]
