"""Where the scores under interventions lie."""

from __future__ import annotations

from pathlib import Path


def scores_of(listed: Path, name: str) -> Path:
    """Scores under an intervention, beside the list of those that were made of a run."""
    return listed.with_suffix("") / name / "scores.nc"
