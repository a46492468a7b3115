"""How trainings went, whether they use their bias, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airshed.report import bias, learned, tables
from airshed.report.drawing import Drawing
from airshed.report.figures import cost as figures
from airshed.report.figures import training
from airshed.report.results import Results


def learning(results: Results) -> dict[str, Any]:
    """Losses and time of every variant's trainings."""
    return {"trainings": tables.trainings(results), "caption": tables.TRAININGS_CAPTION}


def learning_drawings(results: Results) -> Iterator[Drawing]:
    """Losses over the steps, and at their lowest."""
    yield training.validation_loss(results)
    yield training.learning_curves(results)


def alpha(results: Results) -> dict[str, Any] | None:
    """What became of the strength of each bias; None if nothing learned is recorded."""
    sentences = [
        sentence
        for variant in results.study.variants
        for sentence in learned.sentences(results, variant)
    ]
    use = bias.table(results)
    if not sentences and not use.rows:
        return None
    caption = f"{bias.CAPTION} {bias.how(results)}"
    alone = learned.alpha_alone(results)
    return {"sentences": sentences, "alone": alone, "use": use, "use_caption": caption}


def alpha_drawings(results: Results) -> Iterator[Drawing]:
    """Strength of the bias over the steps."""
    if (drawing := training.alpha_curves(results)) is not None:
        yield drawing


def cost_drawings(results: Results) -> Iterator[Drawing]:
    """What variants cost against what they bring."""
    if results.study.references():
        yield figures.cost_benefit(results)
