"""Results of the tiny study where the workflow puts them, as forecasters find them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.graph.places import Places


@dataclass(frozen=True)
class Laid:
    """Results of a study below a folder, and what they are made from.

    Attributes:
        runs: Folders of trainings of one variant, by seed.
    """

    study: Study
    prepared: Prepared
    climatology: Path
    runs: Mapping[int, Path]

    @property
    def variant(self) -> Path:
        return next(iter(self.runs.values())).parent

    @property
    def raw(self) -> Path:
        """The archives that the hourly store was made from."""
        return self.prepared.hourly.resolve().parent / "raw"


def lay_out(
    results: Path, study: Study, variant: str, prepared: Prepared, climatology: Path
) -> Laid:
    """Prepared data below ``results``, and where trainings with two seeds go."""
    places = Places(study, results)
    places.data.mkdir(parents=True)
    there = places.prepared(variant)
    for name, path in prepared.small_files().items():
        shutil.copy(path, getattr(there, name))
    there.hourly.symlink_to(prepared.hourly)
    folder = results / study.study / "variants" / variant
    return Laid(study, there, climatology, {seed: folder / f"seed{seed}" for seed in (0, 1)})
