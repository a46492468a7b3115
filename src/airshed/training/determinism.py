"""The same numbers from the same start, as far as torch and the libraries below it can."""

from __future__ import annotations

import os

import torch
from torch.utils import deterministic


def ask_for_determinism() -> None:
    """Choose deterministic algorithms where there are any; to be called before a GPU is used."""
    # without it cuBLAS may sum in any order, and torch warns of that at every product
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # a debugging aid that costs time
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
