"""The order in which a training takes samples, for loaders that Lightning's Trainer drives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from airshed.config import Study
from airshed.data.dataset import Batch, ForecastDataset, loader_options
from airshed.training.batches import MicroBatch, Plan, deal


class Dealt(NamedTuple):
    """What one process computes at once.

    Attributes:
        batch: Some samples.
        counts: 0 for a stand-in at the ragged end of an epoch, whose loss does not count; else 1.
    """

    batch: Batch
    counts: int


class MicroBatches(DistributedSampler[MicroBatch]):
    """One process's micro-batches of an epoch, as a training of the workflow deals them.

    Lightning leaves the sampler of a distributed training as it is, and sets its epoch.
    """

    def __init__(self, samples: ForecastDataset, plan: Plan, shuffled: bool) -> None:
        super().__init__(samples, plan.processes, plan.rank)
        self._plan, self._shuffled = plan, shuffled

    def __iter__(self) -> Iterator[MicroBatch]:
        return iter(self._micro_batches())

    def __len__(self) -> int:
        return len(self._micro_batches())

    def _micro_batches(self) -> list[MicroBatch]:
        plan = self._plan
        if self._shuffled:
            return [micro for step in plan.epoch(self.epoch) for micro in step]
        return deal(range(plan.samples), plan.batch_size, plan.rank, plan.processes)


class _ByMicroBatch(Dataset[Dealt]):
    """Samples by the micro-batch."""

    def __init__(self, samples: ForecastDataset) -> None:
        self._samples = samples

    def __getitem__(self, micro: MicroBatch) -> Dealt:
        return Dealt(self._samples.__getitems__(micro.indices), int(micro.counts))


def dealing_loader(
    samples: ForecastDataset,
    study: Study,
    seed: int,
    shuffled: bool,
    workers: int,
    rank: int,
    processes: int,
) -> DataLoader[Dealt]:
    """A loader of the micro-batches of one process."""
    sizes = study.train.global_batch_size, study.train.batch_size
    plan = Plan(len(samples), *sizes, seed, rank, processes)
    sampler = MicroBatches(samples, plan, shuffled)
    options = loader_options(study.loader, workers)
    return DataLoader(_ByMicroBatch(samples), sampler=sampler, batch_size=None, **options)
