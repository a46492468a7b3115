"""Every bias once more, written from its formula for one pair of patches and one head.

Slow and plain on purpose: scalars, no broadcasting, no code of the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

ROWS, COLUMNS, HEADS = 3, 4, 2
Parameters = Mapping[str, Tensor]
Sample = Mapping[str, Tensor]  # e (m), u, v, s (m/s), each [N]
Pair = Callable[[Parameters, Sample, int, int, int], Tensor]


def unscaled(at: Sample, i: int, j: int, modulated: bool = True) -> Tensor:
    rise = torch.clamp((at["e"][j] - at["e"][i]) / 1000, min=0)
    wind = 1 - 0.3 * torch.sigmoid(torch.minimum(at["s"][i], at["s"][j]) - 5)
    return torch.clamp(-0.5 * rise * (wind if modulated else 1), -10, 0)


def barrier(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    return p["alpha"] * unscaled(at, i, j)


def still_barrier(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    return p["alpha"] * unscaled(at, i, j, modulated=False)


def lookup(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    angle = math.atan2(at["v"].mean().item(), at["u"].mean().item()) % (2 * math.pi)
    sector = math.floor(angle / (2 * math.pi) * 16)
    rise = (at["e"][j] - at["e"][i]).item() / 1000
    rise_bin = math.floor((min(2.0, max(-2.0, rise)) + 2) / 4 * 19)
    factor = 1 + p["alpha"] * (p["table"][sector, rise_bin] - 1)
    return torch.clamp(unscaled(at, i, j) * factor, -10, 10)


def mlp(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    seen = [at["u"][i], at["v"][i], at["e"][i] / 1000, at["u"][j], at["v"][j], at["e"][j] / 1000]
    hidden = torch.stack(seen)
    for layer in range(3):
        name = "first" if layer == 0 else f"others.{layer - 1}"
        weight, offset = p[f"perceptron.{name}.weight"], p[f"perceptron.{name}.bias"]
        hidden = weight @ hidden + offset
        hidden = torch.relu(hidden) if layer < 2 else hidden
    return torch.clamp(unscaled(at, i, j) + p["alpha"] * torch.tanh(hidden[0]), -10, 10)


def place(i: int) -> tuple[int, int]:
    return i // COLUMNS, i % COLUMNS


def relative(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    (row_i, column_i), (row_j, column_j) = place(i), place(j)
    table = p["position.table"]
    return table[head, row_i - row_j + ROWS - 1, column_i - column_j + COLUMNS - 1]


def relative_3d(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    (row_i, column_i), (row_j, column_j) = place(i), place(j)
    largest = max((a - b).abs().item() for a in at["e"] for b in at["e"]) or 1.0
    offset = torch.stack(
        [
            torch.tensor((column_j - column_i) / (COLUMNS - 1), dtype=at["e"].dtype),
            torch.tensor((row_j - row_i) / (ROWS - 1), dtype=at["e"].dtype),
            (at["e"][j] - at["e"][i]) / largest,
        ]
    )
    hidden = torch.relu(p["perceptron.first.weight"] @ offset + p["perceptron.first.bias"])
    return (p["perceptron.others.0.weight"] @ hidden + p["perceptron.others.0.bias"])[head]


def bucket(offset: int, size: int) -> int:
    """32 buckets of an axis: 16 for each sign, 8 of them exact, the others logarithmic."""
    distance, side = abs(offset), 16 if offset > 0 else 0
    if distance < 8:
        return side + distance
    return side + min(15, 8 + int(math.log(distance / 8) / math.log(size / 8) * 8))


def topoflow(p: Parameters, at: Sample, head: int, i: int, j: int) -> Tensor:
    rise = torch.clamp((at["e"][j] - at["e"][i]) / 1000, min=0)
    (row_i, column_i), (row_j, column_j) = place(i), place(j)
    row, column = bucket(row_i - row_j, ROWS), bucket(column_i - column_j, COLUMNS)
    return torch.clamp(-p["alpha"] * rise, -10, 0) + p["position.table"][head, row, column]


PLAIN: dict[str, tuple[dict[str, object], Pair]] = {
    "barrier": ({"kind": "barrier", "alpha_init": 0.2, "wind_modulation": True}, barrier),
    "barrier, strong": ({"kind": "barrier", "alpha_init": -3.0}, barrier),
    "barrier without wind": ({"kind": "barrier", "wind_modulation": False}, still_barrier),
    "barrier_lookup": ({"kind": "barrier_lookup"}, lookup),
    "barrier_mlp": ({"kind": "barrier_mlp"}, mlp),
    "relative_position": ({"kind": "relative_position"}, relative),
    "relative_position_3d": ({"kind": "relative_position_3d"}, relative_3d),
    "topoflow": ({"kind": "topoflow"}, topoflow),
}
"""A stanza of each kind, and the plain version of it."""
WITHOUT_GRADIENT_AT_FIRST = {"barrier_lookup": ["alpha"]}
"""Parameters without a gradient at their initial values, by kind of bias.

While every entry of the lookup table is 1, its weight does not matter.
"""


def stir(parameters: Iterable[Tensor]) -> None:
    """Make tables and weights large enough to matter, and all different; strengths stay."""
    for parameter in parameters:
        if parameter.dim() > 0:
            parameter.data += 0.2 * torch.randn_like(parameter)


def matrix(pair: Pair, parameters: Parameters, samples: list[Sample]) -> Tensor:
    """[B, heads, N, N] of a plain version."""
    tokens = range(ROWS * COLUMNS)
    return torch.stack(
        [
            torch.stack(
                [
                    torch.stack(
                        [
                            torch.stack([pair(parameters, at, head, i, j) for j in tokens])
                            for i in tokens
                        ]
                    )
                    for head in range(HEADS)
                ]
            )
            for at in samples
        ]
    )
