"""``run.json``: what a finished training was, took and gave."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from airshed.config import Study
from airshed.integrity.provenance import code_commit, sha256, versions
from airshed.model import Forecaster
from airshed.training.checkpoints import BEST
from airshed.training.history import History
from airshed.training.memory import peak_memory_mb


def outcome(
    study: Study,
    variant: str,
    network: Forecaster,
    started: dict[str, Any] | None,
    history: History,
    learned: dict[str, Any],
    device: torch.device,
    folder: Path,
) -> dict[str, Any]:
    """What ``run.json`` says of the training itself."""
    commit = code_commit()
    best = int(np.argmin(history.val_loss))
    history.needed(peak_memory_mb(device))
    return {
        "initial_weights": started,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "val_loss": history.val_loss,
        "best_epoch": best,
        "best_val_loss": history.val_loss[best],
        "optimizer_steps": len(history.step_seconds),
        "seconds_per_step": _spread(history.step_seconds),
        "training_seconds": sum(history.step_seconds),
        "peak_memory_mb": history.peak_memory_mb,
        "bias": {
            "kind": study.variant_stanzas[variant].bias.kind,
            "blocks": biased_blocks(network),
            **learned,
        },
        "attention_path": sorted({core.path for core in network.cores}),
        "device": _device_name(device),
        "threads": study.train.threads,
        "processes": history.processes,
        "commit": commit.sha,
        "dirty": commit.dirty,
        "earlier_commits": [sha for sha in history.commits if sha != commit.sha],
        "versions": versions(),
        "checkpoint": {"path": f"checkpoints/{BEST}", "sha256": sha256(folder / BEST)},
    }


def biased_blocks(network: Forecaster) -> list[int]:
    """Indices of the blocks whose attention has a bias."""
    return [index for index, core in enumerate(network.cores) if core.bias is not None]


def _spread(seconds: list[float]) -> dict[str, float]:
    p10, median, p90 = np.percentile(seconds, [10, 50, 90])
    return {"median": float(median), "p10": float(p10), "p90": float(p90), "steps": len(seconds)}


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()})"
