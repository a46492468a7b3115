"""Configuration of training jobs: what each asks for; no result depends on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airshed.config.base import Section
from airshed.config.data import SCORES, Count, Name, Positive
from airshed.config.shapes import Shapes


class JobRequest(Section):
    """What one training asks for.

    Attributes:
        nodes: Machines.
        devices: Devices on each of them, with one process for each device.
        mem_mb: Memory on each machine, MB; doubled with every retry.
        runtime_min: Time limit, minutes; doubled with every retry.
    """

    nodes: Count = 1
    devices: Count = 1
    mem_mb: Count = 4000
    runtime_min: Count = 60

    @property
    def processes(self) -> int:
        """Processes that train together, one for each device."""
        return self.nodes * self.devices


class JobOverrides(Section):
    """Requests of one variant's training in place of those of all others."""

    nodes: Count | None = None
    devices: Count | None = None
    mem_mb: Count | None = None
    runtime_min: Count | None = None


class JobsConfig(JobRequest):
    """What training jobs ask for; no result depends on it, so changing it repeats nothing."""

    checkpoint_every_min: Annotated[Positive, Shapes(used_by=("training", *SCORES))] = 10.0
    keep_states: Annotated[bool, Shapes(used_by=("training",))] = False
    take_over: bool = True
    variants: dict[Name, JobOverrides] = Field(default_factory=dict)

    def request(self, variant: str) -> JobRequest:
        """What the training of ``variant`` asks for."""
        common = {name: getattr(self, name) for name in JobRequest.model_fields}
        own = self.variants.get(variant, JobOverrides()).model_dump(exclude_none=True)
        return JobRequest.model_validate(common | own)
