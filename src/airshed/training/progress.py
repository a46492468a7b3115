"""One line a minute: epoch, step, loss, speed, time left."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl

from airshed.progress import LOG_INTERVAL_S

log = logging.getLogger(__name__)


class TrainingProgress(pl.Callback):
    """Logs how far a training got, once a minute and after each epoch."""

    def __init__(self) -> None:
        self._started_at = self._logged_at = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note where this process started, which is not step 0 after a resume."""
        self._started_at = self._logged_at = time.monotonic()
        self._first_step = trainer.global_step
        log.info(
            "training: %d optimiser steps in %s epochs, starting at step %d",
            trainer.estimated_stepping_batches,
            trainer.max_epochs,
            self._first_step,
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        """Log if a minute has passed."""
        if time.monotonic() - self._logged_at >= LOG_INTERVAL_S:
            self._log(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the validation loss."""
        self._log(trainer)

    def _log(self, trainer: pl.Trainer) -> None:
        self._logged_at = time.monotonic()
        elapsed = self._logged_at - self._started_at
        step, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        remaining = elapsed / max(1, step - self._first_step) * (total - step)
        losses = {name: f"{float(value):.4f}" for name, value in trainer.callback_metrics.items()}
        log.info(
            "epoch %d, step %d/%d, %s, %s left",
            trainer.current_epoch,
            step,
            total,
            losses,
            timedelta(seconds=round(remaining)),
        )
