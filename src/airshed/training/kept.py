"""Finished trainings that are not repeated: a run's own, and those of other studies.

The record of a finished training is kept beside its weights. A job that is started for a training
whose identity is what it was puts the record back; one of another study is taken over: its weights
are linked, its record says where they come from.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airshed.config import Study
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.graph.identity import training_identity
from airshed.graph.notes import Making
from airshed.integrity.atomic import atomic_path, remove, write_json
from airshed.integrity.formats import RUN, read_json
from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)
CHECKPOINTS, RECORD, HISTORY = "checkpoints", "run.json", "history.csv"


def initial_weights(study: Study, variant: str, start: Path | None) -> str | None:
    """Checksum of the weights that a training starts from; None for new ones."""
    if start is None:
        return None
    if study.variant_stanzas[variant].pretrained is not None:
        return sha256(start)
    return str(read_json(start, RUN)["checkpoint"]["sha256"])


def keep(run: Path, history: Path) -> None:
    """Keep the record of a finished training beside its weights."""
    for source, name in ((run, RECORD), (history, HISTORY)):
        _copy(source, run.parent / CHECKPOINTS / name)


@dataclass(frozen=True)
class Wanted:
    """A training that is asked for.

    Attributes:
        study: What of the study a training is handed.
        whole: The whole study, for the record.
        variant: The variant.
        seed: Its seed.
        prepared: The prepared data.
        start: What the weights start from; see :func:`airshed.training.start.load_start`.
        run: Where ``run.json`` goes.
        history: Where ``history.csv`` goes.
    """

    study: Study
    whole: Study
    variant: str
    seed: int
    prepared: Prepared
    start: Path | None
    run: Path
    history: Path

    @property
    def identity(self) -> str:
        """What its weights depend on."""
        begun = initial_weights(self.study, self.variant, self.start)
        return training_identity(self.study, self.variant, self.seed, self.prepared, begun)

    def is_finished_in(self, record: dict[str, Any], folder: Path) -> bool:
        """Whether a record, and the weights below a folder that it names, are this training's."""
        weights = folder / record["checkpoint"]["path"]
        return (
            record.get("identity") == self.identity
            and weights.is_file()
            and sha256(weights) == record["checkpoint"]["sha256"]
        )


def put_back(wanted: Wanted, first: bool = True) -> bool:
    """Put the kept record of a run back, if this training is the one that is finished already.

    Args:
        wanted: The training.
        first: Whether this is the first of its processes, which writes.
    """
    folder = wanted.run.parent
    record, history = folder / CHECKPOINTS / RECORD, folder / CHECKPOINTS / HISTORY
    if not (record.is_file() and history.is_file()):
        return False
    if not wanted.is_finished_in(read_json(record, RUN), folder):
        return False
    if first:
        note = Making("training", wanted.study, wanted.run, wanted.variant)
        _copy(history, wanted.history)
        _copy(record, wanted.run)
        note.done()
    log.info("%s, seed %d is finished; its record is kept", wanted.variant, wanted.seed)
    return True


def take_over(wanted: Wanted, source: Path) -> None:
    """Take over a training that another study has finished.

    Its weights are linked, or copied if they lie on another file system.

    Args:
        wanted: The training.
        source: ``run.json`` in the other study.

    Raises:
        AirshedError: It is not the same training, or its files are not what its record says.
    """
    record, folder = read_json(source, RUN), wanted.run.parent
    if not wanted.is_finished_in(record, source.parent):
        raise AirshedError(
            "a training of another study is not the one that is wanted, or is damaged",
            where=source,
            expected=f"{wanted.variant}, seed {wanted.seed}, of the same settings and data",
            hint="set jobs.take_over to false to train it here, or mend the other study",
        )
    note = Making("training", wanted.study, wanted.run, wanted.variant)
    remove(folder / CHECKPOINTS)
    _link(source.parent / record["checkpoint"]["path"], folder / record["checkpoint"]["path"])
    _copy(source.parent / HISTORY, wanted.history)
    stanza = wanted.whole.variant_stanzas[wanted.variant]
    own = {
        "study": wanted.whole.study,
        "label": stanza.label,
        "reference": stanza.reference,
        "config": wanted.whole.model_dump(mode="json"),
        "taken_over": record.get("taken_over") or _origin(record, source),
    }
    write_json(wanted.run, record | own)
    keep(wanted.run, wanted.history)
    note.done()


def _origin(record: dict[str, Any], source: Path) -> dict[str, Any]:
    finished = datetime.fromtimestamp(source.stat().st_mtime, UTC)
    return {
        "study": record["study"],
        "commit": record["commit"],
        "date": f"{finished:%Y-%m-%d}",
    }


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system is another one or has none."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
