"""What MLflow is told of a training; a stand-in keeps it, with the same calls as the package."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from mlflow_stand_in import MlflowClient
from tiny_runs import tiny_study, trained

from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.training.mlflow_runs import STORE, mlflow_run, note_verdicts

SEED, VARIANT = 1, "physics_mask"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives all runs of the store in ``tmp_path``."""
    module = ModuleType("mlflow.tracking")
    module.MlflowClient = MlflowClient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", module)
    monkeypatch.setattr(MlflowClient, "stores", {})

    def found() -> list[Any]:
        client = MlflowClient((tmp_path / STORE).as_uri())
        return client.search_runs([each.experiment_id for each in client.search_experiments()])

    return found


def begun(folder: Path, variant: str = VARIANT, seed: int = SEED) -> Any:
    return mlflow_run(folder / STORE, "tiny", variant, seed, {"train.epochs": 2})


def test_a_training_is_a_run_with_the_rows_of_its_history(
    prepared: Prepared, tmp_path: Path, runs: Any
) -> None:
    folder = tmp_path / f"variants/{VARIANT}/seed{SEED}"
    study = tiny_study(train={"mlflow": True, "epochs": 1, "log_every_steps": 1})
    trained(study, VARIANT, SEED, prepared, folder)
    (run,) = runs()
    assert (run.info.run_name, run.info.status) == (f"{VARIANT}/seed{SEED}", "FINISHED")
    assert run.data.tags.items() >= {"study": "tiny", "variant": VARIANT, "seed": "1"}.items()
    assert run.data.params["train.learning_rate"] == study.train.learning_rate
    history = pd.read_csv(folder / "history.csv").set_index("step")
    for name in ("train_loss", "val_loss", "lr", "alpha_block0"):
        told = {step: value for step, key, value in run.data.metrics if key == name}
        assert told == pytest.approx(history[name].dropna().to_dict()), name


def test_a_training_that_continues_continues_its_run(tmp_path: Path, runs: Any) -> None:
    first = begun(tmp_path)
    first.write({"step": 3, "epoch": 0, "train_loss": 0.5})
    first.end("interrupted", "stopped by SIGTERM")
    (run,) = runs()
    assert (run.info.status, run.data.tags["airshed.reason"]) == ("KILLED", "stopped by SIGTERM")
    second = begun(tmp_path)
    assert run.info.status == "RUNNING"
    second.write({"step": 4, "epoch": 0, "train_loss": 0.25})
    second.end("done", None)
    assert len(runs()) == 1
    assert run.data.metrics == [(3, "train_loss", 0.5), (4, "train_loss", 0.25)]
    assert (run.info.status, run.data.tags["airshed.reason"]) == ("FINISHED", "")


def test_the_comparison_adds_its_verdict(tmp_path: Path, runs: Any) -> None:
    note_verdicts(tmp_path, {VARIANT: "helps"})  # nobody asked for runs
    assert not (tmp_path / STORE).exists()
    for variant, seed in ((VARIANT, 0), (VARIANT, 1), ("wind_baseline", 0)):
        begun(tmp_path, variant, seed)
    note_verdicts(tmp_path, {VARIANT: "helps"})
    assert [run.data.tags.get("airshed.verdict") for run in runs()] == ["helps", "helps", None]


def test_without_the_package_a_training_is_refused_and_a_comparison_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(AirshedError, match=r"train\.mlflow"):
        begun(tmp_path)
    (tmp_path / STORE).mkdir(exist_ok=True)
    with caplog.at_level(logging.WARNING):
        note_verdicts(tmp_path, {VARIANT: "helps"})
    assert "the verdicts are not written to MLflow" in caplog.text


def test_a_comparison_that_notes_its_verdicts_imports_no_torch() -> None:
    program = "import sys, airshed.training.mlflow_runs; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
