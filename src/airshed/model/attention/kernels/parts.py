"""What all kernels are made of."""

from __future__ import annotations

from airshed.model.triton_language import constexpr, jit, tl

LOG2E = 1.4426950408889634
UNIT = constexpr(LOG2E)


@jit
def load(pointer, token, inside, stride, column, WIDTH: constexpr, EVEN: constexpr):
    """Rows of a matrix [tokens, WIDTH]; ``token`` and ``column`` are shaped to broadcast."""
    place = pointer + token * stride + column
    if EVEN:
        return tl.load(place)
    return tl.load(place, mask=inside & (column < WIDTH), other=0.0)


@jit
def store(pointer, token, inside, stride, column, value, WIDTH: constexpr, EVEN: constexpr):
    """Write rows of a matrix, likewise."""
    place = pointer + token * stride + column
    value = value.to(pointer.dtype.element_ty)
    if EVEN:
        tl.store(place, value)
    else:
        tl.store(place, value, mask=inside & (column < WIDTH))


@jit
def product(a1, a2, b1, b2, SPLIT: constexpr, PRECISION: constexpr):
    """Product of two matrices whose inner dimension is in two parts."""
    product = tl.dot(a1, b1, input_precision=PRECISION)
    if SPLIT:
        product = tl.dot(a2, b2, product, input_precision=PRECISION)
    return product


@jit
def tile_place(tile, LINE: constexpr, LINES: constexpr, SIZE: constexpr):
    """Line of a tile, its columns on that line, their tokens, and which of them exist."""
    row, column = 0, tile * SIZE + tl.arange(0, SIZE)
    if LINES > 1:
        tiles: tl.constexpr = tl.cdiv(LINE, SIZE)
        row, column = tile // tiles, (tile % tiles) * SIZE + tl.arange(0, SIZE)
    inside, token = column < LINE, row * LINE + column
    if LINE % SIZE != 0:
        column = tl.minimum(column, LINE - 1)
    return row, column, token, inside


@jit
def features_of(pointer, token, inside, tokens, COUNT: constexpr, EVEN: constexpr):
    """The first two features of some tokens, 0 where the bias has fewer."""
    first = tl.zeros(token.shape, tl.float32)
    second = first
    if COUNT > 0:
        first = tl.load(pointer + token, mask=None if EVEN else inside, other=None if EVEN else 0.0)
    if COUNT > 1:
        place = pointer + tokens + token
        second = tl.load(place, mask=None if EVEN else inside, other=None if EVEN else 0.0)
    return first, second


@jit
def entries_of(
    table, rise, low, high, row, column, TABLE: constexpr, BIN: constexpr, LINE: constexpr
):  # fmt: skip
    """What the table holds for each pair of a tile, whose bins lie between ``low`` and ``high``."""
    entries = 0.0
    if TABLE == "offsets":
        entries = tl.load(table + row * (2 * LINE - 1) + column).to(tl.float32)
    if TABLE == "bins":
        entries = tl.zeros(rise.shape, tl.float32) + tl.load(table + low).to(tl.float32)
        if low < high:  # most tiles hold one bin; to read an entry for each pair takes longer
            for one in range(low + 1, high + 1):
                entries = tl.where(BIN(rise) < one, entries, tl.load(table + one).to(tl.float32))
    return entries


@jit
def bins_between(low, high, TABLE: constexpr, BIN: constexpr):
    """The bins of the lowest and the highest rise of a tile."""
    if TABLE == "bins":
        low, high = BIN(low), BIN(high)
    return low, high


@jit
def extremes_of(feature, inside):
    """The lowest and the highest value of the tokens that exist."""
    lowest = tl.min(tl.where(inside, feature, float("inf")))
    return lowest, tl.max(tl.where(inside, feature, float("-inf")))


@jit
def extremes_at(extremes, tile, tiles, UPHILL: constexpr):
    """The same of a tile, read from [2, tiles]; 0 where no bias asks for it."""
    lowest, highest = 0.0, 0.0
    if UPHILL:
        lowest, highest = tl.load(extremes + tile), tl.load(extremes + tiles + tile)
    return lowest, highest


@jit
def first_above(extremes, tiles, lowest, TILES: constexpr):
    """The first of the tiles of keys in which one lies above ``lowest``."""
    index = tl.arange(0, TILES)
    height = tl.load(extremes + tiles + index, mask=index < tiles, other=float("-inf"))
    return tl.min(tl.where(height > lowest, index, tiles))


@jit
def last_below(extremes, tiles, highest, TILES: constexpr):
    """One more than the last of the tiles of queries in which one lies below ``highest``."""
    index = tl.arange(0, TILES)
    height = tl.load(extremes + index, mask=index < tiles, other=float("inf"))
    return tl.max(tl.where(height < highest, index + 1, 0))
