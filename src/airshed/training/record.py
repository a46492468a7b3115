"""``run.json``: what a finished training was, took and gave."""

from __future__ import annotations

import platform
import resource
from pathlib import Path
from typing import Any

import numpy as np
import torch

from airshed.config import Study
from airshed.integrity.formats import RUN, VERSION
from airshed.integrity.provenance import code_commit, sha256, versions
from airshed.model import Forecaster
from airshed.training.checkpoints import BEST
from airshed.training.history import History


def run_record(
    study: Study,
    variant: str,
    seed: int,
    network: Forecaster,
    started: dict[str, Any] | None,
    history: History,
    learned: dict[str, Any],
    device: torch.device,
    folder: Path,
) -> dict[str, Any]:
    """The content of ``run.json``.

    Args:
        study: The resolved study.
        variant: Name of the variant.
        seed: Its seed.
        network: The trained network, at its last step.
        started: Which weights it started from, if not from scratch.
        history: What was noted during training.
        learned: What the biases have learned, see :meth:`Learned.since`.
        device: Where it was trained.
        folder: The folder with ``best.ckpt``.
    """
    stanza = study.variant_stanzas[variant]
    commit = code_commit()
    best = int(np.argmin(history.val_loss))
    return {
        VERSION: RUN.version,
        "study": study.study,
        "variant": variant,
        "label": stanza.label,
        "seed": seed,
        "reference": stanza.reference,
        "data_source": study.dataset.data_source,
        "initial_weights": started,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "val_loss": history.val_loss,
        "best_epoch": best,
        "best_val_loss": history.val_loss[best],
        "optimizer_steps": len(history.step_seconds),
        "seconds_per_step": _spread(history.step_seconds),
        "training_seconds": sum(history.step_seconds),
        "peak_memory_mb": _peak_memory_mb(device),
        "bias": {
            "kind": stanza.bias.kind,
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
        "config": study.model_dump(mode="json"),
    }


def biased_blocks(network: Forecaster) -> list[int]:
    """Indices of the blocks whose attention has a bias."""
    return [index for index, core in enumerate(network.cores) if core.bias is not None]


def _spread(seconds: list[float]) -> dict[str, float]:
    p10, median, p90 = np.percentile(seconds, [10, 50, 90])
    return {"median": float(median), "p10": float(p10), "p90": float(p90), "steps": len(seconds)}


def _peak_memory_mb(device: torch.device) -> float:
    """Peak of the device's memory, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()})"
