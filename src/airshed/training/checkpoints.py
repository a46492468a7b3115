"""Checkpoints that are complete or absent, and are read without running code."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from airshed.atomic import atomic_path

BEST, LAST = "best.ckpt", "last.ckpt"


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
        """Read one checkpoint without unpickling code."""
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return content


class LastCheckpoint(pl.Callback):
    """Keeps the state to continue from: after every epoch, and every so many minutes within one.

    The last batch of an epoch is left to the save that follows validation, and no save falls
    between batches whose gradients are accumulated: every saved position can be resumed exactly.
    """

    def __init__(self, folder: Path, interval_min: float) -> None:
        self.path = folder / LAST
        self.interval_s = 60 * interval_min
        self._saved_at = time.monotonic()

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
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save after validation, whatever the time."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_at = time.monotonic()


def best_checkpoint(folder: Path) -> ModelCheckpoint:
    """Keeps the weights with the lowest validation loss."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=Path(BEST).stem,
        monitor="val_loss",
        mode="min",
        save_weights_only=True,
        enable_version_counter=False,
    )
