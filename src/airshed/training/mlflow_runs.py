"""Trainings as runs of MLflow, in one store of files for all trainings of a study.

A store of files needs no server: ``mlflow ui --backend-store-uri results/<study>/mlruns`` shows it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airshed.errors import AirshedError, refusing
from airshed.integrity.alone import alone
from airshed.training.attempts import DONE, FAILED, INTERRUPTED

if TYPE_CHECKING:  # it imports torch, which would take as long as a whole comparison
    from airshed.training.history import Row

log = logging.getLogger(__name__)

STORE = "mlruns"
TRAINING = "airshed.training"  # the tag by which a training that continues finds its run
VERDICT, REASON = "airshed.verdict", "airshed.reason"
STATUS = {DONE: "FINISHED", FAILED: "FAILED", INTERRUPTED: "KILLED"}
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"  # without it newer versions take servers and databases alone


@dataclass(frozen=True)
class MlflowRun:
    """The run of a training."""

    client: Any
    run_id: str

    def write(self, row: Row) -> None:
        """Note the numbers of a row of the history."""
        for name, value in row.items():
            if name not in ("step", "epoch"):
                self.client.log_metric(self.run_id, name, value, step=int(row["step"]))

    def end(self, state: str, reason: str | None) -> None:
        """Note how the training ended."""
        self.client.set_tag(self.run_id, REASON, reason or "")
        self.client.set_terminated(self.run_id, STATUS[state])


def mlflow_run(
    store: Path, study: str, variant: str, seed: int, settings: Mapping[str, Any]
) -> MlflowRun:
    """The run of a training: the one that it began with, or a new one.

    Raises:
        AirshedError: MLflow is not installed.
    """
    client, training = _client(store), f"{variant}/seed{seed}"
    with alone(store):
        known = client.get_experiment_by_name(study)
        experiment = client.create_experiment(study) if known is None else known.experiment_id
        found = client.search_runs([experiment], f"tags.`{TRAINING}` = '{training}'")
        tags = {TRAINING: training, "study": study, "variant": variant, "seed": str(seed)}
        begun = found[0] if found else client.create_run(experiment, tags=tags, run_name=training)
    run = begun.info.run_id
    client.update_run(run, status="RUNNING")
    for name, value in settings.items():
        client.log_param(run, name, value)
    return MlflowRun(client, run)


def note_verdicts(results: Path, verdicts: Mapping[str, str]) -> None:
    """Note the verdict on each variant in the runs of its trainings, where there are any."""
    store = results / STORE
    if not store.is_dir():
        return
    try:
        client = _client(store)
    except AirshedError as error:
        log.warning("the verdicts are not written to MLflow: %s", error)
        return
    experiments = [each.experiment_id for each in client.search_experiments()]
    for run in client.search_runs(experiments):
        verdict = verdicts.get(run.data.tags.get("variant"))
        if verdict is not None:
            client.set_tag(run.info.run_id, VERDICT, verdict)


def _client(store: Path) -> Any:
    with refusing(
        ImportError,
        what="runs cannot be written to MLflow",
        where="train.mlflow",
        expected="the package mlflow, or mlflow-skinny",
        hint="pip install 'mlflow-skinny>=3', or set train.mlflow to false",
        found=str,
    ):
        from mlflow.tracking import MlflowClient
    os.environ.setdefault(ALLOWED, "true")
    return MlflowClient(tracking_uri=store.absolute().as_uri())
