"""Scores that another study has already."""

from __future__ import annotations

import shutil
from pathlib import Path

from airshed.errors import AirshedError
from airshed.graph.notes import Note
from airshed.integrity.atomic import atomic_path

SUPPLEMENT = "supplement"


def take_over_scores(identity: str, source: Path, output: Path, supplement: Path | None) -> None:
    """Copy the scores of the same run, scored in another study.

    Raises:
        AirshedError: They are not the same.
    """
    note = Note.beside(source)
    if note is None or note.identity != identity:
        raise AirshedError(
            "scores of another study are not those that are wanted",
            where=source,
            expected="scores of the same weights, data and settings",
            hint="run snakemake again: they are then made here",
        )
    if supplement is not None:
        with atomic_path(supplement) as temporary:
            shutil.copytree(source.parent / SUPPLEMENT, temporary)
    with atomic_path(output) as temporary:
        shutil.copyfile(source, temporary)
