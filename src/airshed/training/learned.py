"""What the biases of a network learn, whatever their parameters are called.

Of a parameter that is one number the value is recorded. Of all others (a table, the layers of a
perceptron) only the size and the root of the mean square are, taken together by the first part of
their name. A name such as ``blocks.0.alpha`` is that in the network, without what all biases
share.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from airshed.training.sharding import whole

BIAS = ".attn.core.bias."  # in the names of what only a biased variant has


class Spread(NamedTuple):
    """How many numbers there are, and the root of the mean of their squares."""

    size: int
    rms: float


class Learned(NamedTuple):
    """What biases have learned at some time.

    Attributes:
        numbers: Each parameter that is one number.
        arrays: All others.
    """

    numbers: dict[str, float]
    arrays: dict[str, Spread]

    def since(self, start: Learned) -> dict[str, Any]:
        """The same beside what there was at the start, as ``run.json`` has it."""
        return {
            "parameters": self.numbers,
            "initial": start.numbers,
            "arrays": {
                name: {"size": size, "initial_rms": start.arrays[name].rms, "final_rms": rms}
                for name, (size, rms) in self.arrays.items()
            },
        }


def learned(network: nn.Module) -> Learned:
    """What the biases have learned; called by all processes of a training."""
    squares: dict[str, list[Tensor]] = {}
    for name, parameter in _parameters(network):
        if not _is_number(name, parameter):
            part = ".".join(name.split(".")[:3])
            squares.setdefault(part, []).append(whole(parameter.detach()).double().square().cpu())
    arrays = {}
    for part, found in squares.items():
        size = sum(values.numel() for values in found)
        mean = sum(float(values.sum()) for values in found) / size
        arrays[part] = Spread(size, mean**0.5)
    return Learned(numbers(network), arrays)


def numbers(network: nn.Module) -> dict[str, float]:
    """Each parameter of a bias that is one number; called by all processes of a training."""
    found = {
        name: whole(parameter.detach()).reshape(())
        for name, parameter in _parameters(network)
        if _is_number(name, parameter)
    }
    values = torch.stack([*found.values()]).tolist() if found else []  # read in one go
    return dict(zip(found, values, strict=True))


def column(name: str) -> str:
    """The column of ``history.csv`` that a number has: ``alpha_block0`` for ``blocks.0.alpha``."""
    _, block, own = name.split(".", 2)
    return f"{own}_block{block}"


def _is_number(name: str, parameter: nn.Parameter) -> bool:
    """Whether it is one number that means something by itself, not a layer of width 1."""
    own = name.split(".", 2)[2]
    return parameter.dim() == 0 or (parameter.numel() == 1 and "." not in own)


def _parameters(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    for name, parameter in network.named_parameters():
        if BIAS in name:
            yield name.replace(BIAS, "."), parameter
