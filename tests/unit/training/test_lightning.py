"""Lightning's Trainer and the workflow's loop train the same, and take each other's weights."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from laid_out import lay_out
from made_once import MadeOnce
from tiny_runs import final_weights, tiny_study, trained

from airshed.assembly import build_network
from airshed.config import Study, dump_study
from airshed.data.prepared import Prepared
from airshed.errors import AirshedError
from airshed.lightning import StudyData, VariantModule, trainer_settings
from airshed.training.finished import trained_weights
from airshed.training.start import load_start

VARIANT, SEED = "physics_mask", 3


@pytest.fixture(scope="module")
def without_dropout() -> Study:
    """Two epochs of steps in two micro-batches; every step's loss is noted."""
    train = {"log_every_steps": 1, "strength_learning_rate": 0.01, "clip": 0.5}
    return tiny_study(model={"dropout": 0.0, "drop_path": 0.0}, train=train, seeds=[SEED])


@pytest.fixture(scope="module")
def results(
    without_dropout: Study,
    prepared: Prepared,
    climatology: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of the study, its data prepared."""
    folder = tmp_path_factory.mktemp("lightning") / "results"
    lay_out(folder, without_dropout, VARIANT, prepared, climatology)
    study = folder / without_dropout.study
    study.mkdir()
    (study / "config.resolved.yaml").write_text(dump_study(without_dropout))
    return study


@pytest.fixture(scope="module")
def by_workflow(without_dropout: Study, prepared: Prepared, made_once: MadeOnce) -> Path:
    make = partial(trained, without_dropout, VARIANT, SEED, prepared)
    return made_once("without_dropout", make)


class Losses(pl.Callback):
    """A user's own: the training loss of each step, the validation loss of each epoch."""

    def __init__(self) -> None:
        self.steps: dict[int, float] = {}
        self.epochs: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step:  # else gradients are still accumulated
            self.steps[trainer.global_step] = float(trainer.callback_metrics["train_loss"])

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.epochs.append(float(trainer.callback_metrics["val_loss"]))


@pytest.fixture(scope="module")
def by_lightning(results: Path) -> tuple[VariantModule, pl.Trainer, Losses]:
    losses = Losses()
    trainer = pl.Trainer(
        **trainer_settings(results),
        callbacks=[losses],
        logger=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = VariantModule(results, VARIANT, SEED)
    trainer.fit(module, datamodule=StudyData(results, VARIANT, SEED))
    return module, trainer, losses


def test_both_train_the_same(
    by_workflow: Path, by_lightning: tuple[VariantModule, pl.Trainer, Losses]
) -> None:
    """Losses of every step and epoch and the last weights, to rounding."""
    module, trainer, losses = by_lightning
    history = pd.read_csv(by_workflow / "history.csv")
    assert trainer.global_step == len(history) == 8
    assert list(losses.steps) == history["step"].tolist()
    found = [losses.steps[step] for step in history["step"]]
    np.testing.assert_allclose(found, history["train_loss"], rtol=1e-5)
    np.testing.assert_allclose(losses.epochs, history["val_loss"].dropna(), rtol=1e-5)
    weights, expected = module.net.state_dict(), final_weights(by_workflow)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5)
    alpha = weights["blocks.0.attn.core.bias.alpha"]
    assert abs(float(alpha) - 0.2) > 0.01  # it has a rate of its own
    rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert rates[1] == pytest.approx(10 * rates[0])


def test_weights_of_either_load_in_the_other(
    without_dropout: Study,
    prepared: Prepared,
    results: Path,
    by_workflow: Path,
    by_lightning: tuple[VariantModule, pl.Trainer, Losses],
    tmp_path: Path,
) -> None:
    module, trainer, _ = by_lightning
    run = results / f"variants/{VARIANT}/seed{SEED}"
    shutil.copytree(by_workflow, run)
    other = VariantModule(results, VARIANT, 7)
    other.load_run(run)
    for name, value in trained_weights(by_workflow / "run.json").items():
        assert torch.equal(other.net.state_dict()[name], value)
    checkpoint = tmp_path / "lightning.ckpt"
    trainer.save_checkpoint(checkpoint)
    again = VariantModule.load_from_checkpoint(checkpoint)
    pretrained = {"checkpoint": str(checkpoint), "variables": list(without_dropout.inputs)}
    stanza = without_dropout.variant_stanzas[VARIANT].model_dump() | {"pretrained": pretrained}
    stanzas = without_dropout.model_dump(mode="json")["variant_stanzas"]
    study = tiny_study(variant_stanzas=stanzas | {VARIANT: stanza}, model={"dropout": 0.0})
    network = build_network(study, VARIANT, prepared, 0)
    load_start(network, study, VARIANT, 0, checkpoint)
    for name, value in module.net.state_dict().items():
        assert torch.equal(again.net.state_dict()[name], value)
        assert torch.equal(network.state_dict()[name], value), name


def test_what_cannot_be_trained_is_explained(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "results/tiny", ignore=lambda *_: ["variants"])
    for folder, variant, said in (
        (tmp_path, VARIANT, "there is no study"),
        (results, "physics", "did you mean 'physics_mask'"),
        (tmp_path / "results/tiny", VARIANT, "prepared data are missing"),
    ):
        with pytest.raises(AirshedError, match=said):
            VariantModule(folder, variant, 0)
        with pytest.raises(AirshedError, match=said):
            StudyData(folder, variant, 0)
