"""Beyond the study's own scores: episodes, stations, other people's forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.report import supplement
from airshed.report.drawing import Drawing
from airshed.report.figures import episodes as episode_figures
from airshed.report.figures import stations as station_figures
from airshed.report.results import Results
from airshed.report.sections.outcome import are_folded
from airshed.report.tables import Table


def episodes(results: Results) -> dict[str, Any] | None:
    """Scores in episodes."""
    return _shown(supplement.episodes(results), supplement.EPISODES_CAPTION)


def episode_drawings(results: Results) -> Iterator[Drawing]:
    """Maps and transect of each episode."""
    for episode in results.study.episodes:
        if (drawing := episode_figures.episode_transect(results, episode)) is not None:
            yield drawing
        for variant in results.study.references():
            yield episode_figures.episode_maps(results, episode, variant, are_folded(results))


def stations(results: Results) -> dict[str, Any] | None:
    """Scores at stations."""
    return _shown(supplement.stations(results), supplement.STATIONS_CAPTION)


def station_drawings(results: Results) -> Iterator[Drawing]:
    """Errors at stations."""
    if supplement.stations(results).rows:
        yield station_figures.stations(results)


def external(results: Results) -> dict[str, Any] | None:
    """Scores of other people's forecasts."""
    return _shown(supplement.external(results), supplement.EXTERNAL_CAPTION)


def _shown(table: Table, caption: str) -> dict[str, Any] | None:
    return {"table": table, "caption": caption} if table.rows else None
