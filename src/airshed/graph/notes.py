"""The note beside every product: the settings and the user's files that it was made from.

Snakemake's own records are lost when ``.snakemake`` is not copied; notes move with the results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.errors import AirshedError
from airshed.graph.products import PRODUCTS
from airshed.graph.settings import FOLDER as SETTINGS
from airshed.graph.settings import name_of, names_read, shaping, step_settings
from airshed.graph.user_files import Listing, UserFiles
from airshed.integrity.atomic import remove, write_json
from airshed.integrity.formats import NOTE, VERSION, read_json

FOLDER = "made"
Read = Mapping[str, Path | None]
"""Paths of the data that a step reads, by product; None for a product that it does not read."""


@dataclass
class Note:
    """The settings and user's files that a product was made from.

    Attributes:
        name: Stands for the settings, see :func:`airshed.graph.settings.name_of`.
        settings: The settings as plain values.
        files: The user's files that were read, by name.
        identity: Of the product as a whole, if other studies can take it over.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    files: Listing = field(default_factory=dict)
    identity: str = ""

    @classmethod
    def beside(cls, output: Path) -> Note | None:
        """The note of a product; None if no note can be read."""
        path = note_path(output)
        if not path.is_file():
            return None
        try:
            content = read_json(path, NOTE)
            return cls(*(content[one.name] for one in fields(cls)))
        except (AirshedError, KeyError):
            return None

    def write(self, output: Path) -> None:
        """Write it beside a product that is complete."""
        write_json(note_path(output), {VERSION: NOTE.version} | vars(self))


def note_path(output: Path) -> Path:
    """Where the note of a product lies."""
    return output.parent / FOLDER / f"{output.name}.json"


class Making:
    """A product that is being made: its note is gone until it is complete.

    Args:
        product: One of PRODUCTS.
        study: The study, or the view of its step.
        output: Where it goes.
        of: The variant or other forecast whose product it is.
    """

    def __init__(self, product: str, study: Study, output: Path, of: str | None = None) -> None:
        self._product, self._study, self._of = product, study, of
        self._output, before = output, Note.beside(output)
        self._earlier = before.files if before else {}
        remove(note_path(output))  # a product without note is not complete
        self._files = UserFiles.of(study, product, of)
        self._read = self._files.state()

    def done(self, identity: str = "") -> None:
        """Write the note."""
        files = self._files.recorded(self._read, self._earlier)
        of = (self._product, self._study, self._of)
        Note(name_of(*of), shaping(*of), files, identity).write(self._output)


def check_read(product: str, config: Sequence[Path], read: Read, of: str | None = None) -> None:
    """Refuse data that were made with other settings than those of the study that reads them.

    Args:
        product: What the step makes.
        config: Files with its settings.
        read: What it reads. A product without note is not checked.
        of: The variant whose product it is.

    Raises:
        AirshedError: The note of one has another name.
    """
    expected = names_read(config, product, of)
    for name, path in read.items():
        note = None if path is None else Note.beside(path)
        if note is not None and note.name != expected.get(name, note.name):
            raise AirshedError(
                f"{PRODUCTS[name].words}: made with other settings than those of this study",
                where=path,
                expected=expected[name],
                found=note.name,
                hint="give what belongs to this study, or let snakemake make it again;"
                f" what differs: diff {SETTINGS}/{{{expected[name]},{note.name}}}.json",
            )


@contextmanager
def making(
    product: str,
    config: Sequence[Path],
    output: Path,
    of: str | None = None,
    read: Read | None = None,
) -> Iterator[Study]:
    """Yield the settings that a step declares; write the note of its product when it is done.

    Args:
        product: What the step makes.
        config: Files with its settings.
        output: Where the product goes.
        of: The variant or other forecast whose product it is.
        read: The data that it reads, as for :func:`check_read`.
    """
    check_read(product, config, read or {}, of)
    study = step_settings(config, product, of)
    made = Making(product, study, output, of)
    yield study
    made.done()
