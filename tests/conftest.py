"""What all tests share: the project's folder and a small valid study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airshed.config import Study, read_yaml, validate_study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture
def tiny_values() -> dict[str, Any]:
    """A small study as plain values, to be changed by tests."""
    tiny = read_yaml(ROOT / "tests/helpers/tiny_study.yaml")
    return tiny | read_yaml(ROOT / "config/variants.yaml")


@pytest.fixture
def tiny_study(tiny_values: dict[str, Any]) -> Study:
    """A small study on simulated data."""
    return validate_study(tiny_values, "tiny")
