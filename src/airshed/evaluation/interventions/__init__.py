"""Trained networks with something changed: the fields that they read, or the strength of a bias."""

from __future__ import annotations

from pathlib import Path


def scores_of(listed: Path, name: str) -> Path:
    """Scores under an intervention, beside the list of those that were made of a run."""
    return listed.with_suffix("") / name / "scores.nc"
