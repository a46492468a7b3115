"""What attention is computed for."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Workload(NamedTuple):
    """What attention is computed for.

    Args:
        samples: B of a forward pass.
        tokens: N.
        num_heads: H.
        head_dim: d.
        dtype: Of q, k and v.
        device: Where.
    """

    samples: int
    tokens: int
    num_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device
