"""Variants and studies as pytorch-lightning knows modules and data, to be trained by its Trainer.

The workflow trains with a loop of its own (:mod:`airshed.training`), which can stop at any step and
does not depend on the number of devices. This is for everything else that the Trainer's world has:
callbacks, loggers, strategies, a search of one's own. Without dropout both train the same: samples
in the same order, the same loss, optimizer, clipping and schedule. See docs/python.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from airshed.assembly import build_network
from airshed.config import Study, load_study
from airshed.config.base import unknown_key_message
from airshed.config.data import Split
from airshed.data.dataset import Batch, ForecastDataset
from airshed.data.prepared import Prepared
from airshed.data.reference import open_reference
from airshed.data.stores import open_static
from airshed.errors import AirshedError
from airshed.graph.places import Places
from airshed.training.dealing import Dealt, dealing_loader
from airshed.training.finished import trained_weights
from airshed.training.optimisation import adamw, are_strengths, masked_squares, warmup_cosine
from airshed.training.start import load_start

__all__ = ["StudyData", "VariantModule", "trainer_settings"]

Folder = str | PathLike[str]


class VariantModule(pl.LightningModule):
    """A variant's network with its loss, optimizer and schedule.

    It logs ``train_loss`` of each optimiser step and ``val_loss`` of each epoch, means over all
    known cells as in ``history.csv``. Gradients are clipped as the study says, unless the Trainer
    is given a ``gradient_clip_val``.

    Args:
        results: Folder of a study that snakemake has prepared, ``results/<study>``.
        variant: Name of one of its variants.
        seed: Seed of the initial weights.

    Attributes:
        net: The network, whose weights a training of the workflow can take and give.

    Raises:
        AirshedError: There is no such study or variant, or its data are not prepared.
    """

    mask: Tensor

    def __init__(self, results: Folder, variant: str, seed: int) -> None:
        super().__init__()
        self.save_hyperparameters({"results": str(results), "variant": variant, "seed": seed})
        study, prepared = _opened(Path(results), variant)
        self._study, self._variant = study, variant
        self.net = build_network(study, variant, prepared, study.random_seed(variant, seed))
        load_start(self.net, study, variant, seed, _start(Path(results), study, variant, seed))
        mask = open_static(prepared.static)["domain_mask"].values.astype(bool)
        self.register_buffer("mask", torch.from_numpy(mask), persistent=False)
        self._counted: dict[str, Tensor] = {}  # no buffers: processes would share them
        self._nominal = study.train.global_batch_size * int(mask.sum()) * len(study.targets)

    def load_run(self, run: Folder) -> None:
        """Take the best weights of a finished training of the workflow.

        Args:
            run: Its folder, ``results/<study>/variants/<variant>/seed<k>``.

        Raises:
            AirshedError: It is not finished, or its checkpoint is not the one of its record.
        """
        self.net.load_state_dict(trained_weights(Path(run) / "run.json"))

    def forward(self, batch: Batch) -> Tensor:
        """Normalised forecasts [B, T, Y, X], or departures from the reference forecast."""
        targets: Sequence[str] = self._study.targets
        forecasts: Tensor = self.net(batch.x, batch.lead_hours, targets, batch.init_hours)
        return forecasts

    def training_step(self, dealt: Dealt, batch_idx: int) -> Tensor:
        """The squared errors of a micro-batch, as a share of those of an optimiser step.

        Lightning takes means over the micro-batches and processes of a step. The step is to be on
        the mean over its known cells, so that both are taken back, and the rest is done when all
        of its cells are counted.
        """
        squares = self._count(dealt, "train")
        means = self.trainer.accumulate_grad_batches * self.trainer.world_size
        return squares * (dealt.counts * means / self._nominal)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Make gradients those of the mean over the known cells of the step."""
        squares, known = self._total("train")
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_((self._nominal / known).to(parameter.grad.dtype))
        self.log("train_loss", (squares / known).float(), prog_bar=True)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the Trainer's settings say, or else as the study does."""
        limit = self._study.train.clip if gradient_clip_val is None else gradient_clip_val
        self.clip_gradients(optimizer, limit, gradient_clip_algorithm or "norm")

    def validation_step(self, dealt: Dealt, batch_idx: int) -> None:
        """Count the squared errors of a micro-batch."""
        self._count(dealt, "validation")

    def on_validation_epoch_end(self) -> None:
        """Log the mean over all known cells of the validation split."""
        squares, known = self._total("validation")
        self.log("val_loss", (squares / known).float(), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; warm-up and a cosine over all steps that the Trainer will make."""
        study, variant = self._study, self._variant
        optimizer = adamw(self.net, study.learning_rate(variant), study.train.weight_decay)
        for group in optimizer.param_groups:
            if are_strengths(group["params"]):
                group["lr"] = study.strength_learning_rate(variant)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(
            optimizer, lambda step: warmup_cosine(step, study.train.warmup_steps, steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _count(self, dealt: Dealt, split: str) -> Tensor:
        """Add a micro-batch's squared errors and known cells; the former."""
        batch = dealt.batch
        squares, known = masked_squares(self(batch), batch.y, self.mask)
        sums = dealt.counts * torch.stack([squares.detach().double(), known.double()])
        self._counted[split] = self._counted.get(split, torch.zeros_like(sums)) + sums
        return squares

    def _total(self, split: str) -> tuple[Tensor, Tensor]:
        """What was counted, of all processes; the count starts anew."""
        total = self.trainer.strategy.reduce(self._counted.pop(split), reduce_op="sum")
        return total[0], total[1]


class StudyData(pl.LightningDataModule):
    """The training and validation samples of a prepared study, in the workflow's order.

    Args:
        results: Folder of a study that snakemake has prepared, ``results/<study>``.
        variant: Name of the variant that is trained: its ``seed_offset`` shapes the order.
        seed: Seed of the order of samples.
        workers: Processes that read; None: what the study says.

    Raises:
        AirshedError: There is no such study or variant, or its data are not prepared.
    """

    def __init__(
        self, results: Folder, variant: str, seed: int, workers: int | None = None
    ) -> None:
        super().__init__()
        self._study, self._prepared = _opened(Path(results), variant)
        self._seed = self._study.random_seed(variant, seed)
        self._workers = self._study.train.workers if workers is None else workers
        self._samples: dict[str, ForecastDataset] = {}

    def setup(self, stage: str) -> None:
        """Open the samples."""
        if self._samples:
            return
        study, prepared = self._study, self._prepared
        how = study.loader.hold, open_reference(study, prepared)
        for name in ("train", "validation"):
            split: Split = getattr(study.splits, name)
            self._samples[name] = ForecastDataset.of(study, prepared, split, *how)

    def train_dataloader(self) -> DataLoader[Dealt]:
        """Micro-batches of the training split, in another order each epoch."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Dealt]:
        """Micro-batches of the validation split."""
        return self._loader("validation")

    def _loader(self, split: Literal["train", "validation"]) -> DataLoader[Dealt]:
        trainer = self.trainer
        place = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        of = self._samples[split], self._study, self._seed, split == "train", self._workers
        return dealing_loader(*of, *place)


def trainer_settings(results: Folder, devices: int = 1) -> dict[str, Any]:
    """What a Trainer is to be given so that it trains as the workflow does.

    Args:
        results: Folder of a study that snakemake has prepared, ``results/<study>``.
        devices: Devices in all.

    Returns:
        ``max_epochs``, ``accumulate_grad_batches``, ``precision`` and ``accelerator``.

    Raises:
        AirshedError: There is no such study.
    """
    settings = _study_in(Path(results)).train
    at_once = min(settings.batch_size * devices, settings.global_batch_size)
    return {
        "max_epochs": settings.epochs,
        "accumulate_grad_batches": -(-settings.global_batch_size // at_once),
        "precision": settings.precision,
        "accelerator": settings.accelerator,
    }


def _study_in(results: Path) -> Study:
    path = results / "config.resolved.yaml"
    if not path.is_file():
        raise AirshedError(
            "there is no study",
            where=results,
            expected=f"{path.name}, which snakemake writes when it starts",
            hint="name a folder results/<study>",
        )
    return load_study([path])


def _opened(results: Path, variant: str) -> tuple[Study, Prepared]:
    """A study as a variant is trained, and the data that it is trained with."""
    study = _study_in(results)
    if variant not in study.variants:
        raise AirshedError(
            "the study has no such variant",
            where=results,
            expected=", ".join(study.variants),
            found=variant,
            hint=unknown_key_message(variant, study.variants, "variant"),
        )
    prepared = Places(study, results.resolve().parent).for_training(variant)
    prepared.check_there(vars(prepared), results)
    return study.for_variant(variant), prepared


def _start(results: Path, study: Study, variant: str, seed: int) -> Path | None:
    """What the workflow starts a training from: another run, a checkpoint of the user, nothing."""
    stanza = study.variant_stanzas[variant]
    if stanza.start_from is not None:
        return results / "variants" / stanza.start_from / f"seed{seed}" / "run.json"
    return None if stanza.pretrained is None else Path(stanza.pretrained.checkpoint)
