"""Trackers of experiments that follow a training, as far as the study asks for them."""

from __future__ import annotations

from collections.abc import Callable

from airshed.training.history import History
from airshed.training.mlflow_runs import STORE, mlflow_run
from airshed.training.reuse import TrainingRequest
from airshed.training.scalars import scalar_writer

Ending = Callable[[str, str | None], None]


def track(request: TrainingRequest, history: History, step: int) -> list[Ending]:
    """Write the rows of a history to TensorBoard and MLflow too, as far as the study asks for it.

    Args:
        request: The training; its run is ``<study>/variants/<variant>/<seed>/run.json``.
        history: Its history.
        step: The step from which it continues.

    Returns:
        Functions that note how the training ends: its state, and why.

    Raises:
        AirshedError: A package that the study asks for is not installed.
    """
    settings, run, whole = request.study.train, request.run, request.whole
    if settings.tensorboard:
        history.listeners.append(scalar_writer(run.with_name("tensorboard"), step))
    if not settings.mlflow:
        return []
    parameters = {f"train.{name}": value for name, value in whole.train.model_dump().items()}
    of = whole.study, request.variant, request.seed, parameters
    tracked = mlflow_run(run.absolute().parents[3] / STORE, *of)
    history.listeners.append(tracked.write)
    return [tracked.end]
