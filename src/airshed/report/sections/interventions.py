"""What trained networks notice of changes in what they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.report import interventions as rows
from airshed.report.drawing import Drawing
from airshed.report.figures import interventions as figures
from airshed.report.results import Results


def interventions(results: Results) -> dict[str, Any] | None:
    """Changes of error under each intervention; None without any."""
    table = rows.table(results)
    if not table.rows:
        return None
    return {"table": table, "caption": rows.CAPTION, "labels": rows.labels(results)}


def intervention_drawings(results: Results) -> Iterator[Drawing]:
    """The same as a picture."""
    if rows.overall(results):
        yield figures.interventions(results)
