"""Configuration of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airshed.config.base import Count, Positive, Section
from airshed.config.data import NETWORKS
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
    """Optimisation (AdamW; linear warm-up, then cosine) and all else that shapes a result."""

    epochs: Annotated[Count, Shapes("training", "cost_table")] = 1
    """Passes over the training split."""
    global_batch_size: Annotated[Count, Shapes("training", "cost", "cost_table", "pace")] = 8
    """Samples per optimiser step, whatever the number of devices; it must be a multiple of that
    number."""
    batch_size: Annotated[Count, MACHINE] = 2
    """At most this many samples at once on one device; gradients are accumulated until the
    global batch is complete."""
    learning_rate: Annotated[Positive, WEIGHTS] = 1.5e-4
    """Peak learning rate of AdamW."""
    strength_learning_rate: Annotated[Positive | None, Shapes("training")] = None
    """Peak learning rate of the strengths of biases (alpha), which can move in a training by
    about the sum of their rates; `null`: that of all weights."""
    weight_decay: Annotated[float, Field(ge=0), WEIGHTS] = 0.01
    """Weight decay of AdamW."""
    warmup_steps: Annotated[int, Field(ge=0), Shapes("training")] = 100
    """Optimiser steps of linear warm-up; a cosine follows."""
    clip: Annotated[Positive, WEIGHTS] = 1.0
    """Gradients are clipped to this norm."""
    precision: Annotated[
        Precision, Shapes("training", "cost", "pace", used_by=("interpretation",))
    ] = "32-true"
    """`32-true`, or `bf16-mixed`: activations in bfloat16, weights in single precision."""
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], MACHINE] = "auto"
    """The device of trainings and evaluations; `auto`: a GPU where there is one."""
    compile: Annotated[Literal["auto", "always", "never"], STEP] = "auto"
    """`torch.compile` for the blocks; `auto`: on a GPU, and on a CPU from 2048 tokens."""
    recompute_blocks: Annotated[bool, MACHINE] = False
    """Compute blocks again in the backward pass (gradient checkpointing): about a third slower,
    and memory for one block instead of all."""
    attention: Annotated[
        Literal["auto", "kernel", "kernel_small", "fused", "tiled", "tiled_bfloat16", "dense"],
        MACHINE,
    ] = "auto"
    """How attention with a bias is computed: `auto` takes the fastest path that is exact, on a
    GPU as measured there (docs/gpu.md); every other word pins one. It changes results by
    rounding alone."""
    threads: Annotated[Count, MACHINE] = 1
    """CPU threads; part of what makes a run repeatable."""
    workers: Annotated[int, Field(ge=0), Shapes("pace", used_by=("training", "interpretation"))] = 0
    """Processes that read samples; 0: the training process reads them itself."""
    strategy: Annotated[Literal["ddp", "fsdp"], Shapes("pace", used_by=("training", "cost"))] = (
        "ddp"
    )
    """On several devices: `ddp` (every device holds all weights) or `fsdp` (each holds a part);
    see docs/training.md."""
    timeout_min: Annotated[Positive, WATCHING] = 30.0
    """Minutes without progress after which a training counts as hung and ends with an error."""
    log_every_steps: Annotated[Count, WATCHING] = 10
    """Steps between rows of `history.csv`."""
    tensorboard: Annotated[bool, WATCHING] = False
    """Also write TensorBoard events to `tensorboard/` beside `run.json` (needs the package
    `tensorboard`)."""
    mlflow: Annotated[bool, WATCHING] = False
    """Also note each training as a run of MLflow, with its seed, settings, losses and, after
    the comparison, verdict, in a store of files, `results/<study>/mlruns` (needs the package
    `mlflow` or `mlflow-skinny`)."""
