"""What stands in each section: its content, and its figures.

A section is a line in :data:`airshed.report.outline.SECTIONS`, which is their order, an entry in
BUILDERS, and a template of its name in ``templates/sections/``. The template serves HTML and
Markdown alike: it reads the content as ``it``, the figures as ``drawn``, and writes with the macros
of ``m``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from airshed.evaluation.metrics.exceedance import LIMITS
from airshed.report import (
    ablation,
    answer,
    bias,
    by_ensemble,
    by_score,
    calibration,
    classes,
    interventions,
    learned,
    next_steps,
    provenance,
    supplement,
    tables,
    text,
    unfinished,
)
from airshed.report.drawing import Drawing
from airshed.report.figures import (
    conditions,
    cost,
    episodes,
    exceedance,
    maps,
    quality,
    scores,
    spectra,
    training,
)
from airshed.report.figures import interventions as intervention_figures
from airshed.report.figures import stations as station_figures
from airshed.report.results import Results
from airshed.report.tables import Table

IN_SIGHT = 2  # compared variants up to which figures of each are not folded away

Content = dict[str, Any]
Drawings = Callable[[Results], Iterator[Drawing]]


def _figures(
    *figures: Callable[[Results], Drawing | None],
    of_each: Callable[[Results, str, bool], Drawing] | None = None,
) -> Drawings:
    """Draws some figures, None for one that a study has not, then one of each compared variant."""

    def drawings(results: Results) -> Iterator[Drawing]:
        for figure in figures:
            if (drawing := figure(results)) is not None:
                yield drawing
        if of_each is not None:
            for variant in results.study.references():
                yield of_each(results, variant, _are_folded(results))

    return drawings


class Builder(NamedTuple):
    """Makes a section's content, None if this study has nothing for it, and its figures."""

    content: Callable[[Results], Content | None] = lambda results: {}
    drawings: Drawings = _figures()


def _are_folded(results: Results) -> bool:
    """Whether there are so many variants that figures of each one are folded away."""
    return len(results.study.references()) > IN_SIGHT


def _with_rows(table: Table, caption: str) -> Content | None:
    return {"table": table, "caption": caption} if table.rows else None


def _answer(results: Results) -> Content:
    compared = results.study.references()
    return {
        "lines": answer.lines(results),
        "warnings": tables.warnings(results),
        "notes": [text.caveat(results), text.families(results)] if compared else [],
    }


def _next_steps(results: Results) -> Content | None:
    """Nothing while verdicts may still change."""
    steps = [] if results.unfinished else next_steps.next_steps(results)
    first, others = steps[: next_steps.IN_SIGHT], steps[next_steps.IN_SIGHT :]
    found = {"first": next_steps.by_reason(first), "others": next_steps.by_reason(others)}
    return found | {"caption": next_steps.CAPTION} if steps else None


def _change(results: Results) -> Content | None:
    """How many tests got which verdict; where heat maps are folded away, their titles say it."""
    compared = list(results.study.references())
    in_sight = [] if _are_folded(results) else compared
    counts = [text.details(results, variant) for variant in in_sight]
    return {"counts": counts} if compared else None


def _horizon(results: Results) -> Content:
    beaten, caption = tables.beaten(results)
    return {
        "beaten": beaten,
        "caption": caption,
        "rmse": tables.rmse(results),
        "rmse_title": tables.RMSE_TITLE,
        "rmse_caption": tables.RMSE_CAPTION,
    }


def _other_scores(results: Results) -> Content | None:
    compared = list(results.study.references())
    if not compared:
        return None
    return {
        "sentences": [by_score.agreement(results, name) for name in compared],
        "tables": [(name, by_score.table(results, name)) for name in compared],
        "caption": by_score.CAPTION,
        "variance": by_score.variance(results),
        "variance_caption": by_score.VARIANCE_CAPTION,
    }


def _interventions(results: Results) -> Content | None:
    found = _with_rows(interventions.table(results), interventions.CAPTION)
    return found and found | {"labels": interventions.labels(results)}


def _ensembles(results: Results) -> Content | None:
    if results.ensembles is None:
        return None
    table = by_ensemble.table(results.ensembles, list(results.study.seeds))
    return {"table": table, "caption": by_ensemble.CAPTION}


def _exceedances(results: Results) -> Content | None:
    sentences = exceedance.sentences(results)
    return {"sentences": sentences} if exceedance.limited(results) else None


def _episode_drawings(results: Results) -> Iterator[Drawing]:
    for episode in results.study.episodes:
        if (transect := episodes.episode_transect(results, episode)) is not None:
            yield transect
        for variant in results.study.references():
            yield episodes.episode_maps(results, episode, variant, _are_folded(results))


def _alpha(results: Results) -> Content | None:
    """What became of the strength of each bias; None if nothing learned is recorded."""
    variants = results.study.variants
    sentences = [each for name in variants for each in learned.sentences(results, name)]
    use = bias.table(results)
    if not sentences and not use.rows:
        return None
    caption = f"{bias.CAPTION} {bias.how(results)}"
    alone = learned.alpha_alone(results)
    return {"sentences": sentences, "alone": alone, "use": use, "use_caption": caption}


def _quality(results: Results) -> Content:
    return {
        "quality": tables.quality(results),
        "quality_caption": tables.QUALITY_CAPTION,
        "gaps": tables.gaps(results),
        "rejected": supplement.rejected(results),
        "rejected_caption": supplement.REJECTED_CAPTION,
        "left_out": supplement.left_out(results),
        "left_out_caption": supplement.LEFT_OUT_CAPTION,
    }


def _calibration(results: Results) -> Content:
    return {
        "sentences": calibration.sentences(results),
        "table": calibration.table(results),
        "caption": calibration.CAPTION,
        "controls": calibration.controls(results),
    }


def _provenance(results: Results) -> Content:
    return {
        "warnings": tables.warnings(results),
        "settings": tables.settings(results),
        "samples": tables.samples(results),
        "differences": provenance.differences(results),
        "runs": provenance.runs(results),
    }


BUILDERS = {
    "unfinished": Builder(
        lambda results: _with_rows(unfinished.table(results), unfinished.CAPTION)
    ),
    "answer": Builder(_answer),
    "ablation": Builder(
        lambda results: _with_rows(ablation.ablation(results), ablation.caption(results)),
        _figures(scores.changes),
    ),
    "next": Builder(_next_steps),
    "change": Builder(_change, _figures(of_each=scores.change_heatmap)),
    "interventions": Builder(_interventions, _figures(intervention_figures.interventions)),
    "horizon": Builder(_horizon, _figures(scores.skill_by_horizon)),
    "learning": Builder(
        lambda results: {
            "trainings": tables.trainings(results),
            "caption": tables.TRAININGS_CAPTION,
        },
        _figures(training.validation_loss, training.learning_curves),
    ),
    "alpha": Builder(_alpha, _figures(training.alpha_curves)),
    "maps": Builder(drawings=_figures(maps.terrain_and_wind, of_each=maps.change_maps)),
    "conditions": Builder(
        lambda results: {
            "sentences": [
                classes.by_elevation(results, name) for name in results.study.references()
            ]
        },
        _figures(conditions.change_by_class, conditions.change_by_wind, conditions.rmse_by_class),
    ),
    "scores": Builder(_other_scores, _figures(spectra.spectra)),
    "ensembles": Builder(_ensembles),
    "exceedance": Builder(
        _exceedances,
        _figures(*(partial(exceedance.exceedance, limit=limit) for limit in LIMITS)),
    ),
    "episodes": Builder(
        lambda results: _with_rows(supplement.episodes(results), supplement.EPISODES_CAPTION),
        _episode_drawings,
    ),
    "stations": Builder(
        lambda results: _with_rows(supplement.stations(results), supplement.STATIONS_CAPTION),
        _figures(station_figures.stations),
    ),
    "external": Builder(
        lambda results: _with_rows(supplement.external(results), supplement.EXTERNAL_CAPTION)
    ),
    "cost": Builder(drawings=_figures(cost.cost_benefit)),
    "quality": Builder(_quality, _figures(quality.data_quality)),
    "calibration": Builder(_calibration),
    "provenance": Builder(_provenance),
}
