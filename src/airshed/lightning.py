"""Variants and studies as pytorch-lightning knows modules and data, to be trained by its Trainer.

The workflow trains with a loop of its own (:mod:`airshed.training`), which can stop at any step and
does not depend on the number of devices. This is for everything else that the Trainer's world has:
callbacks, loggers, strategies, a search of one's own. Without dropout both train the same: samples
in the same order, the same loss, optimizer, clipping and schedule. See docs/python.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from airshed.assembly import build_network
from airshed.config import Study, load_study
from airshed.config.base import unknown_key_message
from airshed.config.data import Split
from airshed.data.dataset import Batch, ForecastDataset, loader_options
from airshed.data.prepared import Prepared
from airshed.data.reference import open_reference
from airshed.data.stores import open_static
from airshed.errors import AirshedError
from airshed.graph.places import Places
from airshed.training.batches import MicroBatch, Plan, deal
from airshed.training.finished import trained_weights
from airshed.training.optimisation import adamw, are_strengths, masked_squares, warmup_cosine
from airshed.training.start import load_start

__all__ = ["StudyData", "VariantModule", "trainer_settings"]

Folder = str | PathLike[str]


class Dealt(NamedTuple):
    """What one process computes at once.

    Attributes:
        batch: Some samples.
        counts: 0 for a stand-in at the ragged end of an epoch, whose loss does not count; else 1.
    """

    batch: Batch
    counts: int


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

    def __init__(self, results: Folder, variant: str, seed: int) -> None:
        super().__init__()
        self.save_hyperparameters({"results": str(results), "variant": variant, "seed": seed})
        study, prepared = _opened(Path(results), variant)
        self._study, self._variant = study, variant
        self.net = build_network(study, variant, prepared, study.random_seed(variant, seed))
        load_start(self.net, study, variant, seed, _start(Path(results), study, variant, seed))
        mask = open_static(prepared.static)["domain_mask"].values.astype(bool)
        self.register_buffer("mask", torch.from_numpy(mask), persistent=False)
        self.register_buffer("_step_sums", torch.zeros(2, dtype=torch.float64), persistent=False)
        self.register_buffer("_epoch_sums", torch.zeros(2, dtype=torch.float64), persistent=False)
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
        squares = self._count(dealt, self._step_sums)
        means = self.trainer.accumulate_grad_batches * self.trainer.world_size
        return squares * (dealt.counts * means / self._nominal)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Make gradients those of the mean over the known cells of the step."""
        squares, known = self._total(self._step_sums)
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
        """Clip as the Trainer was told, or else as the study says."""
        limit = self._study.train.clip if gradient_clip_val is None else gradient_clip_val
        self.clip_gradients(optimizer, limit, gradient_clip_algorithm or "norm")

    def validation_step(self, dealt: Dealt, batch_idx: int) -> None:
        """Count the squared errors of a micro-batch."""
        self._count(dealt, self._epoch_sums)

    def on_validation_epoch_end(self) -> None:
        """Log the mean over all known cells of the validation split."""
        squares, known = self._total(self._epoch_sums)
        self.log("val_loss", (squares / known).float(), prog_bar=True)

    def configure_optimizers(self) -> dict[str, Any]:
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

    def _count(self, dealt: Dealt, sums: Tensor) -> Tensor:
        """Add a micro-batch's squared errors and known cells; the former."""
        batch = dealt.batch
        squares, known = masked_squares(self(batch), batch.y, self.mask)
        sums += dealt.counts * torch.stack([squares.detach().double(), known.double()])
        return squares

    def _total(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        """What was counted, of all processes; the count starts anew."""
        total = self.trainer.strategy.reduce(sums.clone(), reduce_op="sum")
        sums.zero_()
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
        study = self._study
        reference = open_reference(study, self._prepared)

        def samples(split: Split) -> ForecastDataset:
            return ForecastDataset.of(study, self._prepared, split, study.loader.hold, reference)

        if not self._samples:
            self._samples = {
                "train": samples(study.splits.train),
                "validation": samples(study.splits.validation),
            }

    def train_dataloader(self) -> DataLoader[Dealt]:
        """Micro-batches of the training split, in another order each epoch."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Dealt]:
        """Micro-batches of the validation split."""
        return self._loader("validation")

    def _loader(self, split: Literal["train", "validation"]) -> DataLoader[Dealt]:
        samples, options = self._samples[split], loader_options(self._study.loader, self._workers)
        trainer = self.trainer
        rank, processes = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        micro_batches = _MicroBatches(
            samples, self._study, self._seed, split == "train", rank, processes
        )
        return DataLoader(_Dealing(samples), sampler=micro_batches, batch_size=None, **options)


class _Dealing(Dataset[Dealt]):
    """Samples by the micro-batch."""

    def __init__(self, samples: ForecastDataset) -> None:
        self._samples = samples

    def __getitem__(self, micro_batch: MicroBatch) -> Dealt:
        return Dealt(self._samples.__getitems__(micro_batch.indices), int(micro_batch.counts))


class _MicroBatches(DistributedSampler[MicroBatch]):
    """This process's micro-batches of an epoch, as a training of the workflow deals them.

    Lightning leaves the sampler of a distributed training as it is, and tells it the epoch.
    """

    def __init__(
        self,
        samples: ForecastDataset,
        study: Study,
        seed: int,
        learned: bool,
        rank: int,
        processes: int,
    ) -> None:
        super().__init__(samples, processes, rank)
        settings = study.train
        sizes = settings.global_batch_size, settings.batch_size
        self._plan = Plan(len(samples), *sizes, seed, rank, processes)
        self._learned = learned

    def __iter__(self) -> Iterator[MicroBatch]:  # type: ignore[override]
        if self._learned:
            return iter([micro for step in self._plan.epoch(self.epoch) for micro in step])
        plan = self._plan
        return iter(deal(range(plan.samples), plan.batch_size, plan.rank, plan.processes))

    def __len__(self) -> int:
        return len(list(iter(self)))


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
