"""Gradients of keys, values and a table of offsets: a program holds a tile of keys."""

from __future__ import annotations

from airshed.model.attention.kernels.parts import (
    UNIT,
    bins_between,
    entries_of,
    extremes_at,
    extremes_of,
    features_of,
    last_below,
    load,
    product,
    store,
    tile_place,
)
from airshed.model.triton_language import constexpr, jit, tl


@jit
def _sum_diagonals(offsets, grad, KEYS: constexpr, QUERIES: constexpr):
    """Sums of ``grad`` [KEYS, QUERIES] over equal key - query: [-KEYS ... KEYS - 1], stored.

    Rotating each column down by its own number puts a diagonal into a row; KEYS >= QUERIES.
    """
    key, query = tl.arange(0, KEYS)[:, None], tl.arange(0, QUERIES)[None, :]
    rotated = tl.gather(grad, (key + query) % KEYS, 0)
    whole = key + query < KEYS
    index = tl.arange(0, KEYS)
    tl.store(offsets + KEYS + index, tl.sum(tl.where(whole, rotated, 0.0), 1))
    tl.store(offsets + index, tl.sum(tl.where(whole, 0.0, rotated), 1))


@jit
def _gather_keys(
    grads, first, last, k1, k2, v1, v2, key0, key1, lowest, highest, row, column, there, q, dout,
    lse, delta, features, extremes, strength, table, offsets, stride, out_stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, UPHILL: constexpr,
    TABLE: constexpr, BIN: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr,
    D2: constexpr, QUERIES: constexpr, KEYS: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Add what the tiles first ... last - 1 of queries give to the gradients of some keys."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    dk1, dk2, dv1, dv2 = grads
    for tile in range(first, last):
        query_row, query_column, token, inside = tile_place(tile, LINE, LINES, QUERIES)
        q1 = load(q, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        do1 = load(dout, token[:, None], inside[:, None], out_stride, part1[None, :], WIDTH, EVEN)
        q2, do2 = q1, do1
        if D1 < WIDTH:
            q2 = load(q, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
            do2 = load(
                dout, token[:, None], inside[:, None], out_stride, part2[None, :], WIDTH, EVEN
            )
        mask = None if EVEN else inside
        sums = tl.load(lse + token, mask=mask, other=None if EVEN else float("inf"))
        dot = tl.load(delta + token, mask=mask, other=None if EVEN else 0.0)
        scores = product(k1, k2, q1, q2, D1 < WIDTH, PRECISION)
        base = -sums[None, :]
        if BIASED:
            query0, query1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
            low, high = extremes_at(extremes, tile, LINES * tl.cdiv(LINE, QUERIES), UPHILL)
            low, high = bins_between(lowest - high, highest - low, TABLE, BIN)
            entry = entries_of(
                table, key0[:, None] - query0[None, :], low, high, query_row - row + LINES - 1,
                query_column[None, :] - column[:, None] + LINE - 1, TABLE, BIN, LINE,
            )  # fmt: skip
            added, _, _ = TILE(
                query0[None, :], query1[None, :], key0[:, None], key1[:, None], strength, entry,
                UNIT,
            )  # fmt: skip
            base += added
        weights = tl.exp2(scores * scale + base)
        if not EVEN:
            weights = tl.where(there, weights, 0.0)
        dv1 = tl.dot(weights.to(do1.dtype), do1, dv1, input_precision=PRECISION)
        if D1 < WIDTH:
            dv2 = tl.dot(weights.to(do1.dtype), do2, dv2, input_precision=PRECISION)
        dweights = product(v1, v2, tl.trans(do1), tl.trans(do2), D1 < WIDTH, PRECISION)
        dscores = weights * (dweights - dot[None, :])
        if TABLE == "offsets":
            _sum_diagonals(offsets + tile * (2 * KEYS), dscores, KEYS, QUERIES)
        dscores = dscores.to(q1.dtype)
        dk1 = tl.dot(dscores, tl.trans(q1), dk1, input_precision=PRECISION)
        if D1 < WIDTH:
            dk2 = tl.dot(dscores, tl.trans(q2), dk2, input_precision=PRECISION)
    return dk1, dk2, dv1, dv2


@jit
def backward_keys(
    q, k, v, features, strength, table, extremes, lse, dout, delta, dk, dv, offsets,
    in_sample, in_head, in_token, out_sample, out_head, out_token, of_features,
    table_sample, table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, TABLE: constexpr,
    BIN: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr, D2: constexpr,
    QUERIES: constexpr, KEYS: constexpr, TILES: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Gradients of one tile of keys and values.

    Offsets [B H, tiles, query tiles, 2 KEYS] are sums over diagonals of each tile of pairs.
    """
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    onto = sample.to(tl.int64) * out_sample + head * out_head
    here = tl.num_programs(0) - 1 - tl.program_id(0)  # the highest keys have most to do
    row, column, token, inside = tile_place(here, LINE, LINES, KEYS)
    place, there = token[:, None], inside[:, None]
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    k1 = load(k + into, place, there, in_token, part1[None, :], WIDTH, EVEN)
    v1 = load(v + into, place, there, in_token, part1[None, :], WIDTH, EVEN)
    k2, v2 = k1, v1
    if D1 < WIDTH:
        k2 = load(k + into, place, there, in_token, part2[None, :], WIDTH, EVEN)
        v2 = load(v + into, place, there, in_token, part2[None, :], WIDTH, EVEN)
    features += sample * of_features
    key0, key1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = LINES * tl.cdiv(LINE, QUERIES)
    extremes += sample * 2 * tiles
    biased_to, lowest, highest = tiles, 0.0, 0.0
    if UPHILL:
        lowest, highest = extremes_of(key0, inside)
        biased_to = last_below(extremes, tiles, highest, TILES)
    program = tl.program_id(1) * tl.num_programs(0) + here
    offsets += program.to(tl.int64) * (tiles * 2 * KEYS)
    grads = (
        tl.zeros([KEYS, D1], tl.float32), tl.zeros([KEYS, D2], tl.float32),
        tl.zeros([KEYS, D1], tl.float32), tl.zeros([KEYS, D2], tl.float32),
    )  # fmt: skip
    first = tl.program_id(1) * tokens
    grads = _gather_keys(
        grads, 0, biased_to, k1, k2, v1, v2, key0, key1, lowest, highest, row, column, there,
        q + into, dout + onto, lse + first, delta + first, features, extremes, alpha, table,
        offsets, in_token, out_token, tokens, scale,
        TILE, LINE, LINES, TILE is not None, UPHILL, TABLE, BIN, FEATURES, WIDTH, D1, D2, QUERIES,
        KEYS, EVEN, PRECISION,
    )  # fmt: skip
    if UPHILL:
        grads = _gather_keys(
            grads, biased_to, tiles, k1, k2, v1, v2, key0, key1, lowest, highest, row, column,
            there, q + into, dout + onto, lse + first, delta + first, features, extremes, alpha,
            table, offsets, in_token, out_token, tokens, scale,
            TILE, LINE, LINES, False, UPHILL, TABLE, BIN, FEATURES, WIDTH, D1, D2, QUERIES, KEYS,
            EVEN, PRECISION,
        )  # fmt: skip
    dk1, dk2, dv1, dv2 = grads
    natural = scale / UNIT
    store(dk + onto, place, there, out_token, part1[None, :], dk1 * natural, WIDTH, EVEN)
    store(dv + onto, place, there, out_token, part1[None, :], dv1, WIDTH, EVEN)
    if D1 < WIDTH:
        store(dk + onto, place, there, out_token, part2[None, :], dk2 * natural, WIDTH, EVEN)
        store(dv + onto, place, there, out_token, part2[None, :], dv2, WIDTH, EVEN)


@jit
def sum_offsets(
    offsets, dtable, samples, heads, LINE: constexpr, LINES: constexpr, QUERIES: constexpr,
    KEYS: constexpr,
):  # fmt: skip
    """Gradient [H, 2 LINES - 1, 2 LINE - 1] of a table of offsets from its sums by tiles of pairs.

    A program takes KEYS offsets of columns and one of rows, and adds what all pairs of lines that
    lie so far apart, and all pairs of tiles on them, hold of these, in a fixed order.
    """
    head, apart = tl.program_id(1), tl.program_id(0) - (LINES - 1)
    wanted = tl.program_id(2) * KEYS + tl.arange(0, KEYS) - (LINE - 1)  # query minus key
    key_tiles, query_tiles = tl.cdiv(LINE, KEYS), tl.cdiv(LINE, QUERIES)
    total = tl.zeros([KEYS], tl.float32)
    for sample in range(samples):
        base = (sample * heads + head).to(tl.int64) * (LINES * key_tiles)
        for key_row in range(tl.maximum(0, -apart), tl.minimum(LINES, LINES - apart)):
            for pair in range(key_tiles * query_tiles):
                key_tile, query_tile = pair // query_tiles, pair % query_tiles
                program = base + key_row * key_tiles + key_tile
                tile = (key_row + apart) * query_tiles + query_tile
                local = key_tile * KEYS - query_tile * QUERIES  # key - query of the first pair
                index = KEYS + (-wanted - local)
                place = (program * (LINES * query_tiles) + tile) * (2 * KEYS) + index
                total += tl.load(offsets + place, mask=(index >= 0) & (index < 2 * KEYS), other=0.0)
    place = (head * (2 * LINES - 1) + tl.program_id(0)) * (2 * LINE - 1) + wanted + LINE - 1
    tl.store(dtable + place, total, mask=wanted <= LINE - 1)
