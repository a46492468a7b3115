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
from airshed.integrity.atomic import atomic_path, remove, write_json, write_text
from airshed.integrity.formats import RUN, VERSION, read_json
from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)
CHECKPOINTS, HISTORY = "checkpoints", "history.csv"


def initial_weights(study: Study, variant: str, start: Path | None) -> str | None:
    """Checksum of the weights that a training starts from; None for new ones."""
    if start is None:
        return None
    if study.variant_stanzas[variant].pretrained is not None:
        return sha256(start)
    return str(read_json(start, RUN)["checkpoint"]["sha256"])


@dataclass(frozen=True)
class TrainingRequest:
    """A training that is asked for.

    Attributes:
        study: The study, or what of it shapes a training and how it is done.
        whole: The whole study, for the record.
        variant: Name of one of its variants.
        seed: Seed of initial weights, order of samples and dropout, the variant's ``seed_offset``
            apart.
        prepared: Paths of the prepared data.
        start: What the weights start from; see :func:`airshed.training.start.load_start`.
        run: Where ``run.json`` goes; ``checkpoints/`` and ``progress.json`` are made beside it.
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

    def write(self, record: dict[str, Any], history: str) -> None:
        """Write ``history.csv``, then ``run.json``, which names the study."""
        stanza = self.whole.variant_stanzas[self.variant]
        described = {
            VERSION: RUN.version,
            "study": self.whole.study,
            "variant": self.variant,
            "label": stanza.label,
            "seed": self.seed,
            "reference": stanza.reference,
            "data_source": self.whole.dataset.data_source,
            "config": self.whole.model_dump(mode="json"),
        }
        write_text(self.history, history)
        write_json(self.run, record | described)

    def is_finished_in(self, record: dict[str, Any], folder: Path) -> bool:
        """Whether a record, and the weights below a folder that it names, are this training's."""
        weights = folder / record["checkpoint"]["path"]
        return (
            record.get("identity") == self.identity
            and weights.is_file()
            and sha256(weights) == record["checkpoint"]["sha256"]
        )


def restore_record(request: TrainingRequest, first: bool = True) -> bool:
    """Write the record of a run again, if this training is the one that is finished already.

    ``first`` says whether this is the first of its processes, which writes.

    Raises:
        AirshedError: Its best weights are missing, or others than its record says.
    """
    from airshed.training.checkpoints import Checkpoints  # imports torch

    folder = request.run.parent / CHECKPOINTS
    if not folder.is_dir():
        return False
    checkpoints = Checkpoints(folder, 1.0, request.identity)
    complete = checkpoints.finished()
    if complete is None:
        return False
    if first:
        note = Making("training", request.study, request.run, request.variant)
        request.write(*complete)
        note.done()
        if not request.study.jobs.keep_states:
            checkpoints.remove_states()
    log.info("%s, seed %d is finished; its record is kept", request.variant, request.seed)
    return True


def take_over(request: TrainingRequest, source: Path) -> None:
    """Take over a training that another study has finished, from its ``run.json``.

    Its weights are linked, or copied if they lie on another file system.

    Raises:
        AirshedError: It is not the same training, or its files are not what its record says.
    """
    record, folder = read_json(source, RUN), request.run.parent
    if not request.is_finished_in(record, source.parent):
        raise AirshedError(
            "a training of another study is not the one that is wanted, or is damaged",
            where=source,
            expected=f"{request.variant}, seed {request.seed}, of the same settings and data",
            hint="set jobs.take_over to false to train it here, or mend the other study",
        )
    note = Making("training", request.study, request.run, request.variant)
    from airshed.training.checkpoints import Checkpoints  # imports torch

    remove(folder / CHECKPOINTS)
    _link(source.parent / record["checkpoint"]["path"], folder / record["checkpoint"]["path"])
    origin = record.get("taken_over") or _origin(record, source)
    finished = record | {"taken_over": origin}
    history = (source.parent / HISTORY).read_text(encoding="utf-8")
    Checkpoints(folder / CHECKPOINTS, 1.0, request.identity).finish(finished, history)
    request.write(finished, history)
    note.done()


def _origin(record: dict[str, Any], source: Path) -> dict[str, Any]:
    finished = datetime.fromtimestamp(source.stat().st_mtime, UTC)
    return {
        "study": record["study"],
        "commit": record["commit"],
        "date": f"{finished:%Y-%m-%d}",
    }


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system is another one or has none."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
