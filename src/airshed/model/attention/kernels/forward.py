"""The forward pass: a program holds a tile of queries and goes over the keys."""

from __future__ import annotations

from airshed.model.attention.kernels.parts import (
    UNIT,
    bins_between,
    entries_of,
    extremes_at,
    extremes_of,
    features_of,
    first_above,
    load,
    product,
    store,
    tile_place,
)
from airshed.model.triton_language import constexpr, jit, tl


@jit
def _add_keys(
    state, first, last, q1, q2, query0, query1, lowest, highest, row, column, k, v, features,
    extremes, strength, table, stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, UPHILL: constexpr,
    TABLE: constexpr, BIN: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr,
    D2: constexpr, KEYS: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Let some queries attend to the tiles first ... last - 1 of keys, after Dao's algorithm 1."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    top, total, out1, out2 = state
    for tile in range(first, last):
        key_row, key_column, token, inside = tile_place(tile, LINE, LINES, KEYS)
        k1 = load(k, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        k2 = k1
        if D1 < WIDTH:
            k2 = load(k, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
        scores = product(q1, q2, k1, k2, D1 < WIDTH, PRECISION) * scale
        if BIASED:
            key0, key1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
            low, high = extremes_at(extremes, tile, LINES * tl.cdiv(LINE, KEYS), UPHILL)
            low, high = bins_between(low - highest, high - lowest, TABLE, BIN)
            rise = key0[None, :] - query0[:, None]
            entry = entries_of(
                table, rise, low, high, row - key_row + LINES - 1,
                column[:, None] - key_column[None, :] + LINE - 1, TABLE, BIN, LINE,
            )  # fmt: skip
            added, _, _ = TILE(
                query0[:, None], query1[:, None], key0[None, :], key1[None, :], strength, entry,
                UNIT,
            )  # fmt: skip
            scores += added
        if LINE % KEYS != 0:
            scores = tl.where(inside[None, :], scores, float("-inf"))
        now = tl.maximum(top, tl.max(scores, 1))
        weights = tl.exp2(scores - now[:, None])
        shrink = tl.exp2(top - now)
        total = total * shrink + tl.sum(weights, 1)
        v1 = load(v, token[:, None], inside[:, None], stride, part1[None, :], WIDTH, EVEN)
        weights = weights.to(v1.dtype)
        out1 = tl.dot(weights, v1, out1 * shrink[:, None], input_precision=PRECISION)
        if D1 < WIDTH:
            v2 = load(v, token[:, None], inside[:, None], stride, part2[None, :], WIDTH, EVEN)
            out2 = tl.dot(weights, v2, out2 * shrink[:, None], input_precision=PRECISION)
        top = now
    return top, total, out1, out2


@jit
def forward(
    q, k, v, features, strength, table, extremes, out, lse,
    in_sample, in_head, in_token, out_sample, out_head, out_token, of_features, table_sample,
    table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, TABLE: constexpr,
    BIN: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr, D2: constexpr,
    QUERIES: constexpr, KEYS: constexpr, TILES: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Output of one tile of queries of one head of one sample, and log2 of its sums.

    ``extremes`` [B, 2, tiles] are the first feature's lowest and highest value in each tile of
    keys: for a bias that is 0 for keys not higher than the query, the tiles before the first higher
    one need none.
    """
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    row, column, token, inside = tile_place(tl.program_id(0), LINE, LINES, QUERIES)
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    q1 = load(q + into, token[:, None], inside[:, None], in_token, part1[None, :], WIDTH, EVEN)
    q2 = q1
    if D1 < WIDTH:
        q2 = load(q + into, token[:, None], inside[:, None], in_token, part2[None, :], WIDTH, EVEN)
    features += sample * of_features
    query0, query1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = LINES * tl.cdiv(LINE, KEYS)
    extremes += sample * 2 * tiles
    biased_from, lowest, highest = 0, 0.0, 0.0
    if UPHILL:
        lowest, highest = extremes_of(query0, inside)
        biased_from = first_above(extremes, tiles, lowest, TILES)
    state = (
        tl.full([QUERIES], float("-inf"), tl.float32), tl.zeros([QUERIES], tl.float32),
        tl.zeros([QUERIES, D1], tl.float32), tl.zeros([QUERIES, D2], tl.float32),
    )  # fmt: skip
    if UPHILL:
        state = _add_keys(
            state, 0, biased_from, q1, q2, query0, query1, lowest, highest, row, column, k + into,
            v + into, features, extremes, alpha, table, in_token, tokens, scale,
            TILE, LINE, LINES, False, UPHILL, TABLE, BIN, FEATURES, WIDTH, D1, D2, KEYS, EVEN,
            PRECISION,
        )  # fmt: skip
    top, total, out1, out2 = _add_keys(
        state, biased_from, tiles, q1, q2, query0, query1, lowest, highest, row, column, k + into,
        v + into, features, extremes, alpha, table, in_token, tokens, scale,
        TILE, LINE, LINES, TILE is not None, UPHILL, TABLE, BIN, FEATURES, WIDTH, D1, D2, KEYS,
        EVEN, PRECISION,
    )  # fmt: skip
    onto = out + sample.to(tl.int64) * out_sample + head * out_head
    where = token[:, None]
    out1 /= total[:, None]
    store(onto, where, inside[:, None], out_token, part1[None, :], out1, WIDTH, EVEN)
    if D1 < WIDTH:
        out2 /= total[:, None]
        store(onto, where, inside[:, None], out_token, part2[None, :], out2, WIDTH, EVEN)
    sums = top + tl.log2(total)
    tl.store(lse + tl.program_id(1) * tokens + token, sums, mask=None if EVEN else inside)
