"""Files of the user, known by content: archives, elevation, station tables, checkpoints.

Each file has a token: its size and time when it was first read. A file that was only touched or
copied, as its checksum shows, keeps its token. The digest of all tokens stands for the files in the
params of rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from glob import glob
from pathlib import Path
from typing import Any

from airshed.config.study import DECLARED, Study
from airshed.files import files_below, is_series_name, is_zarr_store, size_and_time
from airshed.integrity.provenance import sha256

HASHED_BYTES = 2**31
"""The most that is hashed before a run, of files with another time and the same size."""

Listing = dict[str, dict[str, Any]]
"""By file name: ``size``, ``time_ns`` and, once the file was read, ``sha256`` and ``token``."""


@dataclass(frozen=True)
class UserFiles:
    """The files that a product is made from.

    Attributes:
        paths: Path of each by its name, which stays the same when the folder is moved.
        missing: Settings that name missing files, and the path that each gives.
    """

    paths: dict[str, Path]
    missing: dict[str, str]

    @classmethod
    def of(cls, study: Study, product: str, of: str | None = None) -> UserFiles:
        """The files that the settings of a study, or of a step, name for a product."""
        paths: dict[str, Path] = {}
        missing: dict[str, str] = {}
        for setting, given in given_paths(study, product, of):
            if setting == "dataset.path" and study.dataset.source == "simulator":
                continue
            accept = _hours_of(study) if setting == "dataset.path" else None
            found = dict(_files(given, accept))
            if not found:
                missing[setting] = given
            paths |= {f"{setting}:{name}": path for name, path in found.items()}
        return cls(paths, missing)

    def checksums(self) -> dict[str, str]:
        """Of each, by name; it is taken once."""
        return {name: _checksum(path) for name, path in self.paths.items()}

    def state(self) -> Listing:
        """Size and time of each.

        Raises:
            AirshedError: One is gone.
        """
        return {name: _state(path) for name, path in self.paths.items()}

    def recorded(self, state: Listing, earlier: Listing) -> Listing:
        """The state with checksums and tokens, for the note of a product.

        Args:
            state: As it was before the files were read.
            earlier: From the product's earlier note; a file with the same content keeps its token.
        """
        found: Listing = {}
        for name, entry in state.items():
            digest = _checksum(self.paths[name])
            before = earlier.get(name, {})
            same = before.get("sha256") == digest
            token = before["token"] if same else _token(entry)
            found[name] = entry | {"sha256": digest, "token": token}
        return found


_SUMS: dict[tuple[Path, int, int], str] = {}


def checksum_taken(path: Path, digest: str) -> None:
    """Note the checksum of a file that was taken while it was read."""
    _SUMS[path, *size_and_time(path)] = digest


def _checksum(path: Path) -> str:
    """The checksum of a file, taken once in a process as long as size and time stay."""
    key = (path, *size_and_time(path))
    if key not in _SUMS:
        _SUMS[key] = sha256(path)
    return _SUMS[key]


def given_paths(study: Study, product: str, of: str | None) -> Iterator[tuple[str, str]]:
    """Settings whose user files shape a product, each with a path or pattern that it gives."""
    for setting, shapes in DECLARED.items():
        if shapes.content and product in shapes.products:
            value: Any = study
            for part in setting.split("."):
                value = _below(value, of if part == "*" else part)
            for path in value if isinstance(value, list) else [value]:
                if path is not None:
                    yield setting, str(path)


def _below(value: Any, key: str | None) -> Any:
    if value is None or key is None:
        return None
    return value.get(key) if isinstance(value, dict) else getattr(value, key)


def _files(given: str, accept: Callable[[str], bool] | None) -> Iterator[tuple[str, Path]]:
    """Files by name: those of a pattern in their order, or all below a folder."""
    several = matching(given)
    for number, found in enumerate(several):
        path = Path(found)
        if path.is_dir():
            chosen, above = None if is_zarr_store(path) else accept, f"{path.as_posix()}/"
            for file in files_below(path):
                name = file.as_posix().removeprefix(above)
                if chosen is None or chosen(name):
                    yield f"{number}/{name}" if several[1:] else name, file
        elif path.is_file():
            yield str(number), path


def matching(given: str) -> list[str]:
    """The paths that a pattern stands for, in their order; a path that is there is no pattern."""
    return [given] if Path(given).exists() else sorted(glob(given))  # noqa: PTH207


def files_of(patterns: Iterable[str]) -> list[str]:
    """The files that patterns stand for; a pattern of none stays as it is."""
    return [path for pattern in patterns for path in matching(pattern) or [pattern]]


def _hours_of(study: Study) -> Callable[[str], bool]:
    """Whether a file below ``dataset.path`` may hold hours of the period, by its name."""
    if study.dataset.source == "gridded":
        return is_series_name
    period, day = study.dataset.period, timedelta(days=1)
    first, last = (f"{time:%Y%m%d}" for time in (period.start - day, period.end + day))
    if study.dataset.source == "yearly_zarr":
        return lambda name: name.startswith("data_") and first[:4] <= name[5:9] <= last[:4]

    def accept(name: str) -> bool:
        start, stem, rest = name.rpartition("/")[2].partition("CN-Reanalysis")
        return not start and bool(stem) and first <= rest[:8] <= last

    return accept


def _state(path: Path) -> dict[str, Any]:
    size, time_ns = size_and_time(path)
    return {"size": size, "time_ns": time_ns}


def _token(entry: Mapping[str, Any]) -> str:
    return f"{entry['size']:x}-{entry['time_ns']:x}"


@dataclass
class CurrentFiles:
    """Files as they are now, with the tokens of the note of a product for those unchanged.

    Attributes:
        listing: Their state, in the form of a note.
        touched: How many have another time and, as their checksums show, the same content.
        unhashed: How many have another time and the same size, and were too much to hash.
    """

    listing: Listing
    touched: int
    unhashed: int

    @classmethod
    def of(cls, files: UserFiles, noted: Listing) -> CurrentFiles:
        """Compare size and time of every file, and its content where only the time differs.

        Where no file of a setting is left, as of archives that were moved to tape, the noted state
        counts.
        """
        gone = tuple(f"{setting}:" for setting in files.missing)
        found = {name: entry for name, entry in noted.items() if name.startswith(gone)}
        touched, unhashed, left = 0, 0, HASHED_BYTES
        for name, entry in files.state().items():
            before = noted.get(name)
            if before is None or before["size"] != entry["size"]:
                found[name] = entry | {"token": _token(entry)}
            elif before["time_ns"] == entry["time_ns"]:
                found[name] = before
            elif (left := left - entry["size"]) < 0:
                found[name] = before
                unhashed += 1
            elif sha256(files.paths[name]) == before["sha256"]:
                found[name] = before | entry
                touched += 1
            else:
                found[name] = entry | {"token": _token(entry)}
        return cls(found, touched, unhashed)

    def digest(self, files: UserFiles) -> str | None:
        """How many files there are and eight digits that stand for all; None if none is named."""
        if not (self.listing or files.missing):
            return None
        tokens = sorted((name, entry["token"]) for name, entry in self.listing.items())
        named = hashlib.sha256(json.dumps(tokens).encode()).hexdigest()[:8]
        return f"{len(tokens)} file{'' if len(tokens) == 1 else 's'} {named}"
