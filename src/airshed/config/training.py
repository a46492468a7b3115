"""Configuration of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Section
from airshed.config.data import NETWORKS, Count, Positive
from airshed.config.shapes import Shapes

Precision = Literal["32-true", "bf16-mixed"]

STEP = Shapes("training", "cost", "pace")
"""Settings that shape the weights and change the cost of a step."""
WEIGHTS = Shapes("training", used_by=("cost",))
"""Settings that shape the weights and that a measured step uses at no extra cost."""
MACHINE = Shapes("training", "cost", "pace", used_by=NETWORKS)
WATCHING = Shapes(used_by=("training",))
"""Settings on which no weight depends."""


class TrainConfig(Section):
    """Optimisation (AdamW; linear warm-up, then cosine), and how trainings run.

    ``strength_learning_rate`` is for the strengths of biases; None: that of all other weights.
    """

    epochs: Annotated[Count, Shapes("training", "cost_table")] = 1
    global_batch_size: Annotated[Count, Shapes("training", "cost", "cost_table", "pace")] = 8
    batch_size: Annotated[Count, MACHINE] = 2
    learning_rate: Annotated[Positive, WEIGHTS] = 1.5e-4
    strength_learning_rate: Annotated[Positive | None, Shapes("training")] = None
    weight_decay: Annotated[float, Field(ge=0), WEIGHTS] = 0.01
    warmup_steps: Annotated[int, Field(ge=0), Shapes("training")] = 100
    clip: Annotated[Positive, WEIGHTS] = 1.0
    precision: Annotated[
        Precision, Shapes("training", "cost", "pace", used_by=("interpretation",))
    ] = "32-true"
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], MACHINE] = "auto"
    compile: Annotated[Literal["auto", "always", "never"], STEP] = "auto"
    recompute_blocks: Annotated[bool, MACHINE] = False
    attention: Annotated[
        Literal["auto", "kernel", "kernel_small", "fused", "tiled", "dense"], MACHINE
    ] = "auto"
    threads: Annotated[Count, MACHINE] = 1
    workers: Annotated[int, Field(ge=0), Shapes("pace", used_by=("training", "interpretation"))] = 0
    strategy: Annotated[Literal["ddp", "fsdp"], Shapes("pace", used_by=("training", "cost"))] = (
        "ddp"
    )
    timeout_min: Annotated[Positive, WATCHING] = 30.0
    log_every_steps: Annotated[Count, WATCHING] = 10
    tensorboard: Annotated[bool, WATCHING] = False
    mlflow: Annotated[bool, WATCHING] = False
