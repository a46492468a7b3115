"""The order of the report's sections, and every kind of figure with its caption.

Nothing heavy is imported here: the workflow reads it for the captions of ``snakemake --report``.
"""

from __future__ import annotations

from typing import NamedTuple

SECTIONS = {
    "unfinished": "What is not finished",
    "answer": "The answer",
    "ablation": "All variants",
    "next": "What next",
    "change": "Change of RMSE by pollutant and horizon",
    "horizon": "Errors and skill by horizon",
    "maps": "Maps",
    "conditions": "Terrain, wind and season",
    "interventions": "Controls: what trained networks notice",
    "scores": "Other scores",
    "ensembles": "The seeds as an ensemble",
    "exceedance": "Exceedances",
    "episodes": "Episodes",
    "stations": "Stations",
    "external": "Other forecasts",
    "learning": "Learning curves",
    "alpha": "Strength of the bias",
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
    "skill_by_horizon": Kind(
        "horizon",
        "Skill against climatology, 1 \u2212 MSE / MSE of climatology, by horizon; 0 is no better"
        " than climatology. Lines: mean of the seeds, bands: smallest to largest of them; grey:"
        " reference forecasts without a network.",
    ),
    "terrain_and_wind": Kind(
        "maps",
        "Terrain with contours of elevation in m, and the wind in parts of the domain over the"
        " hours of the test period. A rose's petals point to where the wind comes from; their"
        " length is how often it does.",
    ),
    "change_maps": Kind(
        "maps",
        "Change of RMSE in each cell in the pollutant's unit, over all horizons and seeds; each"
        " pollutant has its own scale. Blue: lower error; lines: 1, 2, 3 and 4 km of elevation;"
        " grey: masked, mean concentration in the training period below a quarter of that over the"
        " domain; white: outside the domain.",
    ),
    "change_by_class": Kind(
        "conditions",
        "Change of RMSE against the reference by class, mean over pollutants and horizons (of its"
        " logarithm), with its 95\u00a0% interval from trainings and init times, not adjusted for"
        " the number of classes. Intervals much wider than the others leave the axis.",
    ),
    "change_by_wind": Kind(
        "conditions",
        "Where a bias made of terrain and wind must show: the same by ruggedness of the cell and"
        " its wind at the init time together, a panel for each class of wind.",
    ),
    "rmse_by_class": Kind(
        "conditions",
        "RMSE by class, root of the mean square over horizons. Points: mean of the seeds, bars:"
        " smallest to largest of them; grey: reference"
        " forecasts without a network.",
    ),
    "interventions": Kind(
        "interventions",
        "Change of RMSE, in percent, of trained networks that are scored again with something"
        " changed, over all pollutants and horizons; its 95\u00a0% interval in brackets. Red,"
        " hurts: higher error, so that they use what was taken from them; grey: they do not read"
        " it.",
    ),
    "spectra": Kind(
        "scores",
        "Power of the forecasts\u2019 variations in space over that of the observations, by their"
        " wavelength, on the largest rectangle of the domain; all seeds together, geometric mean of"
        " the pollutants. Below 100\u00a0%: blurred. Source: Denis et al. (2002).",
    ),
    "exceedance": Kind(
        "exceedance",
        "Of the pairs above a limit: share that was forecast (hit rate), share of forecast ones"
        " that did not come (false alarm ratio), hits among all hits, misses and false alarms"
        " (critical success index), and how many were forecast for each that came (frequency bias,"
        " 1 is right; drawn up to 2.5). Lines: mean of the seeds, bands: smallest to largest; grey:"
        " reference forecasts without a network.",
    ),
    "episode_maps": Kind(
        "episodes",
        "Maps of an episode: observed, and forecasts made the stated time before, mean of the"
        " seeds. Lines: contours of elevation.",
    ),
    "episode_transect": Kind(
        "episodes",
        "An episode along a line over the terrain. Black: observed; lines: forecasts, mean of the"
        " seeds, bands: smallest to largest of them. Below: elevation.",
    ),
    "stations": Kind(
        "stations",
        "RMSE against observations at stations. Points: mean of the seeds, bars: smallest to"
        " largest of them; black: the reanalysis itself at the same stations and hours.",
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
        " largest of them; dotted: where it began; pale: how far it could have moved, about, the"
        " sum of the learning rates so far.",
    ),
    "cost_benefit": Kind(
        "cost",
        "Extra time of a training step against the change of RMSE, with its 95\u00a0% interval."
        " The bar of the time is no interval of that kind: it holds the middle half of the turns of"
        " one measurement, where it was measured in turns.",
    ),
    "data_quality": Kind(
        "quality",
        "Months in which the ingest found hours missing, there twice, constant or without a value,"
        " or values that are implausible or missing where the first hour has one (pale: none)."
        " Nothing is filled in.",
    ),
}
"""Every kind of figure, in the order of the page.

A figure's file is named after its kind, followed by ``-`` and what it is of, where there are
several.
"""


def figure_kind(name: str) -> Kind:
    """The kind of a figure by the name of its file."""
    return FIGURES[name.split("-")[0]]
