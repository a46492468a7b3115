"""The training that is checked: its study, its processes, and what they measure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from airshed.bench.measure import seconds
from airshed.bench.variants import network_of
from airshed.config import Study
from airshed.config.training import TrainConfig
from airshed.errors import AirshedError, brief
from airshed.model import Forecaster
from airshed.training.lightning import Fabric
from airshed.training.processes import Processes

Value = TypeVar("Value")
ROUNDS = 3
PROBES = ".airshed-check"


@dataclass(frozen=True)
class CheckedTraining:
    """What every check is given.

    Attributes:
        study: The study, as its variant is trained.
        variant: Name of the variant.
        processes: Which processes train together.
        fabric: Connects them.
        results: The folder of all studies.
    """

    study: Study
    variant: str
    processes: Processes
    fabric: Fabric
    results: Path

    @property
    def settings(self) -> TrainConfig:
        """How it is trained."""
        return self.study.train

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self.fabric.device

    @property
    def parts(self) -> int:
        """Micro-batches of an optimiser step in each process."""
        at_once = self.settings.batch_size * self.processes.count
        return math.ceil(self.settings.global_batch_size / at_once)

    @property
    def probes(self) -> Path:
        """Folder for files that are tried out, on the file system of the results."""
        return self.results / PROBES

    @cached_property
    def network(self) -> Forecaster:
        """The network on its device, with random terrain."""
        return network_of(self.study, self.variant, None)

    @cached_property
    def parameters(self) -> int:
        """How many numbers it learns, also where its own attention path does not work."""
        anywhere = self.settings.model_copy(update={"attention": "tiled"})
        network = network_of(self.study.model_copy(update={"train": anywhere}), self.variant, None)
        return sum(parameter.numel() for parameter in network.parameters())

    def gathered(self, value: Value) -> list[Value]:
        """The values of every process, in all processes."""
        if self.processes.count == 1:
            return [value]
        everywhere: list[Any] = [None] * self.processes.count
        torch.distributed.all_gather_object(everywhere, value)
        return everywhere

    def together(self, work: Callable[[], Value]) -> list[Value]:
        """What every process finds, in all processes; an error that one meets is raised in all."""
        found: Value | Exception
        try:
            found = work()
        except AirshedError as error:
            found = error
        except Exception as error:  # which another process need not be able to read
            found = RuntimeError(brief(error))
        everywhere = self.gathered(found)
        for each in everywhere:
            if isinstance(each, Exception):
                raise each
        return cast("list[Value]", everywhere)


def median_seconds(work: Callable[[], object]) -> float:
    """How long something takes once it has been done before."""
    work()
    return statistics.median(seconds(work) for _ in range(ROUNDS))
