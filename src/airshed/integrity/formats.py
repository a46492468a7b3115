"""Format versions of all results: written into each file, and checked by each reader.

A version is raised when an older reader would misinterpret the new files. A reader that can handle
an older version lists it in ``also_read``; other versions are refused with the reason and with what
makes the file anew.

A results folder as a whole has a version too, in ``format.json``: for the tables, which have no
place for one, and for names and paths of files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airshed.errors import AirshedError, refusing
from airshed.integrity.atomic import write_json

VERSION = "format_version"
STAMP = "format.json"


@dataclass(frozen=True)
class Format:
    """One kind of file or folder.

    Attributes:
        what: Its name in messages.
        version: The version that is written.
        remake: What makes it anew.
        also_read: Older versions that need no other reader; None stands for no version at all.
    """

    what: str
    version: int
    remake: str
    also_read: frozenset[int | None] = field(default_factory=frozenset)

    def reads(self, version: Any) -> bool:
        """Whether a file of this version can be read."""
        return bool(version == self.version or version in self.also_read)

    def check(self, version: Any, where: object) -> None:
        """Refuse a version that cannot be read.

        Raises:
            AirshedError: It is older or newer than what can be read, or none.
        """
        if self.reads(version):
            return
        newer = isinstance(version, (int, float)) and version > self.version
        raise AirshedError(
            f"{self.what} of another format version: written by"
            f" {'a newer' if newer else 'an older'} Airshed, or not by Airshed",
            where=where,
            expected=f"{VERSION} {self.version}",
            found="none" if version is None else f"{VERSION} {version}",
            hint=f"update Airshed, or {self.remake}" if newer else self.remake,
        )


_RERUN = "delete it and run the workflow again"
# 1 of the NetCDF files: the same without a checksum at the end
STORE = Format("a prepared file", 2, _RERUN, frozenset({1}))
# 1 and 2, those of prepared files: by readers that lost times and units which are read now
OBSERVATIONS = Format("a file of observations", 3, _RERUN)
# 2: means over the domain, from which no other part of the period could be scored
# 3: without spectra
# 4: without sums of ruggedness and wind together
SCORES = Format("scores", 5, "let snakemake make them again from the checkpoints, which stay valid")
# None: before checkpoints had a version
CHECKPOINT = Format("a checkpoint", 2, "train this run again", frozenset({None}))
RUN = Format("the record of a run", 1, "train this run again")
INGEST = Format("the report of an ingest", 1, _RERUN)
COST = Format("measured costs", 1, _RERUN)
ENSEMBLE = Format("scores of an ensemble", 1, _RERUN)
INTERPRETATION = Format("an interpretation", 1, _RERUN)
# 2: with families, variances of the whole study, and verdicts by interval
COMPARISON = Format("a table of comparisons", 2, "run the workflow again: scores stay valid")
FINISHED = Format(
    "the record of a finished training",
    1,
    "restore it from a copy, or delete its run's folder to train from the start",
)
ATTEMPTS = Format("a record of attempts", 1, "delete it")
PROGRESS = Format("the progress of a training", 1, "run the training again")
# 1: without the results' folder and the inputs as they were given, so that nothing new is noticed
MANIFEST = Format("a manifest", 2, "make it anew with snakemake --forcerun manifest")
NOTE = Format("the note of what something was made from", 1, "delete it")
# stands in the names of the files: raised when the same settings give other numbers
NORMALISED = Format("a file of normalised hours", 1, "delete it: it is made anew")
FOLDER = Format("a results folder", 1, "move it away and run the workflow again")


def read_json(path: Path, kind: Format) -> dict[str, Any]:
    """The content of a JSON file of a known version.

    Raises:
        AirshedError: It cannot be read, or its version is another one.
    """
    what, errors = f"{kind.what} cannot be read", (OSError, ValueError, AttributeError)
    with refusing(*errors, what=what, where=path, hint=kind.remake):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = content.get(VERSION)
    kind.check(version, path)
    return content


def read_or_nothing(path: Path, kind: Format | None = None) -> dict[str, Any]:
    """The content of a JSON file; nothing if it cannot be read or is of an unknown version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    readable = isinstance(content, dict) and (kind is None or kind.reads(content.get(VERSION)))
    return content if readable else {}


def check_folder(folder: Path) -> None:
    """Refuse a results folder of another version; a new one, or one without a stamp, is accepted.

    Raises:
        AirshedError: Another version of Airshed keeps its results there in another way.
    """
    if (folder / STAMP).exists():
        read_json(folder / STAMP, FOLDER)


def stamp_folder(folder: Path) -> None:
    """Note the version in a results folder that does not have one yet."""
    if not (folder / STAMP).exists():
        write_json(folder / STAMP, {VERSION: FOLDER.version})
