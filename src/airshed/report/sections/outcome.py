"""What came out: the answer, the ablation table, changes by pollutant and horizon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.report import ablation as rows
from airshed.report import answer as answers
from airshed.report import next_steps as decisions
from airshed.report import tables, text
from airshed.report import unfinished as missing
from airshed.report.drawing import Drawing
from airshed.report.figures import scores
from airshed.report.results import Results

IN_SIGHT = 2  # compared variants up to which figures of each are not folded away


def are_folded(results: Results) -> bool:
    """Whether there are so many variants that figures of each one are folded away."""
    return len(results.study.references()) > IN_SIGHT


def unfinished(results: Results) -> dict[str, Any] | None:
    """The trainings that a partial report is without."""
    if not results.unfinished:
        return None
    return {"table": missing.table(results), "caption": missing.CAPTION}


def next_steps(results: Results) -> dict[str, Any] | None:
    """What the verdicts suggest; nothing while they may still change."""
    if results.unfinished:
        return None
    steps = decisions.next_steps(results)
    first, others = steps[: decisions.IN_SIGHT], steps[decisions.IN_SIGHT :]
    found = {"first": decisions.by_reason(first), "others": decisions.by_reason(others)}
    return found | {"caption": decisions.CAPTION} if steps else None


def answer(results: Results) -> dict[str, Any]:
    """Effect, competence and power, and what a reader must know before believing them."""
    compared = results.study.references()
    return {
        "lines": answers.lines(results),
        "warnings": tables.warnings(results),
        "notes": [text.caveat(results), text.families(results)] if compared else [],
    }


def ablation(results: Results) -> dict[str, Any]:
    """The table of all variants."""
    return {"table": rows.ablation(results), "caption": rows.caption(results)}


def ablation_drawings(results: Results) -> Iterator[Drawing]:
    """Overall changes side by side."""
    if results.study.references():
        yield scores.changes(results)


def change(results: Results) -> dict[str, Any] | None:
    """How many tests got which verdict; where heat maps are folded away, their titles say it."""
    compared = list(results.study.references())
    if not compared:
        return None
    in_sight = [] if are_folded(results) else compared
    return {"counts": [text.details(results, variant) for variant in in_sight]}


def change_drawings(results: Results) -> Iterator[Drawing]:
    """A heat map for each compared variant."""
    for variant in results.study.references():
        yield scores.change_heatmap(results, variant, are_folded(results))
