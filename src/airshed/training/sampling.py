"""Batches whose content follows from seed, epoch and position alone, so that a run can resume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler


class ShuffledBatches(Sampler[list[int]]):
    """Batches of a permutation that is drawn anew for every epoch.

    The last, incomplete batch is kept. ``start`` is the batch at which the next pass begins; later
    passes begin at the first.
    """

    def __init__(self, samples: int, batch_size: int, seed: int, epoch: int = 0) -> None:
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.epoch = epoch
        self.start = 0

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(step_seed(self.seed, self.epoch, 0))
        order = torch.randperm(self.samples, generator=generator).tolist()
        start, self.start = self.start, 0
        for batch in range(start, len(self)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size]


class ResumableLoader(DataLoader[Any]):
    """A loader that knows how many batches it has handed out, and can start after them.

    Lightning stores ``state_dict`` in its checkpoints and gives it back when a run resumes in the
    middle of an epoch.
    """

    def __init__(self, dataset: Any, batches: ShuffledBatches, workers: int) -> None:
        super().__init__(dataset, batch_sampler=batches, num_workers=workers)
        self.batches = batches
        self._handed_out = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._handed_out = self.batches.start
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many batches of the current epoch have been handed out."""
        return {"handed_out": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next pass start after the batches that were handed out."""
        self.batches.start = state["handed_out"]


def step_seed(seed: int, epoch: int, batch: int) -> int:
    """A seed for the random numbers of one batch (64 bit, a mixed hash of its arguments)."""
    mixed = 0
    for value in (seed, epoch, batch):
        mixed = (mixed ^ value) * 0x9E3779B97F4A7C15 % 2**64
        mixed ^= mixed >> 31
    return mixed
