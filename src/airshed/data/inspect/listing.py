"""Files below a path, by their names; problems are noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from airshed.data.archives import (
    DAY_NAME,
    HOUR_NAME,
    Files,
    find_days,
    hour_of,
    is_hour,
    nothing_found,
)
from airshed.data.members import read_members
from airshed.data.problems import Findings
from airshed.errors import AirshedError
from airshed.files import files_below, folder_state, is_zarr_store

YEARLY = "data_*_china_masked.zarr"
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
SHOWN = 5


@dataclass
class Listing:
    """Files with hours.

    Attributes:
        days: Archives or hourly files of each day, by the files' clock.
        stores: Yearly Zarr stores.
        single: A NetCDF file without a time in its name.
        forms: Number of files of each form.
        size_bytes: Total size.
    """

    days: dict[date, Files] = field(default_factory=dict)
    stores: list[Path] = field(default_factory=list)
    single: Path | None = None
    forms: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0


def list_files(
    path: Path, repeated_days: bool, findings: Findings, named: Collection[Path] = ()
) -> Listing:
    """Everything at or below a path that an ingest could read.

    Args:
        path: A folder, an archive, an hourly file or a Zarr store.
        repeated_days: Whether the study masks duplicate hours.
        findings: Takes problems and remarks.
        named: Resolved paths of files that other steps read.

    Raises:
        AirshedError: There is nothing at the path.
    """
    if not path.exists():
        raise AirshedError("there is nothing at this path", where=path)
    found = Listing()
    if is_zarr_store(path):
        found.stores = [path]
    else:
        found.stores = sorted(path.rglob(YEARLY))
        found.days = find_days(path, repeated_days, findings)
        _count_files(path, found, findings, named)
    found.days = dict(sorted(found.days.items()))
    for store in found.stores:
        found.forms["yearly Zarr store"] += 1
        found.size_bytes += folder_state(store)[1]
    if not (found.days or found.stores or found.single):
        findings.add(nothing_found(path))
    for day, paths in found.days.items():
        if repeated_days and len(paths) > 1 and DAY_NAME.fullmatch(paths[0].name):
            findings.remark("a day is there more than once: left out", f"{day}")
    return found


def _count_files(path: Path, found: Listing, findings: Findings, named: Collection[Path]) -> None:
    stores, others = set(found.stores), []
    for file in [path] if path.is_file() else files_below(path):
        if stores.intersection(file.parents):
            continue
        if match := DAY_NAME.fullmatch(file.name):
            found.forms[f"daily archive {match[2]}"] += 1
        elif HOUR_NAME.fullmatch(file.name):
            found.forms["hourly file"] += 1
        elif path.is_file():
            _add_misnamed(path, found, findings)
        else:
            if file.resolve() not in named:
                others.append(str(file.relative_to(path)))
            continue
        found.size_bytes += file.stat().st_size
    if others:
        some = ", ".join(others[:SHOWN]) + (", ..." if len(others) > SHOWN else "")
        findings.remark(f"{len(others)} other files are not read by an ingest", some)


def _add_misnamed(path: Path, found: Listing, findings: Findings) -> None:
    """Add a single file that an ingest would not find by its name, to inspect it all the same."""
    findings.add(
        AirshedError(
            "an ingest does not find this file by its name",
            where=path,
            expected="CN-ReanalysisYYYYMMDD.tar.gz, .tgz, .tar, .zip or CN-ReanalysisYYYYMMDDHH.nc",
            found=path.name,
            hint="rename it, or unpack it and put its hourly files into one folder",
        )
    )
    if not path.name.endswith(ARCHIVES):
        found.single = path
        found.forms["file"] += 1
        return
    found.forms["archive"] += 1
    with findings:
        for name, _ in read_members(path, is_hour):
            found.days[hour_of(name).date()] = (path,)
