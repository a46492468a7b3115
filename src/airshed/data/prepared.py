"""Paths of everything that training and evaluation read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Prepared:
    """The prepared data of one study."""

    hourly: Path
    static: Path
    patch_elevation: Path
    statistics: Path
    scan_tables: Path

    def small_files(self) -> dict[str, Path]:
        """All but the hourly store, by name."""
        return {name: path for name, path in vars(self).items() if name != "hourly"}
