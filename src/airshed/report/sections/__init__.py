"""What stands in each section: its content, and its figures.

A section is a line in :data:`airshed.report.outline.SECTIONS`, which is their order, an entry
below, and a template of its name in ``templates/sections/``. The template serves HTML and Markdown
alike: it reads the content as ``it``, the figures as ``drawn``, and writes with the macros of
``m``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from airshed.report.drawing import Drawing
from airshed.report.results import Results
from airshed.report.sections import basis, errors, interventions, outcome, supplement, training

Content = dict[str, Any]


def no_content(results: Results) -> Content:
    """For a section that has figures alone."""
    return {}


def no_drawings(results: Results) -> Iterable[Drawing]:
    """For a section without figures."""
    return ()


class Builder(NamedTuple):
    """Makes a section's content, None if this study has nothing for it, and its figures."""

    content: Callable[[Results], Content | None] = no_content
    drawings: Callable[[Results], Iterable[Drawing]] = no_drawings


BUILDERS = {
    "unfinished": Builder(outcome.unfinished),
    "answer": Builder(outcome.answer),
    "ablation": Builder(outcome.ablation, outcome.ablation_drawings),
    "next": Builder(outcome.next_steps),
    "change": Builder(outcome.change, outcome.change_drawings),
    "interventions": Builder(interventions.interventions, interventions.intervention_drawings),
    "horizon": Builder(errors.horizon, errors.horizon_drawings),
    "learning": Builder(training.learning, training.learning_drawings),
    "alpha": Builder(training.alpha, training.alpha_drawings),
    "maps": Builder(drawings=errors.map_drawings),
    "conditions": Builder(errors.by_class, errors.by_class_drawings),
    "scores": Builder(errors.other_scores, errors.spectra_drawings),
    "ensembles": Builder(errors.ensembles),
    "exceedance": Builder(errors.exceedances, errors.exceedance_drawings),
    "episodes": Builder(supplement.episodes, supplement.episode_drawings),
    "stations": Builder(supplement.stations, supplement.station_drawings),
    "external": Builder(supplement.external),
    "cost": Builder(drawings=training.cost_drawings),
    "quality": Builder(basis.quality, basis.quality_drawings),
    "calibration": Builder(basis.calibration),
    "provenance": Builder(basis.provenance),
}
