"""Checkpoints that are complete or absent, are read without running code, and know their run."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from airshed.errors import AirshedError, refusing
from airshed.integrity.atomic import atomic_path, publish, remove, write_json
from airshed.integrity.formats import CHECKPOINT, FINISHED, VERSION, read_json
from airshed.integrity.provenance import sha256

log = logging.getLogger(__name__)

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
COMPLETE = "finished.json"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; a killed process leaves what was there untouched."""
    with atomic_path(path) as temporary:
        stored = {VERSION: CHECKPOINT.version, "sha256": content_sha256(content)}
        torch.save(stored | {"content": content}, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without unpickling code, and compare it with its checksum.

    Raises:
        AirshedError: The file is damaged, of another version, or holds more than tensors and
            plain values.
    """
    form = "tensors and plain values, written by airshed train"
    with refusing(Exception, what="a checkpoint cannot be read", where=path, expected=form):
        stored = torch.load(path, map_location="cpu", weights_only=True)
        version, expected = stored.get(VERSION), stored["sha256"]
        content = stored["content"]
    CHECKPOINT.check(version, path)
    if content_sha256(content) != expected:
        raise AirshedError(
            "a checkpoint is damaged", where=path, expected="its checksum", found="another one"
        )
    return dict(content)


def content_sha256(content: Any) -> str:
    """Checksum of nested dicts and lists of tensors and plain values."""
    digest = hashlib.sha256()
    for part in _parts(content):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes | memoryview]:
    if isinstance(value, torch.Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield repr(key).encode()
            yield from _parts(entry)
    elif isinstance(value, (list, tuple)):
        yield f"{len(value)} entries".encode()
        for entry in value:
            yield from _parts(entry)
    else:
        yield repr(value).encode()


class Checkpoints:
    """The best weights, the two newest states to continue from, and what came out in the end.

    Args:
        folder: Where they lie.
        interval_min: Minutes between saved states.
        identity: Fingerprint of everything that the run's result depends on.
        companions: What is saved with the best weights because they need it, by name.
    """

    def __init__(
        self,
        folder: Path,
        interval_min: float,
        identity: str,
        companions: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.interval_s, self.identity = folder, 60 * interval_min, identity
        self._companions = dict(companions or {})
        self._saved_at = time.monotonic()
        self._foreign = False

    def due(self) -> bool:
        """Whether the last save is long ago."""
        return time.monotonic() - self._saved_at >= self.interval_s

    def save_state(self, content: dict[str, Any]) -> None:
        """Save a state to continue from; the one before it stays too."""
        incoming, last, previous = self._states()
        save_checkpoint(incoming, content | {"identity": self.identity})
        remove(self.folder / COMPLETE)  # of another run
        if self._foreign:  # another run's states are no way back for this one
            remove(previous)
            self._foreign = False
        elif last.exists():
            publish(last, previous)
        publish(incoming, last)
        self._saved_at = time.monotonic()

    def save_best(self, weights: dict[str, Any]) -> None:
        """Replace the best weights."""
        remove(self.folder / COMPLETE)  # of another run
        content = {"state_dict": weights, "identity": self.identity, **self._companions}
        save_checkpoint(self.folder / BEST, content)

    def newest(self) -> Path | None:
        """The newest readable state of this run, or None for a new start.

        States of other settings or data are not continued; they are replaced when this run saves.

        Raises:
            AirshedError: There are states, but none that can be read, or the best weights are gone.
        """
        for unfinished in self.folder.glob(".*.partial"):  # of a process that was killed
            remove(unfinished)
        present = [path for path in self._states() if path.exists()]
        for path in present:
            try:
                content = load_checkpoint(path)
            except AirshedError as error:
                log.warning("%s", error)
                continue
            if content["identity"] == self.identity:
                return self._with_best(path, content)
            if path is present[0]:
                log.info("%s was made with other settings or data: starting anew", path)
                self._foreign = True
                return None
        if not present:
            return None
        raise AirshedError(
            "none of the run's checkpoints can be continued from",
            where=self.folder,
            found=", ".join(path.name for path in present),
            hint="restore one of them from a copy, or delete the folder to train from the start",
        )

    def finish(self, record: dict[str, Any], history: str) -> None:
        """Write what came out of the complete training, which says that it is complete."""
        content = {"identity": self.identity, "record": record, "history": history}
        write_json(self.folder / COMPLETE, {VERSION: FINISHED.version} | content)

    def finished(self) -> tuple[dict[str, Any], str] | None:
        """What :meth:`finish` wrote; None if this run is not complete.

        Raises:
            AirshedError: It cannot be read, or the best weights are not those of its record.
        """
        path, best = self.folder / COMPLETE, self.folder / BEST
        if not path.exists():
            return None
        content = read_json(path, FINISHED)
        if content["identity"] != self.identity:
            log.info("%s was made with other settings or data: starting anew", path)
            return None
        record: dict[str, Any] = content["record"]
        if not best.exists() or sha256(best) != record["checkpoint"]["sha256"]:
            raise AirshedError(
                "the best weights of a finished training are missing or others",
                where=best,
                hint=FINISHED.remake,
            )
        return record, content["history"]

    def remove_states(self) -> None:
        """Remove the states to continue from; a rest of them does no harm."""
        for path in self._states():
            remove(path)

    def _states(self) -> list[Path]:
        """All places of a state, the newest first.

        A new one lies beside the others for the moment in which they change their names.
        """
        return [self.folder / name for name in (f"new-{LAST}", LAST, PREVIOUS)]

    def _with_best(self, path: Path, content: dict[str, Any]) -> Path:
        if content["history"]["val_loss"] and not (self.folder / BEST).exists():
            raise AirshedError(
                "the best weights of the run so far are missing",
                where=self.folder / BEST,
                hint="restore the file, or delete the folder to train from the start",
            )
        if content["history"]["val_loss"]:
            load_checkpoint(self.folder / BEST)  # what is scored in the end, if nothing is better
        log.info("continuing from %s, step %d", path, content["step"])
        return path
