"""Removing a study, with the data that no other study depends on.

What the others depend on follows from the resolved configurations beside it: the data of their
dataset, grid, splits and settings, and every path that one of them names.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airshed.cluster.squeue import read_queue
from airshed.cluster.status import State, training_status
from airshed.config import load_study, read_yaml
from airshed.data.prepared import CACHED_HOURS
from airshed.errors import AirshedError
from airshed.graph.notes import note_path
from airshed.graph.other_runs import LOCKS
from airshed.graph.places import Places
from airshed.integrity.atomic import remove

CONFIG = "config.resolved.yaml"
REMOVED = ".removed"  # below the folder of all studies: what is being removed
BUSY = (State.QUEUED, State.RUNNING, State.UNKNOWN)
SPLIT = re.compile(r"\d{8}-\d{8}")  # in the name of what is made from a split

Configs = Mapping[Path, Mapping[str, Any]]
"""Resolved configurations, by the folders of their studies."""


@dataclass(frozen=True)
class Removal:
    """What is removed with a study, and what stays.

    Attributes:
        results: The folder of all studies.
        going: Files and folders to be removed, the study itself last.
        staying: A folder of its data that others depend on, with their names.
    """

    results: Path
    going: list[Path]
    staying: dict[Path, list[str]] = field(default_factory=dict)

    def freed_bytes(self) -> int:
        """Space that becomes free; a file with a hard link elsewhere frees none."""
        paths = [path for top in self.going for path in _everything(top)]
        found = [path.lstat() for path in paths if path.is_symlink() or not path.is_dir()]
        names = Counter((stat.st_dev, stat.st_ino) for stat in found)
        sizes = {
            place: stat.st_size
            for stat in found
            if names[place := (stat.st_dev, stat.st_ino)] >= stat.st_nlink
        }
        return sum(sizes.values())

    def carry_out(self) -> None:
        """Remove it all; each path is first moved away as a whole, so that none is left halved."""
        away = self.results / REMOVED
        for path in self.going:
            if path != away:
                target = away / path.relative_to(self.results)
                target.parent.mkdir(parents=True, exist_ok=True)
                remove(target)
                path.rename(target)
        remove(away)


def plan_removal(study: Path) -> Removal:
    """Plan the removal of a study, and of what an interrupted removal has left.

    Raises:
        AirshedError: It is no study, something runs in it, another study reads files of it, or a
            folder to be removed is a link.
    """
    results = study.parent
    left = _existing(results / REMOVED)
    if left and not (study / CONFIG).exists():
        return Removal(results, left)
    configs = {path.parent: read_yaml(path) for path in sorted(results.glob(f"*/{CONFIG}"))}
    if study not in configs:
        raise AirshedError(
            "there is no such study",
            where=study,
            expected=", ".join(path.name for path in configs) or f"a folder with {CONFIG}",
        )
    own = configs.pop(study)
    _refuse_work(study)
    if readers := _names(_reading(study, results, configs)):
        raise AirshedError(
            "another study reads files of this one",
            where=study,
            found=", ".join(readers),
            hint="copy them elsewhere and correct that study, or remove it first",
        )
    data, staying = _data(study, own, configs)
    going = [*left, *data, study]
    for path in going:
        if path.is_symlink():
            raise AirshedError(
                "what is to be removed is a link to another place",
                where=path,
                found=path.resolve(),
                hint="remove by hand what it leads to, then the link",
            )
    return Removal(results, going, staying)


def _data(
    study: Path, own: Mapping[str, Any], others: Configs
) -> tuple[list[Path], dict[Path, list[str]]]:
    """The data of a study to be removed; those that stay, with the studies that depend on them."""
    results = study.parent
    dataset = results / "data" / own["dataset"]["name"]
    grid = dataset / _grid(own)
    same_name = {
        study: other
        for study, other in others.items()
        if other["dataset"]["name"] == own["dataset"]["name"]
    }
    same_grid = [study for study, other in same_name.items() if _grid(other) == _grid(own)]
    on_dataset = _names([*same_name, *_reading(dataset, results, others)])
    on_grid = _names([*same_grid, *_reading(grid, results, others)])
    if not on_dataset:
        return _existing(dataset), {}
    if not on_grid:
        return _existing(grid), {dataset: on_dataset}
    splits = {split for other in others.values() for split in _splits(other)}
    made = ((path, SPLIT.search(path.name)) for path in _everything(grid) if path.is_file())
    going = {path for path, found in made if found and found[0] not in splits}
    return sorted(going | _of_own_settings(study, others)), {grid: on_grid}


def _of_own_settings(study: Path, others: Configs) -> set[Path]:
    """Prepared files, and their notes, that no other study has by its settings.

    Cached hours of its splits go too if its normalisation is its own: their names do not tell whose
    they are, and a study that lacks its own makes them anew. Nothing goes if a configuration is not
    valid any more, so that its files are not known.
    """
    try:
        places = _places(study)
        theirs = [_prepared(_places(folder)) for folder in others]
    except AirshedError:
        return set()
    files = _prepared(places).difference(*theirs)
    going = {path for file in files for path in (file, note_path(file)) if path.is_file()}
    if places.statistics in files:
        splits = set(_splits(read_yaml(study / CONFIG)))
        cached = (places.data / CACHED_HOURS).glob("*/*.f32")
        going |= {path for path in cached if path.name.split("_")[0] in splits}
    return going


def _places(folder: Path) -> Places:
    return Places(load_study([folder / CONFIG]), folder.parent)


def _prepared(places: Places) -> set[Path]:
    """The prepared files of a study, those of the hourly store apart."""
    tables = {places.scan_tables(variant) for variant in places.study.variants}
    shaped = {places.static, places.patch_elevation, places.statistics}
    return tables | shaped | {places.climatology, places.damping}


def _grid(config: Mapping[str, Any]) -> str:
    return "{rows}x{columns}".format(**config["dataset"]["grid"])


def _splits(config: Mapping[str, Any]) -> Iterator[str]:
    """The splits of a study as they stand in names of files."""
    for split in config["splits"].values():
        yield "-".join(str(split[end]).replace("-", "") for end in ("start", "end"))


def _existing(path: Path) -> list[Path]:
    return [path] if path.exists() else []


def _names(studies: Iterable[Path]) -> list[str]:
    return sorted({study.name for study in studies})


def _reading(folder: Path, results: Path, others: Configs) -> list[Path]:
    """Studies whose configurations hold a path into a folder."""
    project, inside = results.resolve().parent, folder.resolve()
    return [
        study
        for study, config in others.items()
        if any((project / text).resolve().is_relative_to(inside) for text in _strings(config))
    ]


def _strings(value: Any) -> Iterator[str]:
    """Every text in nested dicts and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _strings(entry)


def _everything(top: Path) -> Iterator[Path]:
    """A path, and all that lies below it; links are not followed."""
    yield top
    for where, folders, names in os.walk(top):
        yield from (Path(where, name) for name in (*folders, *names))


def _refuse_work(study: Path) -> None:
    """Refuse while a snakemake runs in this project, or a training of the study does."""
    locks = study.parent.parent / LOCKS
    if any(locks.glob("*")):
        raise AirshedError(
            "a snakemake runs in this project, or was killed",
            where=locks,
            hint="wait for it, or stop it; after a kill: snakemake --unlock",
        )
    queue = read_queue()
    for folder in sorted(study.glob("variants/*/seed*")):
        row = training_status(
            folder, folder.parent.name, int(folder.name.removeprefix("seed")), queue
        )
        if row.state in BUSY:
            raise AirshedError(
                "a training of the study is still at work",
                where=folder,
                found=row.state,
                hint="wait for it, or stop it (Ctrl-C, scancel)",
            )
