"""Paths of everything that training and evaluation read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from airshed.errors import AirshedError

CACHED_HOURS = "normalised"  # folder of normalised hours beside the hourly store


@dataclass(frozen=True)
class Prepared:
    """The prepared data of one study.

    The last two are for training networks that depart from damped persistence; a trained network
    includes their content.
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

    def check_there(self, names: Collection[str], of: object) -> None:
        """Check that the named files exist; the message names the run or study ``of`` them.

        Raises:
            AirshedError: One is missing.
        """
        needed = {name: path for name, path in vars(self).items() if name in names}
        if missing := [str(path) for path in needed.values() if path and not path.exists()]:
            raise AirshedError(
                "prepared data are missing",
                where=of,
                expected=", ".join(missing),
                found="no such file",
                hint="keep results/data beside results/<study>, or let snakemake make them",
            )

    def departed_from(self) -> dict[str, Path]:
        """Files of the forecast that a network departs from, by name."""
        given = {"climatology": self.climatology, "damping": self.damping}
        return {name: path for name, path in given.items() if path is not None}
