"""The loss, the optimizer, and the schedule of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """The optimizer of a network that lies on its device."""
    parameters = list(network.parameters())
    # two groups: under FSDP strengths are not sharded, and they have a learning rate of their own
    strengths = [parameter for parameter in parameters if are_strengths([parameter])]
    others = [parameter for parameter in parameters if not are_strengths([parameter])]
    return torch.optim.AdamW(
        [{"params": group} for group in (others, strengths) if group],
        lr=learning_rate,
        weight_decay=weight_decay,
        fused=others[0].device.type == "cuda" or None,  # one kernel for many weights
    )


def are_strengths(parameters: Sequence[nn.Parameter]) -> bool:
    """Whether these are strengths of biases: nothing else in a network has no dimensions."""
    return all(parameter.dim() == 0 for parameter in parameters)


def reach(learning_rate: float, warmup_steps: int, total_steps: int) -> float:
    """How far a parameter can move in a training, about: the sum of its learning rates.

    A step of Adam is about the learning rate if gradients have one sign, and less if they change
    it; a gradient that grows allows for more.
    """
    steps = range(total_steps)
    return learning_rate * sum(warmup_cosine(step, warmup_steps, total_steps) for step in steps)


def masked_squares(forecast: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of squared errors over the cells of the domain whose target is known, and their number.

    Both are sums, so that micro-batches and processes with different numbers of known cells add up
    to the mean squared error of all of them together.

    Args:
        forecast: [B, V, Y, X], normalised.
        target: [B, V, Y, X], normalised, NaN where it is not known.
        mask: bool [Y, X], True inside the domain.

    Returns:
        The sum, differentiable, and the number of cells, both without dimensions.
    """
    known = mask & target.isfinite()
    return (forecast - target).where(known, 0).square().sum(), known.sum()


def warmup_cosine(step: int, warmup_steps: int, total_steps: int) -> float:
    """Factor of the learning rate: linear from 0 to 1, then half a cosine down to 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
