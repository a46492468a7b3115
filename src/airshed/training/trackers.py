"""Who is told of a training beside its own files, as far as the study asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airshed.config import Study
from airshed.training.history import History
from airshed.training.mlflow_runs import STORE, mlflow_run
from airshed.training.scalars import scalar_writer

Ending = Callable[[str, str | None], None]


def track(
    study: Study, whole: Study, variant: str, seed: int, run: Path, history: History, step: int
) -> list[Ending]:
    """Have the rows of a history told to TensorBoard and MLflow.

    Args:
        study: The study, or what of it a training is handed: whom to tell.
        whole: The whole study: what is told.
        variant: Name of the variant.
        seed: Its seed.
        run: ``run.json`` of the training, ``<study>/variants/<variant>/<seed>/run.json``.
        history: Its history.
        step: The step from which it continues.

    Returns:
        Who is to be told how the training ends: its state, and why.

    Raises:
        AirshedError: A package that the study asks for is not installed.
    """
    if study.train.tensorboard:
        history.listeners.append(scalar_writer(run.with_name("tensorboard"), step))
    if not study.train.mlflow:
        return []
    settings = {f"train.{name}": value for name, value in whole.train.model_dump().items()}
    told = mlflow_run(run.absolute().parents[3] / STORE, whole.study, variant, seed, settings)
    history.listeners.append(told.write)
    return [told.end]
