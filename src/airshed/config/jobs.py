"""Configuration of training jobs: what each asks for; no result depends on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airshed.config.base import Count, Positive, Section
from airshed.config.data import SCORES, Name
from airshed.config.shapes import Shapes


class JobRequest(Section):
    """What one training asks for."""

    nodes: Count = 1
    """Machines that train one variant together; evaluations take one device."""
    devices: Count = 1
    """Devices on each of them, one process per device."""
    mem_mb: Count = 4000
    """Memory on each machine of a training job, and of its evaluation; doubled with every retry."""
    runtime_min: Count = 60
    """Time limit of a training job, and of its evaluation; doubled with every retry."""

    @property
    def processes(self) -> int:
        """Processes that train together, one for each device."""
        return self.nodes * self.devices


class JobOverrides(Section):
    """Requests of one variant's training in place of those of all others."""

    nodes: Count | None = None
    """Instead of `jobs.nodes`."""
    devices: Count | None = None
    """Instead of `jobs.devices`."""
    mem_mb: Count | None = None
    """Instead of `jobs.mem_mb`."""
    runtime_min: Count | None = None
    """Instead of `jobs.runtime_min`."""


class JobsConfig(JobRequest):
    """What training jobs ask for; no result depends on it, so changing it repeats nothing."""

    checkpoint_every_min: Annotated[Positive, Shapes(used_by=("training", *SCORES))] = 10.0
    """Minutes between checkpoints within an epoch."""
    keep_states: Annotated[bool, Shapes(used_by=("training",))] = False
    """Keep `last.ckpt` and `previous.ckpt`, which a finished training no longer needs, each
    about three times as large as the weights; `best.ckpt`, what is scored, is always kept."""
    take_over: bool = True
    """Take over trainings, and scores, that another study below `results/` has finished with
    the same settings, data and seed (docs/rerunning.md); `false` trains all here."""
    variants: dict[Name, JobOverrides] = Field(default_factory=dict)
    """Other `nodes`, `devices`, `mem_mb` or `runtime_min` for some variants, by their names;
    see docs/cluster.md."""

    def request(self, variant: str) -> JobRequest:
        """What the training of ``variant`` asks for."""
        common = {name: getattr(self, name) for name in JobRequest.model_fields}
        own = self.variants.get(variant, JobOverrides()).model_dump(exclude_none=True)
        return JobRequest.model_validate(common | own)
