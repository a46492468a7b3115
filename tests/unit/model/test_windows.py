"""Windowed attention against plain loops over pairs of patches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from airshed.model.geography import Fields
from airshed.model.windows import WindowAttention

HEADS, WIDTH, SAMPLES = 2, 3, 2
CASES = {
    "divides": ((4, 8), 4, True),
    "regular": ((4, 8), 4, False),
    "filled up": ((5, 7), 3, True),
    "filled up, regular": ((5, 7), 4, False),
    "one window": ((3, 4), 8, True),
}


def problem(grid: tuple[int, int]) -> tuple[list[Tensor], Fields]:
    """q, k, v in a shuffled order of tokens, each sample's its own."""
    generator = torch.Generator().manual_seed(0)
    tokens = grid[0] * grid[1]
    shape = (3, SAMPLES, HEADS, tokens, WIDTH)
    qkv = torch.randn(shape, generator=generator, dtype=torch.float64)
    calm = torch.zeros(SAMPLES, tokens)
    fields = Fields.in_raster_order(calm, calm, calm, calm)
    shuffled = torch.stack([torch.randperm(tokens, generator=generator) for _ in range(SAMPLES)])
    return [tensor.requires_grad_() for tensor in qkv], fields.permuted(shuffled)


def plain(core: WindowAttention, qkv: list[Tensor], fields: Fields, shifted: bool) -> Tensor:
    """One query, one head and one key at a time."""
    q, k, v = qkv
    rows, columns = core.grid
    sides = [min(core.window[0], rows), min(core.window[1], columns)]
    shifts = [
        side // 2 if shifted and side < size else 0
        for side, size in zip(sides, core.grid, strict=True)
    ]
    out = torch.zeros_like(q)
    for sample in range(SAMPLES):
        place = [divmod(int(patch), columns) for patch in fields.patch[sample]]
        window = [
            tuple((at - shift) // side for at, shift, side in zip(spot, shifts, sides, strict=True))
            for spot in place
        ]
        for head in range(HEADS):
            for i, (row, column) in enumerate(place):
                near = [j for j in range(len(place)) if window[j] == window[i]]
                scores = []
                for j in near:
                    down, across = row - place[j][0], column - place[j][1]
                    entry = (down + sides[0] - 1) * (2 * sides[1] - 1) + across + sides[1] - 1
                    product = q[sample, head, i] @ k[sample, head, j] / math.sqrt(WIDTH)
                    scores.append(product + core.table[head, entry])
                shares = torch.stack(scores).softmax(0)
                out[sample, head, i] = sum(
                    share * v[sample, head, j] for share, j in zip(shares, near, strict=True)
                )
    return out


@pytest.mark.parametrize("case", CASES)
def test_windows_equal_plain_loops(case: str) -> None:
    grid, window, shifted = CASES[case]
    torch.manual_seed(1)
    core = WindowAttention(grid, HEADS, window, shifted).double()
    torch.nn.init.normal_(core.table)
    qkv, fields = problem(grid)
    found, expected = core(*qkv, fields), plain(core, qkv, fields, shifted)
    torch.testing.assert_close(found, expected)
    given = torch.randn(found.shape, dtype=found.dtype)
    wanted = [*qkv, core.table]
    for one, other in zip(
        torch.autograd.grad(found, wanted, given),
        torch.autograd.grad(expected, wanted, given),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_every_second_block_is_shifted() -> None:
    grid = (8, 16)
    regular, shifted = (WindowAttention(grid, HEADS, 4, shifted) for shifted in (False, True))
    assert regular.may_attend.all()
    assert (regular.shift, shifted.shift) == ((0, 0), (2, 2))
    assert not shifted.may_attend.all()


def test_windows_need_to_know_the_patches() -> None:
    qkv, _ = problem((4, 8))
    with pytest.raises(ValueError, match="geography"):
        WindowAttention((4, 8), HEADS, 4, False)(*qkv, None)
