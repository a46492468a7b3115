"""The training loop: optimiser steps, validations, and the positions at which it can stop.

The position is two numbers, optimiser steps done and epochs validated; samples, learning rate and
random numbers follow from it. Weights change in one place only, at the end of a step, so between
two micro-batches, and during a validation, the state in memory is that of a position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from airshed.config.training import TrainConfig
from airshed.data.dataset import Batch
from airshed.errors import AirshedError
from airshed.training.batches import MicroBatch, Plan, deal, mixed_seed
from airshed.training.checkpoints import Checkpoints, load_checkpoint
from airshed.training.fabric import result_of_first, wanted_by_any
from airshed.training.history import History
from airshed.training.learned import numbers
from airshed.training.learner import Learner
from airshed.training.lightning import Fabric
from airshed.training.memory import peak_memory_mb
from airshed.training.optimisation import masked_squares, reach, warmup_cosine
from airshed.training.progress import TrainingProgress
from airshed.training.readers import read
from airshed.training.stopping import InterruptedTrainingError, StopRequest, ignore_stop_signals
from airshed.training.watchdog import EXCHANGING, WAITING, Watchdog


@dataclass(frozen=True)
class Samples:
    """What is learned from.

    Attributes:
        train: Items with ``x`` [V, Y, X], ``y`` [targets, Y, X] and ``lead_hours``, ``init_hours``.
        validation: The same, of other days.
        mask: bool [Y, X], True inside the domain.
        targets: Names of the variables to forecast.
        reading: How they are read: options of a ``DataLoader``.
    """

    train: Dataset[Any]
    validation: Dataset[Any]
    mask: Tensor
    targets: Sequence[str]
    reading: Mapping[str, Any]


@dataclass(frozen=True)
class Services:
    """Checkpoints, history, progress, requests to stop, and the watchdog of a training."""

    checkpoints: Checkpoints
    history: History
    progress: TrainingProgress
    stop: StopRequest
    watchdog: Watchdog


class Training:
    """Trains a network that maps (normalised input, lead time) to normalised targets.

    Args:
        fabric: Connects the processes.
        network: Called with (x [B, V, Y, X], lead_hours [B], targets, init_hours [B]); all its
            parameters exist.
        samples: What it learns from.
        settings: Optimisation settings.
        learning_rate: Peak learning rate.
        strength_rate: That of the strengths of biases.
        seed: Seed of the order of samples and of dropout.
        services: What saves, records and watches it.

    Attributes:
        step: Optimiser steps that are done.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        samples: Samples,
        settings: TrainConfig,
        learning_rate: float,
        strength_rate: float,
        seed: int,
        services: Services,
    ) -> None:
        self.fabric, self.settings, self.samples = fabric, settings, samples
        self.learning_rate, self.strength_rate = learning_rate, strength_rate
        self.seed, self.services = seed, services
        self.history = services.history
        self.plan = Plan(
            len(samples.train),  # type: ignore[arg-type]
            settings.global_batch_size,
            settings.batch_size,
            seed,
            fabric.global_rank,
            fabric.world_size,
        )
        self.total_steps = settings.epochs * self.plan.steps
        cells = int(samples.mask.sum()) * len(samples.targets)
        self.nominal = settings.global_batch_size * cells  # cells of a step, if all were known
        self.learner = Learner(fabric, network, settings)
        self.mask = fabric.to_device(samples.mask)
        self.step = 0
        self._saved_position: tuple[int, int] | None = None

    def resume(self) -> None:
        """Continue from the newest state that can be read, if there is one.

        Raises:
            AirshedError: There are states, but none can be read.
        """
        path = result_of_first(self.fabric, self.services.checkpoints.newest)
        if path is None:
            return
        content = load_checkpoint(path)
        self.learner.load_state_dict(content)
        self.history.load_state_dict(content["history"])
        self.step = content["step"]
        self._saved_position = self.position

    @property
    def position(self) -> tuple[int, int]:
        """Optimiser steps that are done, and epochs that are validated."""
        return self.step, len(self.history.val_loss)

    def run(self) -> None:
        """Train to the end.

        Raises:
            InterruptedTrainingError: A signal asked to stop; the state is saved.
            AirshedError: The loss is not finite.
        """
        self.history.started(self.fabric.world_size)
        while (epoch := len(self.history.val_loss)) < self.settings.epochs:
            self._train(epoch)
            self._validate(epoch)

    def _train(self, epoch: int) -> None:
        done = self.step - epoch * self.plan.steps
        steps = list(self.plan.epoch(epoch, done))
        dealt = [micro for step in steps for micro in step]
        self.learner.module.train()
        with self._reading(self.samples.train, dealt) as batches:
            for micro_batches in steps:
                started = time.perf_counter()
                total = self._optimizer_step(epoch, micro_batches, batches)
                loss = self._mean(total, "training", epoch)
                self.step += 1
                self._note_step(epoch, loss, time.perf_counter() - started)

    def _optimizer_step(
        self, epoch: int, micro_batches: list[MicroBatch], batches: Iterator[Batch]
    ) -> Tensor:
        """One step on the mean over all known cells of the global batch, however it is dealt.

        The host queues all of it and waits for no result.

        Returns:
            [2] squared errors and known cells, summed over the global batch.
        """
        processes, rank = self.fabric.world_size, self.fabric.global_rank
        totals = torch.zeros(2, dtype=torch.float64, device=self.fabric.device)
        for number, micro in enumerate(micro_batches):
            batch = self._next(batches)
            torch.manual_seed(mixed_seed(self.seed, epoch, self.step, number, rank))
            exchanges = number == len(micro_batches) - 1
            with self.learner.accumulating(more_follows=not exchanges):
                squares, known = self._squares(batch)
                if exchanges:
                    self._beat(EXCHANGING)
                # gradients are averaged over processes: about a mean's size until they are scaled
                self.fabric.backward(squares * (micro.counts * processes / self.nominal))
            totals += micro.counts * torch.stack([squares.detach().double(), known.double()])
        totals = self._summed(totals)
        factor = warmup_cosine(self.step, self.settings.warmup_steps, self.total_steps)
        rates = self.learning_rate * factor, self.strength_rate * factor
        self.learner.step(torch.full_like(totals[1], self.nominal) / totals[1], *rates)
        return totals

    @property
    def strength_reach(self) -> float:
        """How far the strength of a bias can move from the first step to the last, about."""
        return reach(self.strength_rate, self.settings.warmup_steps, self.total_steps)

    def _note_step(self, epoch: int, loss: float, seconds: float) -> None:
        self.history.stepped(loss, seconds)
        self.services.progress.stepped(self.step, epoch, loss, seconds)
        if self.history.row_due(self.step) or self.step % self.plan.steps == 0:
            rate = self.learner.optimizer.param_groups[0]["lr"]
            self.history.add_row(self.step, epoch, rate, numbers(self.learner.network))

    def _validate(self, epoch: int) -> None:
        """Complete an epoch; interrupted, it is repeated from its first sample."""
        samples = self.samples.validation
        dealt = deal(
            range(len(samples)),  # type: ignore[arg-type]
            self.settings.batch_size,
            self.fabric.global_rank,
            self.fabric.world_size,
        )
        self.learner.module.eval()
        totals = torch.zeros(2, dtype=torch.float64, device=self.fabric.device)
        with torch.no_grad(), self._reading(samples, dealt) as batches:
            for micro in dealt:
                squares, known = self._squares(self._next(batches))
                totals += micro.counts * torch.stack([squares.double(), known.double()])
        loss = self._mean(self._summed(totals), "validation", epoch)
        improved = loss < min(self.history.val_loss, default=math.inf)
        self.history.validated(loss)
        self.services.progress.validated(epoch, loss)
        if improved:
            weights = self.learner.weights()
            if self.fabric.is_global_zero:
                self.services.checkpoints.save_best(weights)
        self._save()

    def _squares(self, batch: Batch) -> tuple[Tensor, Tensor]:
        forecast = self.learner.forecast(batch, self.samples.targets)
        return masked_squares(forecast, batch.y, self.mask)

    def _reading(self, samples: Dataset[Any], dealt: list[MicroBatch]) -> closing[Generator[Batch]]:
        """The micro-batches in their order; processes that read them end with the block."""
        loader = DataLoader(
            samples,
            batch_sampler=[micro.indices for micro in dealt],
            **self.samples.reading,
            worker_init_fn=ignore_stop_signals,
            pin_memory=self.fabric.device.type == "cuda",
        )
        return closing(read(loader))

    def _next(self, batches: Iterator[Batch]) -> Batch:
        """The next micro-batch; between two of them the training may be saved or stopped."""
        self._beat("reading samples")
        batch = self.fabric.to_device(next(batches))
        self._save_or_stop()
        self._beat("computing")
        return batch

    def _save_or_stop(self) -> None:
        """Save when the first process says so; save and stop when any process is asked to."""
        stop = self.services.stop
        due = self.fabric.is_global_zero and self.services.checkpoints.due()
        self._beat(WAITING)
        stopping, due = wanted_by_any(self.fabric, [stop.received is not None, due])
        if stopping or due:
            self._save()
        if stopping:
            self.fabric.barrier()  # a process that ends may take a slower one with it
            sender = stop.received or "a signal to another process"
            raise InterruptedTrainingError(f"stopped by {sender} after step {self.step}; saved")

    def _save(self) -> None:
        if self.position == self._saved_position:
            return
        self._saved_position = self.position
        state = self.learner.state_dict()
        if self.fabric.is_global_zero:
            self.history.needed(peak_memory_mb(self.fabric.device))
            state |= {"history": self.history.state_dict(), "step": self.step}
            self.services.checkpoints.save_state(state)

    def _beat(self, doing: str) -> None:
        self.services.watchdog.beat(self.step, doing)

    def _summed(self, values: Tensor) -> Tensor:
        """Sums over all processes."""
        self._beat(WAITING)
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op="sum"))

    def _mean(self, totals: Tensor, which: str, epoch: int) -> float:
        """Squared errors over known cells, once the device has computed them."""
        squares, known = totals.tolist()
        loss = squares / known if known else math.nan
        if not math.isfinite(loss):
            raise AirshedError(
                f"the {which} loss is not finite",
                where=f"epoch {epoch}, step {self.step}",
                found=loss,
                hint="lower train.learning_rate or inspect the data; checkpoints are kept",
            )
        return loss
