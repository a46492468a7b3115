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

from airshed.model.attention.kernels.backward_keys import backward_keys, sum_offsets
from airshed.model.attention.kernels.backward_queries import backward_queries
from airshed.model.attention.kernels.forward import forward
from airshed.model.attention.kernels.parts import LOG2E

__all__ = ["LOG2E", "backward_keys", "backward_queries", "forward", "sum_offsets"]
