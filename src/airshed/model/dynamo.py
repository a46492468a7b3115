"""Dynamo's limits: what goes beyond them fails. By itself it would run uncompiled, without a word.

For attention by FlexAttention that means all scores in memory, and fifty times the time.
"""

from __future__ import annotations

import torch

FORMS = (
    8  # of one piece of code for one network: kinds of blocks, shapes of batches, training or not
)


def allow_forms(networks: int = 1) -> None:
    """Let each piece of code be compiled as often as so many networks need."""
    config = torch._dynamo.config
    config.fail_on_recompile_limit_hit = True
    for limit in ("recompile_limit", "accumulated_recompile_limit"):
        setattr(config, limit, max(getattr(config, limit), FORMS * networks))
