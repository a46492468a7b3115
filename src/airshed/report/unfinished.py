"""What is missing from a partial report."""

from __future__ import annotations

from airshed.report.results import Results
from airshed.report.tables import Table

CAPTION = (
    "Trainings that are missing here. What the report says holds for the others; with more"
    " of them, numbers and verdicts change. A variant whose reference is missing is not compared."
)


def table(results: Results) -> Table:
    """The trainings that are missing; no rows in a finished study."""
    rows = [
        [entry.variant, str(entry.seed), entry.state, entry.next] for entry in results.unfinished
    ]
    return Table(["variant", "seed", "state", "next"], rows)


def sentence(results: Results) -> str:
    """How much of the study is there; empty for a finished one."""
    there, missing = len(results.runs), len(results.unfinished)
    if not missing:
        return ""
    return (
        f"This report is partial: {there} of {there + missing} trainings are finished and scored."
        " It is not the study's result."
    )
