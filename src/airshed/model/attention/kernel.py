"""Biased attention by the project's own Triton kernels, as operators that a compiler can trace.

The operators know a bias by the name of its class alone: its tile function is compiled into the
kernels. What the bias learns comes in as two tensors, a strength and a table, and their gradients
go out the same way; how a bias makes them of its parameters is left to autograd.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from airshed.model import bias as biases
from airshed.model.attention import kernels
from airshed.model.bias import Bias
from airshed.model.bias.tile import Shape, Shapes, Tile

BINS = 32  # entries of a table without places; a power of 2


def kernel_attention(
    q: Tensor, k: Tensor, v: Tensor, features: Tensor, bias: Bias, small: bool = False
) -> Tensor:
    """Softmax of scores plus bias, times values.

    Args:
        q: [B, H, N, d], float32 or bfloat16.
        k: [B, H, N, d].
        v: [B, H, N, d].
        features: [B, F, N] of the bias, float32.
        bias: What is added to the scores; it has a tile function.
        small: Whether to take tiles that fit on any GPU.
    """
    strength, table = bias.learned(features)
    features, table = features.contiguous(), table.contiguous()
    line = bias.layout.columns if TILES[type(bias).__name__].places else q.shape[2]
    out: Tensor = attend(q, k, v, features, strength, table, type(bias).__name__, line, small)[0]
    return out


NO_BIAS = "none"
TILES: dict[str, Tile] = {NO_BIAS: Tile(None, features=0)} | {
    cls.__name__: cls.tile_function for cls in biases.KINDS.values() if cls.tile_function
}


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same without a bias."""
    nothing = q.new_zeros((1, 1, 1), dtype=torch.float32)
    out: Tensor = attend(q, k, v, nothing, nothing[0, 0, 0], nothing, NO_BIAS, q.shape[2], False)[0]
    return out


class _Case(NamedTuple):
    """Arguments that all kernels share."""

    samples: int
    heads: int
    tokens: int
    line: int
    lines: int
    tensors: tuple[Tensor, ...]
    strides: tuple[int, ...]
    constants: dict[str, Any]

    def sizes(self) -> tuple[int | float, ...]:
        width = self.constants["WIDTH"]
        return (self.heads, self.tokens, kernels.LOG2E * width**-0.5)

    def tiles(self, size: int) -> int:
        """Tiles of that many tokens in all."""
        return self.lines * -(-self.line // size)

    def shaped(self, shape: Shape, over: int) -> dict[str, Any]:
        """Constants of a kernel of that shape whose inner loop goes over tiles of ``over``."""
        whole = self.constants["D1"] + self.constants["D2"] == self.constants["WIDTH"]
        whole |= self.constants["D1"] == self.constants["WIDTH"]
        even = whole and self.line % shape.queries == 0 and self.line % shape.keys == 0
        return self.constants | shape.launch | {
            "QUERIES": shape.queries,
            "KEYS": shape.keys,
            "TILES": power_of_2(self.tiles(over)),
            "EVEN": even,
        }  # fmt: skip


def parts_of(width: int) -> tuple[int, int]:
    """Columns of the two parts of a head, D1 and D2; the second is not used if the first is all.

    A product of matrices takes 16 columns or more, so that those of a narrower head are filled up.
    """
    first = max(16, 1 << (width.bit_length() - 1))
    return first, max(16, power_of_2(width - first)) if width > first else 16


def power_of_2(number: int) -> int:
    """The smallest power of 2 that is not below a number."""
    return 1 << (number - 1).bit_length()


def _case(
    q: Tensor, k: Tensor, v: Tensor, features: Tensor, strength: Tensor, table: Tensor,
    kind: str, line: int, small: bool,
) -> tuple[_Case, Shapes]:  # fmt: skip
    samples, heads, tokens, width = q.shape
    tile = TILES[kind]
    q, k, v = _alike(q, k, v)
    first, rest = parts_of(width)
    strides = (*q.stride()[:3], tokens * width * heads, width, heads * width, features.stride(0))
    spread = [
        0 if size == 1 else step for size, step in zip(table.shape, table.stride(), strict=True)
    ]
    constants = {
        "TILE": tile.function, "UPHILL": tile.uphill, "FEATURES": tile.features, "WIDTH": width,
        "D1": first, "D2": rest, "PRECISION": _precision(q), "LINE": line, "LINES": tokens // line,
        "TABLE": tile.table, "BIN": tile.bin,
    }  # fmt: skip
    case = _Case(
        samples, heads, tokens, line, tokens // line,
        (q, k, v, features, strength, _entries(q, table)), (*strides, *spread[:2]),
        constants,
    )  # fmt: skip
    return case, tile.shapes_for(q, small)


def _alike(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same with equal strides, the last one 1."""
    if q.stride() == k.stride() == v.stride() and q.stride(-1) == 1:
        return q, k, v
    return q.contiguous(), k.contiguous(), v.contiguous()


def _precision(q: Tensor) -> str:
    """How float32 is multiplied: on NVIDIA by three products of its matrix units."""
    cuda = q.is_cuda and torch.version.hip is None
    return "tf32x3" if cuda and q.dtype == torch.float32 else "ieee"


def _entries(q: Tensor, table: Tensor) -> Tensor:
    """A table as the kernels read it: for half precision in 16 bits.

    Triton copies reads of 32 bits and more ahead into shared memory, one by one, which for
    scattered entries costs more than the product of matrices beside it.
    """
    return table if q.dtype == torch.float32 else table.half()


def _like_tokens(q: Tensor) -> Tensor:
    """An empty [B, H, N, d] that lies in memory as [B, N, H, d], as the projection wants it."""
    samples, heads, tokens, width = q.shape
    return q.new_empty(samples, tokens, heads, width).transpose(1, 2)


def _extremes(case: _Case, size: int) -> Tensor:
    """Lowest and highest first feature [B, 2, tiles] of each tile of tokens; none if not asked."""
    heights, missing = case.tensors[3][:, :1], -case.tokens % size
    if not case.constants["UPHILL"]:
        return heights
    if missing:
        heights = torch.cat([heights, heights[..., -1:].expand(-1, -1, missing)], dim=2)
    tiles = heights.reshape(case.samples, -1, size)
    return torch.stack(tiles.aminmax(dim=2), dim=1)


@torch.library.custom_op("airshed::attend", mutates_args=())
def attend(
    q: Tensor, k: Tensor, v: Tensor, features: Tensor, strength: Tensor, table: Tensor,
    kind: str, line: int, small: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Attention [B, H, N, d] and log2 [B, H, N] of the sums of its exponentials.

    Args:
        q: [B, H, N, d].
        k: [B, H, N, d].
        v: [B, H, N, d].
        features: [B, F, N] of the bias, float32, contiguous.
        strength: [] of the bias.
        table: [B or 1, H or 1, entries] of the bias, contiguous.
        kind: Class of the bias.
        line: Tokens on a line, which divide N.
        small: Whether to take tiles that fit on any GPU.
    """
    case, shapes = _case(q, k, v, features, strength, table, kind, line, small)
    shape = shapes.forward
    out, lse = _like_tokens(q), q.new_empty(q.shape[:3], dtype=torch.float32)
    kernels.forward[case.tiles(shape.queries), case.samples * case.heads](
        *case.tensors, _extremes(case, shape.keys), out, lse, *case.strides, *case.sizes(),
        **case.shaped(shape, shape.keys),
    )  # fmt: skip
    return out, lse


@torch.library.custom_op("airshed::attend_backward", mutates_args=())
def attend_backward(
    dout: Tensor, out: Tensor, lse: Tensor, q: Tensor, k: Tensor, v: Tensor, features: Tensor,
    strength: Tensor, table: Tensor,
    kind: str, line: int, small: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of q, k, v, strength and table; arguments as those of :func:`attend`."""
    case, shapes = _case(q, k, v, features, strength, table, kind, line, small)
    programs, kind_of_table = case.samples * case.heads, case.constants["TABLE"]
    delta, dq, dk, dv = torch.empty_like(lse), *(_like_tokens(q) for _ in "qkv")
    dout = dq.copy_(dout) if dout.stride() != dq.stride() else dout
    if dout is dq:
        dq = _like_tokens(q)

    shape = shapes.queries
    tiles = case.tiles(shape.queries)
    dstrength = lse.new_empty(programs, tiles)
    dbins = lse.new_empty((programs, tiles, BINS) if kind_of_table == "bins" else 0)
    kernels.backward_queries[tiles, programs](
        *case.tensors, _extremes(case, shape.keys), out, lse, dout, delta, dq, dstrength, dbins,
        *case.strides, *case.sizes(), BINS=BINS,
        **case.shaped(shape, shape.keys),
    )  # fmt: skip

    shape = shapes.keys
    tiles = case.tiles(shape.keys)
    pairs = (programs, tiles, case.tiles(shape.queries), 2 * shape.keys)
    offsets = lse.new_empty(pairs if kind_of_table == "offsets" else 0)
    kernels.backward_keys[tiles, programs](
        *case.tensors, _extremes(case, shape.queries), lse, dout, delta, dk, dv, offsets,
        *case.strides, *case.sizes(), **case.shaped(shape, shape.queries),
    )  # fmt: skip
    dtable = _table_gradient(case, shape, table, dbins, offsets)
    return dq, dk, dv, dstrength.sum(), dtable


def _table_gradient(
    case: _Case, shape: Shape, table: Tensor, dbins: Tensor, offsets: Tensor
) -> Tensor:
    if dbins.numel():
        sums = dbins.view(case.samples, -1, BINS).sum(1)[:, None, : table.shape[2]]
        return sums.contiguous()
    dtable = torch.zeros_like(table)
    if offsets.numel():
        rows, columns = 2 * case.lines - 1, 2 * case.line - 1
        blocks = -(-columns // shape.keys)
        kernels.sum_offsets[rows, case.heads, blocks](
            offsets, dtable, case.samples, case.heads, LINE=case.line, LINES=case.lines,
            QUERIES=shape.queries, KEYS=shape.keys,
        )  # fmt: skip
    return dtable


@attend.register_fake
def _(q: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return _like_tokens(q), q.new_empty(q.shape[:3], dtype=torch.float32)


@attend_backward.register_fake
def _(dout: Tensor, out: Tensor, lse: Tensor, q: Tensor, *others: Any) -> tuple[Tensor, ...]:
    strength, table = others[3], others[4]
    return (*(_like_tokens(q) for _ in "qkv"), torch.empty_like(strength), torch.empty_like(table))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.kind, ctx.line, ctx.small = inputs
    ctx.save_for_backward(*output, *tensors)


def _backward(ctx: Any, dout: Tensor, _: Tensor) -> tuple[Any, ...]:
    dq, dk, dv, dstrength, dtable = attend_backward(
        dout, *ctx.saved_tensors, ctx.kind, ctx.line, ctx.small
    )
    return dq, dk, dv, None, dstrength, dtable, None, None, None


attend.register_autograd(_backward, setup_context=_keep)
