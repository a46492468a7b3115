"""Paths of everything that training and evaluation read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from airshed.errors import AirshedError


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

    def check_there(self, names: Collection[str], of: object) -> None:
        """Refuse paths at which there is nothing.

        Args:
            names: What is needed.
            of: The run or study that needs it, for the message.

        Raises:
            AirshedError: Some of it is not there.
        """
        needed = {name: path for name, path in vars(self).items() if name in names}
        if missing := [str(path) for path in needed.values() if path and not path.exists()]:
            raise AirshedError(
                "prepared data are not there",
                where=of,
                expected=", ".join(missing),
                found="no such file",
                hint="keep results/data beside results/<study>, or let snakemake make them",
            )

    def departed_from(self) -> dict[str, Path]:
        """What a training reads of the forecast that its network departs from, by name."""
        given = {"climatology": self.climatology, "damping": self.damping}
        return {name: path for name, path in given.items() if path is not None}
