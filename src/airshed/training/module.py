"""The Lightning module: masked loss, optimiser, schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from airshed.config.training import TrainConfig
from airshed.errors import AirshedError
from airshed.training.sampling import step_seed

Batch = dict[str, Tensor]


def masked_mse(forecast: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over batch, variables and the cells of the domain whose truth is known.

    Args:
        forecast: [B, V, Y, X], normalised.
        truth: [B, V, Y, X], normalised, NaN where it is not known.
        mask: bool [Y, X], True inside the domain.
    """
    known = mask & truth.isfinite()
    squared = torch.where(known, forecast - truth, 0).square()
    return squared.sum() / known.sum()


def warmup_cosine(step: int, warmup_steps: int, total_steps: int) -> float:
    """Factor of the learning rate: linear from 0 to 1, then half a cosine down to 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class ForecastModule(pl.LightningModule):
    """Trains a network that maps (normalised input, lead time) to normalised targets.

    Args:
        network: Called with (x [B, V, Y, X], lead_hours [B], out_variables).
        targets: Names of the variables to forecast.
        mask: bool [Y, X], True inside the domain.
        settings: Optimisation settings.
        learning_rate: Peak learning rate.
        seed: Seed of the run; with epoch and batch it fixes the random numbers of dropout.
        total_steps: Optimiser steps of the whole training, for the schedule. (Lightning's own
            estimate sets the loader up before a checkpoint's position reaches it.)
    """

    mask: Tensor

    def __init__(
        self,
        network: nn.Module,
        targets: Sequence[str],
        mask: Tensor,
        settings: TrainConfig,
        learning_rate: float,
        seed: int,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.targets = tuple(targets)
        self.settings = settings
        self.learning_rate = learning_rate
        self.seed = seed
        self.total_steps = total_steps
        self.register_buffer("mask", mask, persistent=False)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout by position, so that a resumed run draws what an unbroken one would."""
        torch.manual_seed(step_seed(self.seed, self.current_epoch, batch_idx + 1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch; a loss that is not finite stops the run."""
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            raise AirshedError(
                "the training loss is not finite",
                where=f"epoch {self.current_epoch}, batch {batch_idx}, step {self.global_step}",
                found=loss.item(),
                hint="lower train.learning_rate or inspect the data; checkpoints are kept",
            )
        self.log("train_loss", loss.detach(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Accumulate the validation loss, weighted by samples."""
        loss = self._loss(batch)
        self.log("val_loss", loss, prog_bar=True, batch_size=len(batch["x"]), sync_dist=True)

    def _loss(self, batch: Batch) -> Tensor:
        forecast = self.network(batch["x"], batch["lead_hours"], self.targets)
        return masked_mse(forecast, batch["y"], self.mask)

    def configure_optimizers(self) -> Any:
        """AdamW, with linear warm-up and cosine decay per step."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: warmup_cosine(step, settings.warmup_steps, self.total_steps),
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]
