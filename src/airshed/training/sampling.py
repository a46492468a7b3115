"""Samples in an order that follows from seed and epoch alone, so that a run can resume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler


class ShuffledSamples(Sampler[int]):
    """A permutation of all samples, drawn anew for every epoch.

    ``skip`` samples are left out at the start of the next pass, and of that pass only.
    """

    def __init__(self, samples: int, seed: int) -> None:
        self.samples, self.seed = samples, seed
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; Lightning calls this before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(step_seed(self.seed, self.epoch, 0))
        order = torch.randperm(self.samples, generator=generator).tolist()
        skip, self.skip = self.skip, 0
        yield from order[skip:]


class ResumableLoader(DataLoader[Any]):
    """A loader that knows how many batches it has handed out, and can start after them.

    Lightning stores ``state_dict`` in its checkpoints and gives it back when a run resumes.
    """

    def __init__(self, dataset: Dataset[Any], batch_size: int, seed: int, **options: Any) -> None:
        self.shuffled = ShuffledSamples(len(dataset), seed)  # type: ignore[arg-type]
        super().__init__(dataset, batch_size=batch_size, sampler=self.shuffled, **options)
        self._handed_out = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._handed_out = self.shuffled.skip // (self.batch_size or 1)
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many batches of the current epoch have been handed out."""
        return {"handed_out": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next pass after the batches that were handed out, unless those were all."""
        handed_out = state["handed_out"] % len(self)
        self.shuffled.skip = handed_out * (self.batch_size or 1)


def step_seed(seed: int, epoch: int, batch: int) -> int:
    """A seed for the random numbers of one batch (64 bit, a mixed hash of its arguments)."""
    mixed = 0
    for value in (seed, epoch, batch):
        mixed = (mixed ^ value) * 0x9E3779B97F4A7C15 % 2**64
        mixed ^= mixed >> 31
    return mixed
