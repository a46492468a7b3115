"""What happened during a training: losses, learning rate, bias strengths, speed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch

from airshed.atomic import atomic_path
from airshed.provenance import code_commit


class History(pl.Callback):
    """Collects one row every ``every_steps`` optimiser steps and one at the end of each epoch.

    The rows travel in the checkpoint, so that a resumed run continues them where it continues.
    """

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self.rows: list[dict[str, float]] = []
        self.step_seconds: list[float] = []
        self.val_loss: list[float] = []
        self.commits: list[str] = []
        self._losses: list[float] = []
        self._step_started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Everything collected so far, as plain numbers."""
        return {
            "rows": self.rows,
            "step_seconds": self.step_seconds,
            "val_loss": self.val_loss,
            "commits": self.commits,
            "losses": self._losses,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.rows = state_dict["rows"]
        self.step_seconds = state_dict["step_seconds"]
        self.val_loss = state_dict["val_loss"]
        self.commits = state_dict["commits"]
        self._losses = state_dict["losses"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note which code continues the run from here."""
        commit = code_commit().sha
        if commit is not None and commit not in self.commits:
            self.commits.append(commit)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock of an optimiser step at its first batch."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._step_started = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Note the loss, and a row when one is due."""
        self._losses.append(float(outputs["loss"]) * trainer.accumulate_grad_batches)
        last = trainer.is_last_batch
        if (batch_idx + 1) % trainer.accumulate_grad_batches and not last:
            return
        self.step_seconds.append(time.perf_counter() - self._step_started)
        if trainer.global_step % self.every_steps == 0 or last:
            mean_loss = sum(self._losses) / len(self._losses)
            self._losses = []
            self.rows.append(self._row(trainer, pl_module) | {"train_loss": mean_loss})

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the validation loss into the epoch's last row."""
        loss = float(trainer.callback_metrics["val_loss"])
        self.val_loss.append(loss)
        self.rows[-1]["val_loss"] = loss

    def _row(self, trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, float]:
        row = {
            "step": trainer.global_step,
            "epoch": trainer.current_epoch,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
        }
        return row | {f"alpha_block{block}": value for block, value in alphas(module).items()}

    def write_csv(self, path: Path) -> None:
        """Write ``history.csv``: step, epoch, losses, learning rate, alpha of each biased block."""
        table = pd.DataFrame(self.rows)
        first = ["step", "epoch", "train_loss", "val_loss", "lr"]
        columns = first + [name for name in table.columns if name not in first]
        with atomic_path(path) as temporary:
            table.to_csv(temporary, columns=columns, index=False)


def alphas(module: torch.nn.Module) -> dict[int, float]:
    """The strength of the bias of each block that has one."""
    found = {}
    for name, parameter in module.named_parameters():
        parts = name.split(".")
        if parts[-1] == "alpha" and "blocks" in parts:
            found[int(parts[parts.index("blocks") + 1])] = parameter.item()
    return found
