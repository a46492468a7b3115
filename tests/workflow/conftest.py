"""A fresh copy of the workflow for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_runs import Snakemake, checkout, planning_in


@pytest.fixture
def snakemake(tmp_path: Path) -> Snakemake:
    """Plans with snakemake in a fresh copy of the workflow at ``tmp_path``."""
    return planning_in(checkout(tmp_path))
