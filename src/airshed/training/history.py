"""What happened during a training: losses, learning rate, bias strengths, speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from airshed.integrity.provenance import code_commit
from airshed.training.learned import column

Row = dict[str, float]
COLLECTED = ["rows", "step_seconds", "val_loss", "commits", "processes", "peak_memory_mb", "losses"]


class History:
    """Collects one row every ``every_steps`` optimiser steps and one at the end of each epoch.

    The rows travel in the checkpoint, so that a resumed run continues them where it continues.

    Args:
        every_steps: Steps between rows.
        listeners: Are given every row, and the validation losses, as they come.

    Attributes:
        rows: The rows of ``history.csv``.
        step_seconds: Duration of every step.
        val_loss: Validation loss of every epoch that is complete.
        commits: Commits of the code that trained, in order.
        processes: Numbers of processes that trained, in order.
        peak_memory_mb: What the largest of them needed.
        losses: Training loss of each step since the last row.
    """

    def __init__(self, every_steps: int, *listeners: Callable[[Row], None]) -> None:
        self.every_steps, self.listeners = every_steps, list(listeners)
        self.rows: list[Row] = []
        self.step_seconds: list[float] = []
        self.val_loss: list[float] = []
        self.commits: list[str] = []
        self.processes: list[int] = []
        self.peak_memory_mb = 0.0
        self.losses: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        """Everything collected so far, as plain numbers."""
        return {name: getattr(self, name) for name in COLLECTED}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint; older ones hold no peak memory."""
        known = {"peak_memory_mb": 0.0} | state
        vars(self).update({name: known[name] for name in COLLECTED})

    def started(self, processes: int) -> None:
        """Note which code and how many processes continue the run from here."""
        commit = code_commit().sha
        if commit is not None and commit not in self.commits:
            self.commits.append(commit)
        if processes not in self.processes[-1:]:
            self.processes.append(processes)

    def stepped(self, loss: float, seconds: float) -> None:
        """Note an optimiser step."""
        self.losses.append(loss)
        self.step_seconds.append(seconds)

    def needed(self, memory_mb: float) -> None:
        """Note the peak memory of a process so far."""
        self.peak_memory_mb = max(self.peak_memory_mb, memory_mb)

    def row_due(self, step: int) -> bool:
        """Whether a row is due after so many steps."""
        return step % self.every_steps == 0

    def add_row(self, step: int, epoch: int, rate: float, numbers: dict[str, float]) -> None:
        """Add a row; its training loss is the mean of the steps since the one before."""
        row: Row = {"step": step, "epoch": epoch, "lr": rate}
        row |= {column(name): value for name, value in numbers.items()}
        row["train_loss"] = self.recent_loss
        self.losses = []
        self.rows.append(row)
        self._notify(row)

    def validated(self, loss: float) -> None:
        """Complete an epoch: its validation loss goes into its last row."""
        self.val_loss.append(loss)
        self.rows[-1]["val_loss"] = loss
        self._notify({"step": self.rows[-1]["step"], "val_loss": loss})

    @property
    def recent_loss(self) -> float:
        """Mean training loss of the steps since the last row."""
        return sum(self.losses) / len(self.losses)

    def _notify(self, row: Row) -> None:
        for listener in self.listeners:
            listener(row)

    def csv(self) -> str:
        """``history.csv``: step, epoch, losses, learning rate, what biases have learned."""
        table = pd.DataFrame(self.rows)
        first = ["step", "epoch", "train_loss", "val_loss", "lr"]
        columns = first + [name for name in table.columns if name not in first]
        return str(table.to_csv(columns=columns, index=False))
