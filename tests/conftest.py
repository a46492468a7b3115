"""What all tests share: the project's folder and a small valid study."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from airshed.config import Study, read_yaml, validate_study

ROOT = Path(__file__).resolve().parents[1]

TINY: dict[str, Any] = {
    "study": "tiny",
    "variants": ["wind_baseline", "physics_mask"],
    "seeds": [0, 1],
    "horizons_h": [12, 24],
    "dataset": {
        "name": "tiny",
        "source": "simulator",
        "period": {"start": "2016-02-26", "end": "2016-03-08"},
        "grid": {"rows": 8, "columns": 16},
        "simulator": {"grid": {"rows": 10, "columns": 20}, "cell_km": 200.0},
    },
    "splits": {
        "train": {"start": "2016-02-26", "end": "2016-03-01", "init_every_h": 6},
        "validation": {"start": "2016-03-02", "end": "2016-03-04", "init_every_h": 6},
        "test": {"start": "2016-03-05", "end": "2016-03-08", "init_every_h": 3},
    },
    "model": {
        "dim": 16,
        "depth": 2,
        "decoder_depth": 1,
        "heads": 2,
        "regions": {"rows": 2, "columns": 2},
    },
    "train": {
        "epochs": 2,
        "batch_size": 4,
        "accumulate": 2,
        "learning_rate": 1e-3,
        "warmup_steps": 3,
        "accelerator": "cpu",
        "log_every_steps": 2,
    },
    "comparison": {"resamples": 1000, "block_length_h": 24},
}


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture
def tiny_values() -> dict[str, Any]:
    """A small study as plain values, to be changed by tests."""
    return copy.deepcopy(TINY) | read_yaml(ROOT / "config/variants.yaml")


@pytest.fixture
def tiny_study(tiny_values: dict[str, Any]) -> Study:
    """A small study on simulated data."""
    return validate_study(tiny_values, "tiny")
