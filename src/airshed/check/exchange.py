"""What the processes of a training send each other."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor

from airshed.check.finding import Finding, broken, fine
from airshed.check.training import CheckedTraining, median_seconds
from airshed.training.fabric import wanted_by_any

NETWORK = (
    "look at the network between the machines: NCCL_SOCKET_IFNAME or GLOO_SOCKET_IFNAME in `before`"
    " of site.yaml, NCCL_DEBUG=INFO says more"
)


def exchange(training: CheckedTraining) -> Finding:
    """Sums over all processes, of as many numbers as there are gradients; what one broadcasts."""
    fabric, count = training.fabric, training.processes.count
    if count == 1:
        return fine("one process: nothing is exchanged")
    own = torch.full((training.parameters,), fabric.global_rank + 1.0, device=fabric.device)
    summed = cast(Tensor, fabric.all_reduce(own, reduce_op="sum"))
    word = fabric.broadcast(f"from process {fabric.global_rank}")
    wanted = wanted_by_any(fabric, [fabric.global_rank == count - 1, False])
    if not bool((summed == count * (count + 1) / 2).all()):
        return broken(f"sums over {count} processes are wrong", NETWORK)
    if word != "from process 0" or wanted != [True, False]:
        return broken(f"processes receive '{word}' and {wanted}", NETWORK)
    megabytes = 4e-6 * training.parameters
    return fine(
        f"{count} processes sum {megabytes:.3g} MB of gradients"
        f" in {1e3 * exchange_seconds(training):.3g} ms"
    )


def exchange_seconds(training: CheckedTraining) -> float:
    """How long the gradients take; nothing for one process."""
    if training.processes.count == 1:
        return 0.0
    gradients = torch.zeros(training.parameters, device=training.device)
    return median_seconds(partial(training.fabric.all_reduce, gradients, reduce_op="sum"))
