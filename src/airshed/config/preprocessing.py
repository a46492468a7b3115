"""Configuration of preprocessing: quality, storage, normalisation, and where it runs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airshed.config.base import Count, Positive, Section
from airshed.config.quantities import Limits
from airshed.variables import Variable

Policy = Literal["refuse", "mask"]


class QualityConfig(Section):
    """Quality control of hours, fields and values.

    ``refuse`` stops the run; ``mask`` treats them as missing. Everything is counted in
    ``quality.csv``, nothing is filled in; see docs/data-format.md.
    """

    missing_hours: Policy = "mask"
    """Hours of the period without a file."""
    missing_cells: Policy = "mask"
    """Cells without a value that have one in the first hour."""
    duplicate_hours: Policy = "refuse"
    """Hours that are there twice."""
    constant_fields: Policy = "refuse"
    """Fields that have one value everywhere."""
    implausible_values: Policy = "refuse"
    """Values outside the plausible limits."""
    limits: dict[str, Limits] = Field(default_factory=dict)
    """Smallest and largest plausible value by variable, canonical units, instead of the
    built-in ones."""

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> Self:
        for name, (low, high) in self.limits.items():
            if not low < high:
                raise ValueError(f"limits.{name}: the lower limit {low:g} is not below {high:g}")
        return self

    def bounds(self, variable: Variable) -> tuple[float, float]:
        """Smallest and largest plausible value of an hourly variable, canonical units."""
        low, high = self.limits.get(variable.name, [variable.low, variable.high])
        return low, high


class Moments(Section):
    """Statistics of one variable that the study prescribes; of its logarithm if it has one."""

    mean: float
    """Mean, canonical units."""
    std: Positive
    """Standard deviation, canonical units."""


class NormalisationConfig(Section):
    """How fields are brought to a common scale for the network."""

    log: dict[str, Positive] = Field(default_factory=dict)
    """By variable a scale s, canonical units: log(1 + x / s) takes the place of x."""
    fixed: dict[str, Moments] = Field(default_factory=dict)
    """By variable a mean and standard deviation (of the logarithm, if it has one) instead of
    the training split's."""


class DaskConfig(Section):
    """Where preprocessing runs; no result depends on it, so changing it repeats nothing."""

    cluster: Literal["local", "slurm", "scheduler"] = "local"
    """Where ingest and statistics run: `local`: processes of this machine, as many as the job
    has cores; `slurm`: workers as jobs of their own, by dask-jobqueue; `scheduler`: a dask
    scheduler that runs already, at `address`."""
    address: str | None = None
    """The scheduler's address, such as `tcp://10.0.0.1:8786`."""
    jobs: Count = 4
    """`slurm`: number of worker jobs."""
    cores_per_job: Count = 8
    """Cores that each asks for."""
    memory_per_job_gb: Positive = 16.0
    """Memory that each asks for."""
    runtime_min: Count = 240
    """Time limit of each."""
    queue: str | None = None
    """Partition that each asks for."""
    account: str | None = None
    """Account that each runs on."""

    @model_validator(mode="after")
    def _address_belongs_to_a_scheduler(self) -> Self:
        if (self.address is None) == (self.cluster == "scheduler"):
            raise ValueError("address is given if cluster is 'scheduler', and only then")
        return self


class LoaderConfig(Section):
    """How training reads samples; no result depends on it, so changing it repeats nothing."""

    hold: Literal["auto", "always", "never"] = "auto"
    """Keep the normalised fields in a file beside the hourly store, written once and mapped by
    all processes: `auto`: if it takes at most half of what is free on the disk; see
    docs/data-format.md."""
    start_method: Literal["fork", "spawn", "forkserver"] = "fork"
    """How reader processes start."""
