"""How large errors are, where and when: by horizon, on maps, by class, above limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.evaluation.metrics.exceedance import LIMITS
from airshed.report import by_ensemble, by_score, classes, tables, text
from airshed.report.drawing import Drawing
from airshed.report.figures import conditions, exceedance, maps, scores, spectra
from airshed.report.results import Results
from airshed.report.sections.outcome import are_folded


def horizon(results: Results) -> dict[str, Any]:
    """Errors against reference forecasts without a network."""
    beaten, caption = tables.beaten(results)
    return {
        "beaten": beaten,
        "caption": caption,
        "rmse": tables.rmse(results),
        "rmse_title": tables.RMSE_TITLE,
        "rmse_caption": tables.RMSE_CAPTION,
    }


def horizon_drawings(results: Results) -> Iterator[Drawing]:
    """Errors over the horizons."""
    yield scores.skill_by_horizon(results)


def map_drawings(results: Results) -> Iterator[Drawing]:
    """Terrain and wind, and where each variant is better or worse."""
    yield maps.terrain_and_wind(results)
    for variant in results.study.references():
        yield maps.change_maps(results, variant, are_folded(results))


def by_class(results: Results) -> dict[str, Any]:
    """How changes go with elevation."""
    return {"sentences": [classes.told(results, name) for name in results.study.references()]}


def by_class_drawings(results: Results) -> Iterator[Drawing]:
    """Errors by class of terrain, wind and season."""
    if results.study.references():
        yield conditions.change_by_class(results)
        if len(classes.rugged_by_wind(results)):
            yield conditions.change_by_wind(results)
    yield conditions.rmse_by_class(results)


def other_scores(results: Results) -> dict[str, Any] | None:
    """Whether other scores agree with the verdicts; None if nothing is compared."""
    compared = list(results.study.references())
    if not compared:
        return None
    return {
        "sentences": [by_score.told(results, name) for name in compared],
        "tables": [(name, by_score.table(results, name)) for name in compared],
        "caption": by_score.CAPTION,
        "variance": by_score.variance(results),
        "variance_caption": by_score.VARIANCE_CAPTION,
    }


def ensembles(results: Results) -> dict[str, Any] | None:
    """How good the mean of the seeds is, and whether their spread tells errors; no verdict."""
    if results.ensembles is None:
        return None
    return {
        "table": by_ensemble.table(results.ensembles, list(results.study.seeds)),
        "caption": by_ensemble.CAPTION,
    }


def spectra_drawings(results: Results) -> Iterator[Drawing]:
    """How blurred forecasts are."""
    if len(results.spectra):
        yield spectra.spectra(results)


def exceedances(results: Results) -> dict[str, Any] | None:
    """Which limits there are, and what was seen above them; None if no target has one."""
    if not exceedance.limited(results):
        return None
    counted = ((name, exceedance.events(results, name)) for name in LIMITS)
    told = [text.exceedances(results, *each) for each in counted if len(each[1])]
    return {"sentences": told}


def exceedance_drawings(results: Results) -> Iterator[Drawing]:
    """Scores of exceedances, of each set of limits that was exceeded often enough."""
    for name in LIMITS:
        if exceedance.drawn(results, name):
            yield exceedance.exceedance(results, name)
