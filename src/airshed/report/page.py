"""Putting the page together: figures, tables, HTML and Markdown."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from matplotlib.figure import Figure

from airshed.atomic import atomic_path, write_text
from airshed.config import Study
from airshed.progress import progress
from airshed.report import bias, tables, text, verification
from airshed.report.figures import maps, quality, scores, style, training
from airshed.report.results import Results, load_results


@dataclass(frozen=True)
class Shown:
    """A figure as the templates use it."""

    name: str
    section: str
    caption: str
    png_base64: str
    width_in: float


def build_report(
    study: Study, results: Path, data: Path, html: Path, markdown: Path, figures: Path
) -> None:
    """Write the report of a finished study.

    Args:
        study: The resolved study.
        results: Its folder, with ``scores.csv``, ``comparisons.csv`` and ``variants/``.
        data: The folder of the prepared data, with ``static.nc`` and ``ingest.json``.
        html: The page: one file that needs no other and no network.
        markdown: The same in Markdown, with links to ``figures``.
        figures: Folder of the figures as PNG and SVG, with their data as CSV.

    Raises:
        AirshedError: A result is missing or cannot be read.
    """
    found = load_results(study, results, data)
    style.apply_style()
    with atomic_path(figures) as folder:
        folder.mkdir()
        shown = [
            _save(folder, *drawn) for drawn in progress(_drawn(found), "figures of the report")
        ]
    environment = Environment(
        loader=PackageLoader("airshed.report"),
        autoescape=select_autoescape(("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = _content(found, shown) | {"figures_folder": figures.name}
    for name, path in (("report.html.jinja", html), ("report.md.jinja", markdown)):
        write_text(path, environment.get_template(name).render(content))


def _drawn(results: Results) -> Iterator[tuple[str, str, str, tuple[Figure, pd.DataFrame]]]:
    """Name, section, caption and drawing of every figure that this study has."""
    for variant in results.study.references():
        yield (
            f"change_heatmap_{variant}",
            "change",
            "Change of RMSE in percent with its 95\u00a0% interval, by pollutant and horizon."
            " \u2248: equivalent, ?: inconclusive.",
            scores.change_heatmap(results, variant),
        )
    yield (
        "rmse_by_horizon",
        "horizon",
        "RMSE against horizon. Bands span the seeds; grey: forecasts that need no training.",
        scores.rmse_by_horizon(results),
    )
    yield (
        "validation_loss",
        "learning",
        "Lowest validation loss of each training, and the mean of the seeds.",
        training.validation_loss(results),
    )
    yield (
        "learning_curves",
        "learning",
        "Training and validation loss over the optimiser steps.",
        training.learning_curves(results),
    )
    if (alpha := training.alpha_curves(results)) is not None:
        yield ("alpha", "alpha", "Strength of the bias over the optimiser steps.", alpha)
    yield (
        "step_time",
        "cost",
        "Wall clock of an optimiser step in these trainings, on whatever else the machine did"
        " meanwhile.",
        training.step_time(results),
    )
    for variant in results.study.references():
        yield (
            f"change_maps_{variant}",
            "maps",
            "Change of RMSE in each cell over all horizons and seeds.",
            maps.change_maps(results, variant),
        )
    yield (
        "data_quality",
        "quality",
        "What the ingest found. Bars: smallest to largest value on the study grid, dots: mean,"
        " against what is plausible. If there are any, by month: hours missing, there twice,"
        " constant or without a value, and values that are implausible or missing where the first"
        " hour has one (pale: none). Nothing is filled in.",
        quality.data_quality(results),
    )


def _save(
    folder: Path, name: str, section: str, caption: str, drawn: tuple[Figure, pd.DataFrame]
) -> Shown:
    width_in = float(drawn[0].get_figwidth())
    style.save(*drawn, folder, name)
    encoded = base64.b64encode((folder / f"{name}.png").read_bytes()).decode("ascii")
    return Shown(name, section, caption, encoded, width_in)


def _content(results: Results, shown: list[Shown]) -> dict[str, Any]:
    study = results.study
    compared = list(study.references())
    return {
        "study": study,
        "simulated": results.simulated,
        "answers": [text.answer(results, variant) for variant in compared],
        "details": [text.details(results, variant) for variant in compared],
        "caveat": text.caveat(results),
        "sanity": [text.sanity(results, variant) for variant in study.variants],
        "alphas": [
            sentence
            for variant in study.variants
            for sentence in text.alpha_sentences(results, variant)
        ],
        "ablation": tables.ablation(results),
        "ablation_caption": tables.ablation_caption(results),
        "bias": bias.table(results),
        "bias_caption": f"{bias.CAPTION} {bias.how(results)}",
        "rmse": tables.rmse(results),
        "beyond": [
            ("Against stations", verification.STATIONS_CAPTION, verification.stations(results)),
            ("Other forecasts", verification.EXTERNAL_CAPTION, verification.external(results)),
            ("Episodes", verification.EPISODES_CAPTION, verification.episodes(results)),
        ],
        "samples": tables.samples(results),
        "settings": tables.settings(results),
        "gaps": tables.gaps(results),
        "runs": tables.runs(results),
        "warnings": tables.warnings(results),
        "figures": shown,
        "css": (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8"),
    }
