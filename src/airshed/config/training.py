"""Configuration of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Section
from airshed.config.data import Count, Positive

Precision = Literal["32-true", "bf16-mixed"]

WITHOUT_INFLUENCE = ("workers", "strategy", "timeout_min", "log_every_steps", "tensorboard")
"""Keys on which no weight depends: a run is not repeated when they change."""


class TrainConfig(Section):
    """Optimisation (AdamW; linear warm-up, then cosine) and all else that shapes a result."""

    epochs: Count = 1
    global_batch_size: Count = 8
    batch_size: Count = 2
    learning_rate: Positive = 1.5e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    clip: Positive = 1.0
    precision: Precision = "32-true"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    compile: Literal["auto", "always", "never"] = "auto"
    recompute_blocks: bool = False
    attention: Literal["auto", "kernel", "kernel_small", "fused", "tiled", "dense"] = "auto"
    threads: Count = 1
    workers: Annotated[int, Field(ge=0)] = 0
    strategy: Literal["ddp", "fsdp"] = "ddp"
    timeout_min: Positive = 30.0
    log_every_steps: Count = 10
    tensorboard: bool = False
