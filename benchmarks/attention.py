"""Attention with each bias against attention with none: forward, backward, and peak memory.

A path that wants its tokens in an order of its own pays here for sorting and restoring them at
every call; in a network one sorting serves all blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from problem import DEVICE, DIM, attention_inputs, core

from airshed.bench.measure import interleaved, peak_mb, ratio, spread
from airshed.model.bias import KINDS
from airshed.model.scan import raster_order

BATCH = {512: 2, 2048: 2, 8192: 1}
ROUNDS = {512: 15, 2048: 7, 8192: 3}


def work(kind: str, tokens: int) -> Callable[[], None]:
    """One forward and backward pass, with the order of tokens that the path wants."""
    qkv, fields = attention_inputs(tokens, BATCH[tokens])
    attention = core(kind, tokens)
    sorts = attention.order is not raster_order
    if sorts:
        sorted_fields = attention.order(fields).fields(fields)
        assert sorted_fields is not None
        fields = sorted_fields
    stream = torch.randn(BATCH[tokens], tokens, DIM, device=DEVICE, requires_grad=sorts)
    gradient = torch.randn_like(qkv[0])

    def run() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda"):
            out = attention(*qkv, fields)
        torch.autograd.grad(out, [*qkv, *attention.parameters()], gradient.to(out.dtype))
        if sorts:
            order = attention.order(fields)
            torch.autograd.grad(order.restore(order.apply(stream)), stream, stream.detach())

    return run


def attention(scale: float) -> dict[str, Any]:
    """Ratios over unbiased attention, and seconds, for every bias and size."""
    ratios, took = {}, {}
    for tokens, rounds in ROUNDS.items():
        cases = {kind: work(kind, tokens) for kind in ("none", *KINDS)}
        times = interleaved(cases, max(1, round(scale * rounds)), f"attention, N = {tokens}")
        for kind in KINDS:
            ratios[f"attention_{kind}_{tokens}"] = ratio(times, kind, "none")
        took |= {f"attention_{kind}_{tokens}": spread(times[kind]) for kind in times}
    return {"ratios": ratios, "seconds": took}


def attention_memory(scale: float) -> dict[str, Any]:
    """Peak memory of fresh processes at N = 8192, biased over unbiased."""
    peaks = {
        kind: [peak_mb(work, kind, 8192) for _ in range(2)]
        for kind in ("none", "barrier", "relative_position")
    }
    ratios = {
        f"attention_memory_{kind}_8192": spread(
            [a / b for a, b in zip(values, peaks["none"], strict=True)]
        )
        for kind, values in peaks.items()
        if kind != "none"
    }
    found = {f"attention_{kind}_8192": spread(values) for kind, values in peaks.items()}
    return {"ratios": ratios, "memory_mb": found}
