"""Configuration of preprocessing: quality, storage, normalisation, and where it runs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airshed.config.base import Section
from airshed.config.quantities import Limits
from airshed.variables import Variable

Policy = Literal["refuse", "mask"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class QualityConfig(Section):
    """Quality control of hours and values.

    ``refuse`` stops the run; ``mask`` treats the hour or the value as missing. Both count it in the
    quality table. Missing values are never filled in.
    """

    missing_hours: Policy = "mask"
    missing_cells: Policy = "mask"
    duplicate_hours: Policy = "refuse"
    constant_fields: Policy = "refuse"
    implausible_values: Policy = "refuse"
    limits: dict[str, Limits] = Field(default_factory=dict)

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
    std: Positive


class NormalisationConfig(Section):
    """How fields are brought to a common scale for the network.

    ``log`` maps a variable to a scale s in its canonical unit: log(1 + x / s) takes the place of
    x. ``fixed`` gives mean and standard deviation instead of those of the training split.
    """

    log: dict[str, Positive] = Field(default_factory=dict)
    fixed: dict[str, Moments] = Field(default_factory=dict)


class DaskConfig(Section):
    """Where preprocessing runs; no result depends on it, so changing it repeats nothing.

    ``local``: processes on this machine, as many as the job has cores. ``slurm``: workers as jobs
    of their own (dask-jobqueue). ``scheduler``: a dask scheduler that runs already, at ``address``.
    """

    cluster: Literal["local", "slurm", "scheduler"] = "local"
    address: str | None = None
    jobs: Count = 4
    cores_per_job: Count = 8
    memory_per_job_gb: Positive = 16.0
    runtime_min: Count = 240
    queue: str | None = None
    account: str | None = None

    @model_validator(mode="after")
    def _address_belongs_to_a_scheduler(self) -> Self:
        if (self.address is None) == (self.cluster == "scheduler"):
            raise ValueError("address is given if cluster is 'scheduler', and only then")
        return self


class LoaderConfig(Section):
    """How training reads samples; no result depends on it, so changing it repeats nothing.

    ``hold`` caches normalised fields in a file beside the hourly store, which all processes map.
    """

    hold: Literal["auto", "always", "never"] = "auto"
    start_method: Literal["fork", "spawn", "forkserver"] = "fork"
