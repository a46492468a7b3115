"""What lies below a path, by the names of files; problems are collected."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from airshed.config.preprocessing import QualityConfig
from airshed.data.archives import DAY_NAME, HOUR_NAME, hour_of
from airshed.data.inspect.findings import Findings
from airshed.data.members import read_members
from airshed.errors import AirshedError

YEARLY = "data_*_china_masked.zarr"
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
SHOWN = 5


@dataclass
class Sources:
    """Where the hours of each day are, by the files' clock.

    Attributes:
        archives: Daily archives, by day.
        loose: Hourly files, by day and time.
        stores: Yearly Zarr stores.
        single: A NetCDF file whose name holds no time.
        forms: How many files there are of each form.
        size_bytes: Of all of them.
    """

    archives: dict[date, list[Path]] = field(default_factory=lambda: defaultdict(list))
    loose: dict[date, dict[datetime, list[Path]]] = field(default_factory=lambda: defaultdict(dict))
    stores: list[Path] = field(default_factory=list)
    single: Path | None = None
    forms: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0

    @property
    def days(self) -> list[date]:
        """Every day of which there is something."""
        return sorted({*self.archives, *self.loose})

    def of_day(self, day: date) -> tuple[Path, ...]:
        """The first archive of a day, else its hourly files."""
        if day in self.archives:
            return (self.archives[day][0],)
        return tuple(paths[0] for _, paths in sorted(self.loose[day].items()))


def find_sources(path: Path, findings: Findings, quality: QualityConfig) -> Sources:
    """Everything below a path that an ingest could read.

    Raises:
        AirshedError: There is nothing at the path.
    """
    if not path.exists():
        raise AirshedError("there is nothing at this path", where=path)
    found = Sources()
    if is_zarr(path):
        _add_store(found, path)
    elif path.is_dir():
        _search(path, found, findings)
    else:
        _add(path, found, findings, alone=True)
    _note_doubles(found, findings, quality)
    if not (found.days or found.stores or found.single):
        findings.add(
            AirshedError(
                "no raw archives were found",
                where=path,
                expected="files such as 201501/CN-Reanalysis20150101.tar.gz",
                hint="give the folder that holds the archives, and set dataset.path to it",
            )
        )
    return found


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def _search(folder: Path, found: Sources, findings: Findings) -> None:
    for store in sorted(folder.rglob(YEARLY)):
        _add_store(found, store)
    stores = set(found.stores)
    ignored = []
    for path in sorted(folder.rglob("*")):
        if stores and stores & set(path.parents):
            continue
        if path.is_file() and not _add(path, found, findings, alone=False):
            ignored.append(str(path.relative_to(folder)))
    if ignored:
        some = ", ".join(ignored[:SHOWN]) + (", ..." if len(ignored) > SHOWN else "")
        findings.remark(f"{len(ignored)} other files are not read by an ingest", some)


def _add_store(found: Sources, path: Path) -> None:
    found.stores.append(path)
    found.forms["yearly Zarr store"] += 1
    found.size_bytes += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _add(path: Path, found: Sources, findings: Findings, alone: bool) -> bool:
    """Take a file up; False if it is none that an ingest reads."""
    try:
        if match := DAY_NAME.fullmatch(path.name):
            day = datetime.strptime(match[1], "%Y%m%d").date()
            found.archives[day].append(path)
            found.forms[f"daily archive {match[2]}"] += 1
        elif match := HOUR_NAME.fullmatch(path.name):
            time = datetime.strptime(match[1], "%Y%m%d%H")
            found.loose[time.date()].setdefault(time, []).append(path)
            found.forms["hourly file"] += 1
        elif alone:
            _add_misnamed(path, found, findings)
        else:
            return False
    except ValueError:
        findings.add(
            AirshedError(
                "a file name holds no valid time",
                where=path,
                expected="CN-ReanalysisYYYYMMDD or CN-ReanalysisYYYYMMDDHH",
                found=path.name,
                hint="rename the file, or move it away",
            )
        )
    found.size_bytes += path.stat().st_size
    return True


def _add_misnamed(path: Path, found: Sources, findings: Findings) -> None:
    """A single file that an ingest would not find by its name; it is looked at all the same."""
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
    try:
        for name, _ in read_members(path, lambda name: bool(HOUR_NAME.search(name))):
            found.archives[hour_of(name).date()] = [path]
    except AirshedError as problem:
        findings.add(problem)


def _note_doubles(found: Sources, findings: Findings, quality: QualityConfig) -> None:
    for day, times in sorted(found.loose.items()):
        for time, paths in sorted(times.items()):
            if len(paths) > 1 and day not in found.archives:
                where = f"{time:%Y-%m-%d %H:00}"
                found_twice(findings, "an hour is there twice", where, _some(paths), quality)
    for day, paths in sorted(found.archives.items()):
        loose = [path for each in found.loose.get(day, {}).values() for path in each]
        if len(paths) > 1 or loose:
            several = _some([*paths, *loose])
            found_twice(findings, "a day is there more than once", f"{day}", several, quality)


def found_twice(
    findings: Findings, what: str, where: str, found: str, quality: QualityConfig
) -> None:
    """Note an hour or a day that is there twice, as the policy for such hours has it."""
    if quality.duplicate_hours == "mask":
        findings.remark(f"{what}: left out", where)
        return
    hint = "remove all but one, or set dataset.quality.duplicate_hours to mask"
    findings.add(AirshedError(what, where=where, found=found, hint=hint))


def _some(paths: list[Path]) -> str:
    return ", ".join(map(str, paths[:SHOWN])) + (", ..." if len(paths) > SHOWN else "")
