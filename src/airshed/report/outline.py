"""The order of the report's sections, and every kind of figure with its caption.

Nothing heavy is imported here: the workflow reads it for the captions of ``snakemake --report``.
"""

from __future__ import annotations

from typing import NamedTuple

SECTIONS = {
    "unfinished": "What is not finished",
    "answer": "The answer",
    "ablation": "Ablation table",
    "next": "What next",
    "change": "Change of RMSE by pollutant and horizon",
    "interventions": "What trained networks notice",
    "horizon": "Error against horizon",
    "learning": "Learning curves",
    "alpha": "Strength of the bias",
    "maps": "Maps",
    "conditions": "Terrain, wind and season",
    "scores": "Other scores",
    "ensembles": "The seeds as an ensemble",
    "exceedance": "Exceedances",
    "episodes": "Episodes",
    "stations": "Stations",
    "external": "Other forecasts",
    "cost": "Cost against benefit",
    "quality": "Data quality",
    "calibration": "How often the statistics err",
    "provenance": "Provenance",
}
"""Name and title of each section, in their order on the page.

A name is that of its template in ``templates/sections/`` and of its entry in
:data:`airshed.report.sections.BUILDERS`.
"""


class Kind(NamedTuple):
    """A kind of figure: the section that it stands in, and its caption."""

    section: str
    caption: str


FIGURES = {
    "changes": Kind(
        "ablation",
        "Change of RMSE over all pollutants and horizons, each variant against its reference, with"
        " its 95\u00a0% interval. Left of zero is better. Grey band: changes too small to matter"
        " (the study's margin).",
    ),
    "change_heatmap": Kind(
        "change",
        "Change of RMSE in percent, its 95\u00a0% interval in brackets, and the verdict after"
        " Holm's adjustment; *: by at least the margin, small: real but below it, \u2248: no"
        " difference that matters, ?: undecided, pale. Blue: lower error; one scale for all"
        " variants.",
    ),
    "interventions": Kind(
        "interventions",
        "Change of RMSE, in percent, of trained networks that are scored again with something"
        " changed, over all pollutants and horizons; its 95\u00a0% interval in brackets. Red,"
        " hurts: higher error, so that they use what was taken from them; grey: they do not read"
        " it.",
    ),
    "skill_by_horizon": Kind(
        "horizon",
        "Skill against climatology, 1 \u2212 MSE / MSE of climatology, by horizon; 0 is no better"
        " than climatology. Lines: mean of the seeds, bands: smallest to largest of them; grey:"
        " reference forecasts without a network.",
    ),
    "learning_curves": Kind(
        "learning",
        "Loss over the optimiser steps, one line a seed; dots: validation, thin lines: training"
        " (running mean).",
    ),
    "validation_loss": Kind(
        "learning", "Lowest validation loss of each training, and the mean of the seeds."
    ),
    "alpha": Kind(
        "alpha",
        "Strength of the bias over the optimiser steps. Line: mean of the seeds, band: smallest to"
        " largest of them; dotted: where it began.",
    ),
    "terrain_and_wind": Kind(
        "maps",
        "Terrain, and the wind in parts of the domain over the hours of the test period. A rose's"
        " petals point to where the wind comes from; their length is how often it does.",
    ),
    "change_maps": Kind(
        "maps",
        "Change of RMSE in each cell, over all horizons and seeds. Blue: lower error; lines:"
        " contours of elevation; white: outside the domain.",
    ),
    "change_by_class": Kind(
        "conditions",
        "Change of RMSE against the reference by class, mean over pollutants and horizons (of its"
        " logarithm). Bars: smallest to largest over pairs of trainings.",
    ),
    "rmse_by_class": Kind(
        "conditions",
        "RMSE by class, root of the mean square over horizons. Points: mean of the seeds, bars:"
        " smallest to largest of them; grey: forecasts that need no training.",
    ),
    "spectra": Kind(
        "scores",
        "Power of the forecasts\u2019 variations in space over that of the observations, by their"
        " wavelength, on the largest rectangle of the domain; all seeds together, geometric mean of"
        " the pollutants. Below 100\u00a0%: blurred. Source: Denis et al. (2002).",
    ),
    "exceedance": Kind(
        "exceedance",
        "Of the hours above a limit: share that was forecast (hit rate), share of forecast ones"
        " that did not come (false alarm ratio), and hits among all hits, misses and false alarms"
        " (critical success index). Points: mean of the seeds, bars: smallest to largest.",
    ),
    "episode_maps": Kind(
        "episodes",
        "Maps of an episode: the truth, and forecasts made the stated time before, mean of the"
        " seeds. Lines: contours of elevation.",
    ),
    "episode_transect": Kind(
        "episodes",
        "An episode along a line over the terrain. Black: truth; lines: forecasts, mean of the"
        " seeds, bands: smallest to largest of them. Below: elevation.",
    ),
    "stations": Kind(
        "stations",
        "RMSE against observations at stations. Points: mean of the seeds, bars: smallest to"
        " largest of them; black: the reanalysis itself at the same stations and hours.",
    ),
    "cost_benefit": Kind(
        "cost",
        "Extra time of a training step against the change of RMSE. Crosses: the 95\u00a0% interval"
        " of the change, and the quartiles of the overhead where it was measured side by side.",
    ),
    "step_time": Kind(
        "cost",
        "Wall clock of an optimiser step in these trainings, with whatever else the machine did"
        " meanwhile. Bar: median, line: 10th to 90th percentile.",
    ),
    "data_quality": Kind(
        "quality",
        "What the ingest found. Bars: smallest to largest value on the study grid, dots: mean,"
        " against what is plausible. If there are any, by month: hours missing, there twice,"
        " constant or without a value, and values that are implausible or missing where the first"
        " hour has one (pale: none). Nothing is filled in.",
    ),
}
"""Every kind of figure, in the order of the page.

A figure's file is named after its kind, followed by ``-`` and what it is of, where there are
several.
"""


def figure_kind(name: str) -> Kind:
    """The kind of a figure by the name of its file."""
    return FIGURES[name.split("-")[0]]
