"""One optimiser step of a network, as training makes it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def training_step(
    loss: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    accumulate: int,
    clip: float,
    autocast: torch.dtype | None,
    keeps_gradients: bool = False,
) -> Callable[[], None]:
    """A function that makes one step: forward, loss and backward, clipping, update.

    Args:
        loss: Runs the network on a batch.
        optimizer: Holds the network's parameters.
        accumulate: Batches whose gradients are added up.
        clip: Largest norm of the gradient.
        autocast: Precision of products of matrices; None for that of the parameters.
        keeps_gradients: Whether gradients are set to 0 after a step, where they are else set free.
    """
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    device = parameters[0].device.type

    def run() -> None:
        for _ in range(accumulate):
            with torch.autocast(device, autocast, enabled=autocast is not None):
                value = loss()
            torch.autograd.backward(value / accumulate)
        nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=not keeps_gradients)

    return run
