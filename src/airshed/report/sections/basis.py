"""What the results rest on: data, statistics, code and machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.report import calibration as rates
from airshed.report import supplement, tables
from airshed.report.drawing import Drawing
from airshed.report.figures.quality import data_quality
from airshed.report.provenance import differences, runs
from airshed.report.results import Results


def quality(results: Results) -> dict[str, Any]:
    """Hours that are missing, and observations that were not taken."""
    return {
        "quality": tables.quality(results),
        "quality_caption": tables.QUALITY_CAPTION,
        "gaps": tables.gaps(results),
        "not_taken": supplement.not_taken(results),
        "not_taken_caption": supplement.NOT_TAKEN_CAPTION,
        "left_out": supplement.left_out(results),
        "left_out_caption": supplement.LEFT_OUT_CAPTION,
    }


def quality_drawings(results: Results) -> Iterator[Drawing]:
    """What the ingest found."""
    if (drawing := data_quality(results)) is not None:
        yield drawing


def calibration(results: Results) -> dict[str, Any]:
    """How often the statistics err for a design like this one."""
    return {
        "sentences": rates.sentences(results),
        "table": rates.table(results),
        "caption": rates.CAPTION,
        "controls": rates.controls(results),
    }


def provenance(results: Results) -> dict[str, Any]:
    """Data, splits, settings, trainings."""
    return {
        "warnings": tables.warnings(results),
        "settings": tables.settings(results),
        "samples": tables.samples(results),
        "differences": differences(results),
        "runs": runs(results),
    }
