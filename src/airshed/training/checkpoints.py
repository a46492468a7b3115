"""Checkpoints that are complete or absent, are read without running code, and know their run."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from airshed.atomic import atomic_path
from airshed.errors import AirshedError, brief

log = logging.getLogger(__name__)

BEST, LAST = "best.ckpt", "last.ckpt"
IDENTITY = "airshed_identity"


def load_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint without unpickling code.

    Raises:
        AirshedError: The file is damaged or holds more than tensors and plain values.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise AirshedError(
            "a checkpoint cannot be read",
            where=path,
            expected="tensors and plain values, written by airshed train",
            found=brief(error),
            hint="delete it; training then starts anew",
        ) from error
    return content


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes under a temporary name and renames; loads plain tensors and values only."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write one checkpoint; a killed process leaves the previous one untouched."""
        with atomic_path(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read one checkpoint, whatever the caller trusts."""
        return load_checkpoint(Path(path), map_location)


class Checkpoints(pl.Callback):
    """Keeps the best weights, and the state to continue from.

    The state is saved after every epoch and every so many minutes within one, yet never between
    batches whose gradients are accumulated nor before the validation of a finished epoch: every
    saved position can be resumed exactly.

    Args:
        folder: Where ``best.ckpt`` and ``last.ckpt`` are kept.
        interval_min: Minutes between saves within an epoch.
        identity: Fingerprint of everything that the run's result depends on.
    """

    def __init__(self, folder: Path, interval_min: float, identity: str) -> None:
        self.folder, self.interval_s, self.identity = folder, 60 * interval_min, identity
        self.best_val_loss = float("inf")
        self._saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The lowest validation loss so far."""
        return {"best_val_loss": self.best_val_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.best_val_loss = state_dict["best_val_loss"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Mark the checkpoint as this run's."""
        checkpoint[IDENTITY] = self.identity

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when the interval has passed."""
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        due = time.monotonic() - self._saved_at >= self.interval_s
        if due and not accumulating and not trainer.is_last_batch:
            self._save_state(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save after validation, whatever the time."""
        val_loss = float(trainer.callback_metrics["val_loss"])
        if val_loss < self.best_val_loss:
            self.best_val_loss = val_loss
            trainer.save_checkpoint(self.folder / BEST, weights_only=True)
        self._save_state(trainer)

    def _save_state(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.folder / LAST)
        self._saved_at = time.monotonic()


def resumable(folder: Path, identity: str) -> Path | None:
    """The checkpoint to continue from, or None for a new start.

    A checkpoint of other settings or data is not continued; it is replaced when the new run saves.

    Raises:
        AirshedError: The checkpoint cannot be read.
    """
    path = folder / LAST
    if not path.exists():
        return None
    if load_checkpoint(path).get(IDENTITY) != identity:
        log.info("%s was made with other settings or data: starting anew", path)
        return None
    log.info("continuing from %s", path)
    return path
