"""Gradients of queries and the bias: a program holds a tile of queries, and goes over the keys."""

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
def _sum_bins(sums, grad, entry, low, high, BINS: constexpr):
    """Add to ``sums`` [BINS] those of ``grad`` over each entry; few entries occur in a tile."""
    bins = tl.arange(0, BINS)
    if low <= high:  # a loop that stands here alone would keep Triton from pipelining the outer
        for one in range(low, high + 1):
            sums += tl.where(bins == one, tl.sum(tl.where(entry == one, grad, 0.0)), 0.0)
    return sums


@jit
def _gather_queries(
    grads, first, last, q1, q2, do1, do2, sums, delta, query0, query1, lowest, highest, row, column,
    k, v, features, extremes, strength, table, stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, UPHILL: constexpr,
    TABLE: constexpr, BIN: constexpr, BINS: constexpr, FEATURES: constexpr, WIDTH: constexpr,
    D1: constexpr, D2: constexpr, KEYS: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Add what the tiles first ... last - 1 of keys give to the gradients."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    dq1, dq2, dstrength, dbins = grads
    for tile in range(first, last):
        key_row, key_column, token, inside = tile_place(tile, LINE, LINES, KEYS)
        k1 = load(k, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        v1 = load(v, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        k2, v2 = k1, v1
        if D1 < WIDTH:
            k2 = load(k, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
            v2 = load(v, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
        scores = product(q1, q2, k1, k2, D1 < WIDTH, PRECISION)
        base = -sums[:, None]
        if BIASED:
            key0, key1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
            low, high = extremes_at(extremes, tile, LINES * tl.cdiv(LINE, KEYS), UPHILL)
            low, high = bins_between(low - highest, high - lowest, TABLE, BIN)
            rise = key0[None, :] - query0[:, None]
            entry = entries_of(
                table, rise, low, high, row - key_row + LINES - 1,
                column[:, None] - key_column[None, :] + LINE - 1, TABLE, BIN, LINE,
            )  # fmt: skip
            added, of_strength, of_entry = TILE(
                query0[:, None], query1[:, None], key0[None, :], key1[None, :], strength, entry,
                UNIT,
            )  # fmt: skip
            base += added
        if LINE % KEYS != 0:
            scores = tl.where(inside[None, :], scores, float("-inf"))
        weights = tl.exp2(scores * scale + base)
        dweights = product(do1, do2, v1, v2, D1 < WIDTH, PRECISION)
        dscores = weights * (dweights - delta[:, None])
        if BIASED:
            dstrength += tl.sum(dscores * of_strength, 1)
            if TABLE == "bins":
                dbins = _sum_bins(dbins, dscores * of_entry, BIN(rise), low, high, BINS)
        dscores = dscores.to(k1.dtype)
        dq1 = tl.dot(dscores, tl.trans(k1), dq1, input_precision=PRECISION)
        if D1 < WIDTH:
            dq2 = tl.dot(dscores, tl.trans(k2), dq2, input_precision=PRECISION)
    return dq1, dq2, dstrength, dbins


@jit
def backward_queries(
    q, k, v, features, strength, table, extremes, out, lse, dout, delta, dq, dstrength, dbins,
    in_sample, in_head, in_token, out_sample, out_head, out_token, of_features, table_sample,
    table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, TABLE: constexpr,
    BIN: constexpr, BINS: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr,
    D2: constexpr, QUERIES: constexpr, KEYS: constexpr, TILES: constexpr, EVEN: constexpr,
    PRECISION: constexpr,
):  # fmt: skip
    """Gradient of one tile of queries, and what it gives to the bias's parameters.

    dstrength [B H, tiles] and dbins [B H, tiles, BINS] are sums over the tile and all keys; delta
    [B, H, N], dout . out, is left for the gradients of keys.
    """
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    onto = sample.to(tl.int64) * out_sample + head * out_head
    row, column, token, inside = tile_place(tl.program_id(0), LINE, LINES, QUERIES)
    here, there = token[:, None], inside[:, None]
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    q1 = load(q + into, here, there, in_token, part1[None, :], WIDTH, EVEN)
    do1 = load(dout + onto, here, there, out_token, part1[None, :], WIDTH, EVEN)
    o1 = load(out + onto, here, there, out_token, part1[None, :], WIDTH, EVEN)
    dot = tl.sum(do1.to(tl.float32) * o1.to(tl.float32), 1)
    q2, do2 = q1, do1
    if D1 < WIDTH:
        q2 = load(q + into, here, there, in_token, part2[None, :], WIDTH, EVEN)
        do2 = load(dout + onto, here, there, out_token, part2[None, :], WIDTH, EVEN)
        o2 = load(out + onto, here, there, out_token, part2[None, :], WIDTH, EVEN)
        dot += tl.sum(do2.to(tl.float32) * o2.to(tl.float32), 1)
    rows = tl.program_id(1) * tokens + token
    tl.store(delta + rows, dot, mask=None if EVEN else inside)
    sums = tl.load(lse + rows, mask=None if EVEN else inside, other=None if EVEN else float("inf"))
    features += sample * of_features
    query0, query1 = features_of(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = LINES * tl.cdiv(LINE, KEYS)
    extremes += sample * 2 * tiles
    biased_from, lowest, highest = 0, 0.0, 0.0
    grads = (
        tl.zeros([QUERIES, D1], tl.float32), tl.zeros([QUERIES, D2], tl.float32),
        tl.zeros([QUERIES], tl.float32), tl.zeros([BINS], tl.float32),
    )  # fmt: skip
    if UPHILL:
        lowest, highest = extremes_of(query0, inside)
        biased_from = first_above(extremes, tiles, lowest, TILES)
        grads = _gather_queries(
            grads, 0, biased_from, q1, q2, do1, do2, sums, dot, query0, query1, lowest, highest,
            row, column, k + into, v + into, features, extremes, alpha, table, in_token, tokens,
            scale,
            TILE, LINE, LINES, False, UPHILL, TABLE, BIN, BINS, FEATURES, WIDTH, D1, D2, KEYS, EVEN,
            PRECISION,
        )  # fmt: skip
    dq1, dq2, strengths, bins = _gather_queries(
        grads, biased_from, tiles, q1, q2, do1, do2, sums, dot, query0, query1, lowest, highest,
        row, column, k + into, v + into, features, extremes, alpha, table, in_token, tokens, scale,
        TILE, LINE, LINES, TILE is not None, UPHILL, TABLE, BIN, BINS, FEATURES, WIDTH, D1, D2,
        KEYS, EVEN, PRECISION,
    )  # fmt: skip
    natural = scale / UNIT
    store(dq + onto, here, there, out_token, part1[None, :], dq1 * natural, WIDTH, EVEN)
    if D1 < WIDTH:
        store(dq + onto, here, there, out_token, part2[None, :], dq2 * natural, WIDTH, EVEN)
    program = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    tl.store(dstrength + program, tl.sum(strengths))
    if TABLE == "bins":
        tl.store(dbins + program * BINS + tl.arange(0, BINS), bins)
