"""Which samples an optimiser step takes, and how they are dealt to processes and micro-batches.

Everything follows from seed, epoch, step and rank, so that a run resumes at any step, and the
samples of a step are the same whatever the number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from airshed.errors import AirshedError


class MicroBatch(NamedTuple):
    """What one process computes at once.

    Attributes:
        indices: Positions of the samples in their dataset.
        counts: False for a stand-in: a process without samples of its own at the ragged end
            computes another's first one and weights it by zero, so that no process waits for it.
    """

    indices: list[int]
    counts: bool


@dataclass(frozen=True)
class Plan:
    """The optimiser steps of an epoch, for one of several processes.

    The last step of an epoch takes the samples that are left: none is dropped, none is taken twice.

    Attributes:
        samples: Samples of an epoch.
        global_batch_size: Samples of an optimiser step, all processes together.
        batch_size: At most so many samples at once in one process.
        seed: Seed of the run.
        rank: Number of this process.
        processes: How many there are.
    """

    samples: int
    global_batch_size: int
    batch_size: int
    seed: int
    rank: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if self.global_batch_size % self.processes:
            fitting = [n for n in range(1, self.global_batch_size + 1) if self._fits(n)]
            raise AirshedError(
                "the global batch cannot be shared equally by the devices",
                where="train.global_batch_size",
                expected=f"a multiple of the number of devices, {self.processes}",
                found=self.global_batch_size,
                hint=f"use {', '.join(map(str, fitting))} devices in all, or another global batch",
            )

    def _fits(self, processes: int) -> bool:
        return self.global_batch_size % processes == 0

    @property
    def steps(self) -> int:
        """Optimiser steps of an epoch."""
        return math.ceil(self.samples / self.global_batch_size)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[list[MicroBatch]]:
        """This process's micro-batches of each step of an epoch, from ``first_step`` on."""
        order = permutation(self.samples, self.seed, epoch)
        for start in range(
            first_step * self.global_batch_size, self.samples, self.global_batch_size
        ):
            taken = order[start : start + self.global_batch_size]
            yield deal(taken, self.batch_size, self.rank, self.processes)


def deal(samples: Sequence[int], batch_size: int, rank: int, processes: int) -> list[MicroBatch]:
    """Deal samples like cards: one to each process in turn, ``batch_size`` to each per round.

    All processes get the same number of micro-batches, and the k-th ones of all processes together
    are the k-th of one process with the batch size of all.
    """
    dealt = []
    for start in range(0, len(samples), batch_size * processes):
        across = samples[start : start + batch_size * processes]
        own = list(across[rank::processes])
        dealt.append(MicroBatch(own or [samples[0]], bool(own)))
    return dealt


def permutation(samples: int, seed: int, epoch: int) -> list[int]:
    """The order of all samples in an epoch."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, epoch))
    return torch.randperm(samples, generator=generator).tolist()


def mixed_seed(*values: int) -> int:
    """A seed for the random numbers of one purpose (64 bit, a mixed hash of its arguments)."""
    mixed = 0
    for value in values:
        mixed = (mixed ^ value) * 0x9E3779B97F4A7C15 % 2**64
        mixed ^= mixed >> 31
    return mixed
