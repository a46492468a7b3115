"""Attention with a bias in closed form as Triton kernels: one forward, two backward.

As FlashAttention-2 (Dao 2023, arXiv 2307.08691), with two additions: the inner loop calls the
bias's own tile function, and the backward pass over keys sums what the bias's parameters receive
while it holds the gradient of the scores. Nothing is added atomically, so results are the same in
every run.

Words and shapes: q, k, v are [B, H, N, d]; a head of width d is held as two parts of D1 and D2
columns, powers of 2 (96 = 64 + 32), because a tile must be one. Tokens lie on ``lines`` of
``line`` tokens each, and a tile never reaches over the end of a line: all N are one line, unless
the bias goes by place, for which a line is a row of the patch grid. Scores are in units of log2(e).
"""

from __future__ import annotations

from airshed.model.triton_language import constexpr, jit, tl

LOG2E = 1.4426950408889634
UNIT = constexpr(LOG2E)


@jit
def _load(pointer, token, inside, stride, column, WIDTH: constexpr, EVEN: constexpr):
    """Rows of a matrix [tokens, WIDTH]; ``token`` and ``column`` are shaped to broadcast."""
    place = pointer + token * stride + column
    if EVEN:
        return tl.load(place)
    return tl.load(place, mask=inside & (column < WIDTH), other=0.0)


@jit
def _store(pointer, token, inside, stride, column, value, WIDTH: constexpr, EVEN: constexpr):
    place = pointer + token * stride + column
    value = value.to(pointer.dtype.element_ty)
    if EVEN:
        tl.store(place, value)
    else:
        tl.store(place, value, mask=inside & (column < WIDTH))


@jit
def _product(a1, a2, b1, b2, SPLIT: constexpr, PRECISION: constexpr):
    """Product of two matrices whose inner dimension is in two parts."""
    product = tl.dot(a1, b1, input_precision=PRECISION)
    if SPLIT:
        product = tl.dot(a2, b2, product, input_precision=PRECISION)
    return product


@jit
def _place(tile, LINE: constexpr, LINES: constexpr, SIZE: constexpr):
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
def _features(pointer, token, inside, tokens, COUNT: constexpr, EVEN: constexpr):
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
def _first_above(highest, tiles, lowest, TILES: constexpr):
    """The first of the tiles of keys in which one lies above ``lowest``."""
    index = tl.arange(0, TILES)
    height = tl.load(highest + index, mask=index < tiles, other=float("-inf"))
    return tl.min(tl.where(height > lowest, index, tiles))


@jit
def _last_below(lowest, tiles, highest, TILES: constexpr):
    """One more than the last of the tiles of queries in which one lies below ``highest``."""
    index = tl.arange(0, TILES)
    height = tl.load(lowest + index, mask=index < tiles, other=float("inf"))
    return tl.max(tl.where(height < highest, index + 1, 0))


@jit
def _add_keys(
    state, first, last, q1, q2, query0, query1, row, column, k, v, features, strength, table,
    stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, FEATURES: constexpr,
    WIDTH: constexpr, D1: constexpr, D2: constexpr, KEYS: constexpr, EVEN: constexpr,
    PRECISION: constexpr,
):  # fmt: skip
    """Let some queries attend to the tiles first ... last - 1 of keys, after Dao's algorithm 1."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    highest, total, out1, out2 = state
    for tile in range(first, last):
        key_row, key_column, token, inside = _place(tile, LINE, LINES, KEYS)
        k1 = _load(k, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        k2 = k1
        if D1 < WIDTH:
            k2 = _load(k, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
        scores = _product(q1, q2, k1, k2, D1 < WIDTH, PRECISION) * scale
        if BIASED:
            key0, key1 = _features(features, token, inside, tokens, FEATURES, EVEN)
            added, _, _, _ = TILE(
                query0[:, None], query1[:, None], key0[None, :], key1[None, :], strength, table,
                row - key_row + LINES - 1, column[:, None] - key_column[None, :] + LINE - 1, LINE,
                UNIT,
            )  # fmt: skip
            scores += added
        if LINE % KEYS != 0:
            scores = tl.where(inside[None, :], scores, float("-inf"))
        now = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp2(scores - now[:, None])
        shrink = tl.exp2(highest - now)
        total = total * shrink + tl.sum(weights, 1)
        v1 = _load(v, token[:, None], inside[:, None], stride, part1[None, :], WIDTH, EVEN)
        weights = weights.to(v1.dtype)
        out1 = tl.dot(weights, v1, out1 * shrink[:, None], input_precision=PRECISION)
        if D1 < WIDTH:
            v2 = _load(v, token[:, None], inside[:, None], stride, part2[None, :], WIDTH, EVEN)
            out2 = tl.dot(weights, v2, out2 * shrink[:, None], input_precision=PRECISION)
        highest = now
    return highest, total, out1, out2


@jit
def forward(
    q, k, v, features, strength, table, highest_key, out, lse,
    in_sample, in_head, in_token, out_sample, out_head, out_token, of_features, table_sample,
    table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, FEATURES: constexpr,
    WIDTH: constexpr, D1: constexpr, D2: constexpr, QUERIES: constexpr, KEYS: constexpr,
    TILES: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Output of one tile of queries of one head of one sample, and log2 of its sums.

    ``highest_key`` [B, tiles] is the first feature's maximum in each tile of keys: for a bias that
    is 0 for keys not higher than the query, the tiles before the first higher one need none.
    """
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    row, column, token, inside = _place(tl.program_id(0), LINE, LINES, QUERIES)
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    q1 = _load(q + into, token[:, None], inside[:, None], in_token, part1[None, :], WIDTH, EVEN)
    q2 = q1
    if D1 < WIDTH:
        q2 = _load(q + into, token[:, None], inside[:, None], in_token, part2[None, :], WIDTH, EVEN)
    features += sample * of_features
    query0, query1 = _features(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = tl.cdiv(LINE, KEYS)
    biased_from = 0
    if UPHILL:
        lowest = tl.min(tl.where(inside, query0, float("inf")))
        biased_from = _first_above(highest_key + sample * tiles, tiles, lowest, TILES)
    state = (
        tl.full([QUERIES], float("-inf"), tl.float32), tl.zeros([QUERIES], tl.float32),
        tl.zeros([QUERIES, D1], tl.float32), tl.zeros([QUERIES, D2], tl.float32),
    )  # fmt: skip
    if UPHILL:
        state = _add_keys(
            state, 0, biased_from, q1, q2, query0, query1, row, column, k + into, v + into,
            features, alpha, table, in_token, tokens, scale,
            TILE, LINE, LINES, False, FEATURES, WIDTH, D1, D2, KEYS, EVEN, PRECISION,
        )  # fmt: skip
    highest, total, out1, out2 = _add_keys(
        state, biased_from, LINES * tiles, q1, q2, query0, query1, row, column, k + into, v + into,
        features, alpha, table, in_token, tokens, scale,
        TILE, LINE, LINES, TILE is not None, FEATURES, WIDTH, D1, D2, KEYS, EVEN, PRECISION,
    )  # fmt: skip
    onto = out + sample.to(tl.int64) * out_sample + head * out_head
    where = token[:, None]
    out1 /= total[:, None]
    _store(onto, where, inside[:, None], out_token, part1[None, :], out1, WIDTH, EVEN)
    if D1 < WIDTH:
        out2 /= total[:, None]
        _store(onto, where, inside[:, None], out_token, part2[None, :], out2, WIDTH, EVEN)
    sums = highest + tl.log2(total)
    tl.store(lse + tl.program_id(1) * tokens + token, sums, mask=None if EVEN else inside)


@jit
def _gather_queries(
    grads, first, last, q1, q2, do1, do2, sums, delta, query0, query1, row, column, k, v, features,
    strength, table, stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, FEATURES: constexpr,
    WIDTH: constexpr, D1: constexpr, D2: constexpr, KEYS: constexpr, EVEN: constexpr,
    PRECISION: constexpr,
):  # fmt: skip
    """Add what the tiles first ... last - 1 of keys give to the gradient of some queries."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    dq1, dq2 = grads
    for tile in range(first, last):
        key_row, key_column, token, inside = _place(tile, LINE, LINES, KEYS)
        k1 = _load(k, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        v1 = _load(v, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        k2, v2 = k1, v1
        if D1 < WIDTH:
            k2 = _load(k, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
            v2 = _load(v, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
        scores = _product(q1, q2, k1, k2, D1 < WIDTH, PRECISION) * scale
        if BIASED:
            key0, key1 = _features(features, token, inside, tokens, FEATURES, EVEN)
            added, _, _, _ = TILE(
                query0[:, None], query1[:, None], key0[None, :], key1[None, :], strength, table,
                row - key_row + LINES - 1, column[:, None] - key_column[None, :] + LINE - 1, LINE,
                UNIT,
            )  # fmt: skip
            scores += added
        if LINE % KEYS != 0:
            scores = tl.where(inside[None, :], scores, float("-inf"))
        weights = tl.exp2(scores - sums[:, None])
        dweights = _product(do1, do2, v1, v2, D1 < WIDTH, PRECISION)
        dscores = (weights * (dweights - delta[:, None])).to(k1.dtype)
        dq1 = tl.dot(dscores, tl.trans(k1), dq1, input_precision=PRECISION)
        if D1 < WIDTH:
            dq2 = tl.dot(dscores, tl.trans(k2), dq2, input_precision=PRECISION)
    return dq1, dq2


@jit
def backward_queries(
    q, k, v, features, strength, table, highest_key, out, lse, dout, delta, dq,
    in_sample, in_head, in_token, out_sample, out_head, out_token, of_features, table_sample,
    table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, FEATURES: constexpr,
    WIDTH: constexpr, D1: constexpr, D2: constexpr, QUERIES: constexpr, KEYS: constexpr,
    TILES: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Gradient of one tile of queries; ``delta`` [B, H, N], dout . out, is left for the keys'."""
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    onto = sample.to(tl.int64) * out_sample + head * out_head
    row, column, token, inside = _place(tl.program_id(0), LINE, LINES, QUERIES)
    here, there = token[:, None], inside[:, None]
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    q1 = _load(q + into, here, there, in_token, part1[None, :], WIDTH, EVEN)
    do1 = _load(dout + onto, here, there, out_token, part1[None, :], WIDTH, EVEN)
    o1 = _load(out + onto, here, there, out_token, part1[None, :], WIDTH, EVEN)
    dot = tl.sum(do1.to(tl.float32) * o1.to(tl.float32), 1)
    q2, do2 = q1, do1
    if D1 < WIDTH:
        q2 = _load(q + into, here, there, in_token, part2[None, :], WIDTH, EVEN)
        do2 = _load(dout + onto, here, there, out_token, part2[None, :], WIDTH, EVEN)
        o2 = _load(out + onto, here, there, out_token, part2[None, :], WIDTH, EVEN)
        dot += tl.sum(do2.to(tl.float32) * o2.to(tl.float32), 1)
    rows = tl.program_id(1) * tokens + token
    tl.store(delta + rows, dot, mask=None if EVEN else inside)
    sums = tl.load(lse + rows, mask=None if EVEN else inside, other=None if EVEN else float("inf"))
    features += sample * of_features
    query0, query1 = _features(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = tl.cdiv(LINE, KEYS)
    biased_from = 0
    grads = tl.zeros([QUERIES, D1], tl.float32), tl.zeros([QUERIES, D2], tl.float32)
    if UPHILL:
        lowest = tl.min(tl.where(inside, query0, float("inf")))
        biased_from = _first_above(highest_key + sample * tiles, tiles, lowest, TILES)
        grads = _gather_queries(
            grads, 0, biased_from, q1, q2, do1, do2, sums, dot, query0, query1, row, column,
            k + into, v + into, features, alpha, table, in_token, tokens, scale,
            TILE, LINE, LINES, False, FEATURES, WIDTH, D1, D2, KEYS, EVEN, PRECISION,
        )  # fmt: skip
    dq1, dq2 = _gather_queries(
        grads, biased_from, LINES * tiles, q1, q2, do1, do2, sums, dot, query0, query1, row,
        column, k + into, v + into, features, alpha, table, in_token, tokens, scale,
        TILE, LINE, LINES, TILE is not None, FEATURES, WIDTH, D1, D2, KEYS, EVEN, PRECISION,
    )  # fmt: skip
    natural = scale / UNIT
    _store(dq + onto, here, there, out_token, part1[None, :], dq1 * natural, WIDTH, EVEN)
    if D1 < WIDTH:
        _store(dq + onto, here, there, out_token, part2[None, :], dq2 * natural, WIDTH, EVEN)


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
def _sum_bins(sums, grad, entry, BINS: constexpr):
    """Add to ``sums`` [BINS] those of ``grad`` over each entry; few entries occur in a tile."""
    bins = tl.arange(0, BINS)
    there = grad != 0
    first, last = tl.min(tl.where(there, entry, BINS)), tl.max(tl.where(there, entry, -1))
    if first <= last:  # a loop that stands here alone would keep Triton from pipelining the outer
        for one in range(first, last + 1):
            sums += tl.where(bins == one, tl.sum(tl.where(entry == one, grad, 0.0)), 0.0)
    return sums


@jit
def _gather_keys(
    grads, first, last, k1, k2, v1, v2, key0, key1, row, column, there, q, dout, lse, delta,
    features, strength, table, offsets, stride, out_stride, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, BIASED: constexpr, TABLE: constexpr,
    BINS: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr, D2: constexpr,
    QUERIES: constexpr, KEYS: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Add what the tiles first ... last - 1 of queries give to the gradients of some keys."""
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    dk1, dk2, dv1, dv2, dstrength, dbins = grads
    for tile in range(first, last):
        query_row, query_column, token, inside = _place(tile, LINE, LINES, QUERIES)
        q1 = _load(q, token[None, :], inside[None, :], stride, part1[:, None], WIDTH, EVEN)
        do1 = _load(dout, token[:, None], inside[:, None], out_stride, part1[None, :], WIDTH, EVEN)
        q2, do2 = q1, do1
        if D1 < WIDTH:
            q2 = _load(q, token[None, :], inside[None, :], stride, part2[:, None], WIDTH, EVEN)
            do2 = _load(
                dout, token[:, None], inside[:, None], out_stride, part2[None, :], WIDTH, EVEN
            )
        mask = None if EVEN else inside
        sums = tl.load(lse + token, mask=mask, other=None if EVEN else float("inf"))
        dot = tl.load(delta + token, mask=mask, other=None if EVEN else 0.0)
        scores = _product(k1, k2, q1, q2, D1 < WIDTH, PRECISION) * scale
        if BIASED:
            query0, query1 = _features(features, token, inside, tokens, FEATURES, EVEN)
            added, of_strength, of_entry, entry = TILE(
                query0[None, :], query1[None, :], key0[:, None], key1[:, None], strength, table,
                query_row - row + LINES - 1, query_column[None, :] - column[:, None] + LINE - 1,
                LINE, UNIT,
            )  # fmt: skip
            scores += added
        weights = tl.exp2(scores - sums[None, :])
        if not EVEN:
            weights = tl.where(there, weights, 0.0)
        dv1 = tl.dot(weights.to(do1.dtype), do1, dv1, input_precision=PRECISION)
        if D1 < WIDTH:
            dv2 = tl.dot(weights.to(do1.dtype), do2, dv2, input_precision=PRECISION)
        dweights = _product(v1, v2, tl.trans(do1), tl.trans(do2), D1 < WIDTH, PRECISION)
        dscores = weights * (dweights - dot[None, :])
        if BIASED:
            dstrength += tl.sum(dscores * of_strength, 1)
            if TABLE == "bins":
                dbins = _sum_bins(dbins, dscores * of_entry, entry, BINS)
            if TABLE == "offsets":
                _sum_diagonals(offsets + tile * (2 * KEYS), dscores, KEYS, QUERIES)
        dscores = dscores.to(q1.dtype)
        dk1 = tl.dot(dscores, tl.trans(q1), dk1, input_precision=PRECISION)
        if D1 < WIDTH:
            dk2 = tl.dot(dscores, tl.trans(q2), dk2, input_precision=PRECISION)
    return dk1, dk2, dv1, dv2, dstrength, dbins


@jit
def backward_keys(
    q, k, v, features, strength, table, lowest_query, lse, dout, delta, dk, dv, dstrength, dbins,
    offsets, in_sample, in_head, in_token, out_sample, out_head, out_token, of_features,
    table_sample, table_head, heads, tokens, scale,
    TILE: constexpr, LINE: constexpr, LINES: constexpr, UPHILL: constexpr, TABLE: constexpr,
    BINS: constexpr, FEATURES: constexpr, WIDTH: constexpr, D1: constexpr, D2: constexpr,
    QUERIES: constexpr, KEYS: constexpr, TILES: constexpr, EVEN: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Gradients of one tile of keys and values, and what it gives to the bias's parameters.

    dstrength [B H, tiles] and dbins [B H, tiles, BINS] are sums over the tile and all queries;
    offsets [B H, tiles, query tiles, 2 KEYS] are sums over diagonals of each tile of pairs.
    """
    sample, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    into = sample.to(tl.int64) * in_sample + head * in_head
    onto = sample.to(tl.int64) * out_sample + head * out_head
    row, column, token, inside = _place(tl.program_id(0), LINE, LINES, KEYS)
    here, there = token[:, None], inside[:, None]
    part1, part2 = tl.arange(0, D1), D1 + tl.arange(0, D2)
    k1 = _load(k + into, here, there, in_token, part1[None, :], WIDTH, EVEN)
    v1 = _load(v + into, here, there, in_token, part1[None, :], WIDTH, EVEN)
    k2, v2 = k1, v1
    if D1 < WIDTH:
        k2 = _load(k + into, here, there, in_token, part2[None, :], WIDTH, EVEN)
        v2 = _load(v + into, here, there, in_token, part2[None, :], WIDTH, EVEN)
    features += sample * of_features
    key0, key1 = _features(features, token, inside, tokens, FEATURES, EVEN)
    table += sample * table_sample + head * table_head
    alpha = tl.load(strength) * UNIT
    tiles = tl.cdiv(LINE, QUERIES)
    biased_to = LINES * tiles
    if UPHILL:
        highest = tl.max(tl.where(inside, key0, float("-inf")))
        biased_to = _last_below(lowest_query + sample * tiles, tiles, highest, TILES)
    program = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    offsets += program.to(tl.int64) * (LINES * tiles * 2 * KEYS)
    grads = (
        tl.zeros([KEYS, D1], tl.float32), tl.zeros([KEYS, D2], tl.float32),
        tl.zeros([KEYS, D1], tl.float32), tl.zeros([KEYS, D2], tl.float32),
        tl.zeros([KEYS], tl.float32), tl.zeros([BINS], tl.float32),
    )  # fmt: skip
    first = tl.program_id(1) * tokens
    grads = _gather_keys(
        grads, 0, biased_to, k1, k2, v1, v2, key0, key1, row, column, there, q + into,
        dout + onto, lse + first, delta + first, features, alpha, table, offsets, in_token,
        out_token, tokens,
        scale,
        TILE, LINE, LINES, TILE is not None, TABLE, BINS, FEATURES, WIDTH, D1, D2, QUERIES, KEYS,
        EVEN, PRECISION,
    )  # fmt: skip
    if UPHILL:
        grads = _gather_keys(
            grads, biased_to, LINES * tiles, k1, k2, v1, v2, key0, key1, row, column, there,
            q + into,
            dout + onto, lse + first, delta + first, features, alpha, table, offsets, in_token,
            out_token, tokens, scale,
            TILE, LINE, LINES, False, TABLE, BINS, FEATURES, WIDTH, D1, D2, QUERIES, KEYS, EVEN,
            PRECISION,
        )  # fmt: skip
    dk1, dk2, dv1, dv2, strengths, bins = grads
    natural = scale / UNIT
    _store(dk + onto, here, there, out_token, part1[None, :], dk1 * natural, WIDTH, EVEN)
    _store(dv + onto, here, there, out_token, part1[None, :], dv1, WIDTH, EVEN)
    if D1 < WIDTH:
        _store(dk + onto, here, there, out_token, part2[None, :], dk2 * natural, WIDTH, EVEN)
        _store(dv + onto, here, there, out_token, part2[None, :], dv2, WIDTH, EVEN)
    tl.store(dstrength + program, tl.sum(strengths))
    if TABLE == "bins":
        tl.store(dbins + program * BINS + tl.arange(0, BINS), bins)


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
