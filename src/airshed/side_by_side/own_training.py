"""A training of Airshed's own in the form of a parsed log, for comparison with logs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from airshed.errors import AirshedError
from airshed.integrity.formats import RUN, read_json
from airshed.side_by_side.training_log import Loss, TrainingLog


def own_training(folder: Path) -> TrainingLog:
    """What ``run.json`` and ``history.csv`` in the folder of a run tell.

    Steps are optimiser steps there; a progress bar counts batches, of which several devices and
    accumulated gradients make one step. All counts and times here are of batches.

    Raises:
        AirshedError: The folder holds no finished training.
    """
    if not ((folder / "run.json").is_file() and (folder / "history.csv").is_file()):
        raise AirshedError(
            "there is no finished training in a folder",
            where=folder,
            expected="run.json and history.csv, as in results/<study>/variants/<variant>/seed<k>",
            hint="airshed status shows how far trainings are",
        )
    record, history = read_json(folder / "run.json", RUN), pd.read_csv(folder / "history.csv")
    steps, epochs = int(history["step"].max()), len(record["val_loss"])
    batches = _batches_a_step(record)
    log = TrainingLog(folder, starts=1, names={"training": "train_loss", "validation": "val_loss"})
    log.batches = steps * batches
    for name, losses in (("train_loss", log.train), ("val_loss", log.val)):
        for step, value in history.dropna(subset=name)[["step", name]].itertuples(index=False):
            losses.add(Loss(epochs * step / steps, float(value), 0))
    log.final_train, log.final_val = log.train.points[-1], log.val.points[-1]
    log.best_val = min(log.val.points, key=lambda loss: loss.value)
    low, median, high = (record["seconds_per_step"][key] for key in ("p10", "median", "p90"))
    log.pace = (low / batches, median / batches, high / batches)
    return log


def _batches_a_step(record: dict[str, Any]) -> int:
    """Batches of all devices that make an optimiser step."""
    train = record["config"]["train"]
    at_once = train["batch_size"] * record.get("nodes", 1) * record.get("devices", 1)
    return math.ceil(train["global_batch_size"] / at_once)
