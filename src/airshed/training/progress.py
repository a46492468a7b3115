"""How far a training is: a line a minute in its log, and ``progress.json`` for other programs."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airshed.integrity.atomic import write_json
from airshed.integrity.formats import PROGRESS, VERSION
from airshed.progress import LOG_INTERVAL_S
from airshed.training.history import History

log = logging.getLogger(__name__)

FILE_INTERVAL_S = 5.0
LATER_KNOWN = (
    *("step", "steps", "epoch", "epochs", "train_loss", "val_loss", "seconds_per_step"),
    *("eta_s", "message", "attempts", "resumed_from_step"),
)
RECENT_STEPS = 50  # over which the speed is taken


class TrainingProgress:
    """Writes to the log and ``progress.json`` how far a training is, in one of its processes.

    What goes wrong while writing is logged once and never ends a training.

    Args:
        path: Where ``progress.json`` goes.
        facts: What does not change: variant, seed, nodes, devices.
        writes: Whether this process is the one that writes.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], writes: bool) -> None:
        self.path, self.writes = path, writes
        self.content: dict[str, Any] = {
            VERSION: PROGRESS.version,
            "state": "running",
            **facts,
            **dict.fromkeys(LATER_KNOWN),
            "started": _now(),
            "updated": _now(),
            "host": platform.node(),
            "pid": os.getpid(),
            "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        }
        self._recent: deque[float] = deque(maxlen=RECENT_STEPS)
        self._written_at = self._logged_at = float("-inf")
        self._complained = False
        self._write()

    def begin(self, step: int, epoch: int, steps: int, epochs: int, attempts: int) -> None:
        """The training starts, or continues, from a step."""
        self._set(step=step, epoch=epoch, steps=steps, epochs=epochs, attempts=attempts)
        self._set(resumed_from_step=step or None)
        self._log("training: %d optimiser steps in %d epochs, from step %d", steps, epochs, step)
        self._logged_at = time.monotonic()
        self._write()

    def recall(self, history: History) -> None:
        """Show losses and speed of the steps before, also if no step is left."""
        if recent := history.step_seconds[-RECENT_STEPS:]:
            self._set(seconds_per_step=sum(recent) / len(recent))
        if history.rows:
            self._set(train_loss=history.rows[-1]["train_loss"])
        if history.val_loss:
            self._set(val_loss=history.val_loss[-1])

    def stepped(self, step: int, epoch: int, train_loss: float, seconds: float) -> None:
        """A step is done."""
        self._recent.append(seconds)
        pace = sum(self._recent) / len(self._recent)
        left = (self.content["steps"] - step) * pace
        self._set(step=step, epoch=epoch, train_loss=train_loss, seconds_per_step=pace, eta_s=left)
        now = time.monotonic()
        if now - self._written_at >= FILE_INTERVAL_S:
            self._write()
        if now - self._logged_at >= LOG_INTERVAL_S:
            self._log_line()

    def validated(self, epoch: int, val_loss: float) -> None:
        """An epoch is complete."""
        self._set(epoch=epoch, val_loss=val_loss)
        self._write()
        self._log_line()

    def end(self, state: str, message: str | None = None) -> None:
        """The process ends: ``interrupted``, ``failed`` or ``done``."""
        self._set(state=state, message=message)
        self._set(eta_s=0.0 if state == "done" else None)
        self._write()

    def _set(self, **values: Any) -> None:
        self.content |= values

    def _log_line(self) -> None:
        self._logged_at = time.monotonic()
        content = self.content
        losses = (
            f"{name.replace('_', ' ')} {content[name]:.4f}"
            for name in ("train_loss", "val_loss")
            if content[name] is not None
        )
        left = timedelta(seconds=round(content["eta_s"] or 0))
        self._log(
            "epoch %s, step %d/%d, %s, %s left",
            content["epoch"],
            content["step"],
            content["steps"],
            ", ".join(losses),
            left,
        )

    def _log(self, message: str, *values: Any) -> None:
        if self.writes:
            log.info(message, *values)

    def _write(self) -> None:
        if not self.writes:
            return
        self._written_at = time.monotonic()
        try:
            write_json(self.path, self.content | {"updated": _now()})
        except (OSError, ValueError) as error:  # a full disk, a loss that is not finite
            if not self._complained:
                log.warning("%s cannot be written: %s", self.path, error)
            self._complained = True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
