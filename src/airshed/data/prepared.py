"""Paths of everything that training and evaluation read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Prepared:
    """The prepared data of one study.

    The last two are for trainings of networks that depart from damped persistence; what has been
    trained brings them along.
    """

    hourly: Path
    static: Path
    patch_elevation: Path
    statistics: Path
    scan_tables: Path
    climatology: Path | None = None
    damping: Path | None = None

    def small_files(self) -> dict[str, Path]:
        """What every network needs beside the hourly store, by name."""
        names = ("static", "patch_elevation", "statistics", "scan_tables")
        return {name: getattr(self, name) for name in names}

    def departed_from(self) -> dict[str, Path]:
        """What a training reads of the forecast that its network departs from, by name."""
        given = {"climatology": self.climatology, "damping": self.damping}
        return {name: path for name, path in given.items() if path is not None}
